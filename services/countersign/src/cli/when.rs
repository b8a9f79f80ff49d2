//! Times on the command line and in tables.

use std::{str::FromStr, time::Duration};

use countersign_core::Timestamp;

/// A time as a person gives it: an instant, or a while ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    At(Timestamp),
    Ago(Duration),
}

impl When {
    /// Returns the instant that is meant.
    pub(crate) fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(instant) => instant,
            Self::Ago(span) => {
                let micros = i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
                Timestamp::from_unix_micros(now.unix_micros().saturating_sub(micros))
            }
        }
    }

    /// Returns the instant that is meant, as the API says it.
    pub(crate) fn on_the_wire(self, now: Timestamp) -> prost_types::Timestamp {
        let micros = self.before(now).unix_micros();
        let nanos = micros.rem_euclid(1_000_000).saturating_mul(1_000);
        prost_types::Timestamp {
            seconds: micros.div_euclid(1_000_000),
            nanos: i32::try_from(nanos).unwrap_or_default(),
        }
    }
}

impl FromStr for When {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "must be a time such as 2026-01-31T09:00:00Z, a day such as 2026-01-31, or a while ago \
                            such as 90s, 15m, 2h, 7d";
        if let Ok(instant) = text.parse() {
            return Ok(Self::At(instant));
        }
        if let Ok(midnight) = format!("{text}T00:00:00Z").parse() {
            return Ok(Self::At(midnight));
        }
        span(text).map(Self::Ago).ok_or(FORM)
    }
}

/// Parses a whole number and a unit.
pub(crate) fn span(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds_each = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
    count.checked_mul(seconds_each).map(Duration::from_secs)
}

/// Reads a length of time as the API says it.
pub(crate) fn wire_span(text: &str) -> Result<prost_types::Duration, &'static str> {
    const FORM: &str = "must be a length of time such as 90s, 12h or 90d";
    let seconds = span(text).ok_or(FORM)?.as_secs();
    let seconds = i64::try_from(seconds).map_err(|_| FORM)?;
    Ok(prost_types::Duration { seconds, nanos: 0 })
}

/// Returns a length of time as it is typed, in the greatest unit that leaves nothing over.
pub(crate) fn span_in_words(span: &prost_types::Duration) -> String {
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let seconds = span.seconds;
    let fitting = units.into_iter().find(|(each, _)| seconds != 0 && seconds % each == 0);
    let (each, unit) = fitting.unwrap_or((1, 's'));
    match span.nanos {
        0 => format!("{}{unit}", seconds / each),
        nanos => format!("{seconds}.{:03}s", nanos / 1_000_000),
    }
}

/// Returns an instant for a table, to the second; a dash if there is none.
pub(crate) fn to_the_second(instant: Option<&prost_types::Timestamp>) -> String {
    instant.map_or_else(
        || "-".to_owned(),
        |instant| Timestamp::from_unix_seconds(instant.seconds).to_string(),
    )
}

/// Returns an instant for a table, to the millisecond; a dash if there is none.
pub(crate) fn to_the_millisecond(instant: Option<&prost_types::Timestamp>) -> String {
    let Some(instant) = instant else { return "-".to_owned() };
    // By hand, because all rows should be equally wide and the type leaves zeros off.
    let seconds = Timestamp::from_unix_seconds(instant.seconds).to_string();
    let millis = instant.nanos.div_euclid(1_000_000);
    format!("{}.{millis:03}Z", seconds.trim_end_matches('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

    fn resolved(text: &str) -> String {
        text.parse::<When>().unwrap().before(NOW).to_string()
    }

    #[test]
    fn an_instant_is_taken_as_it_is() {
        assert_eq!(resolved("2026-01-31T09:00:00Z"), "2026-01-31T09:00:00Z");
        assert_eq!(resolved("2026-01-31T09:00:00+02:00"), "2026-01-31T07:00:00Z");
    }

    #[test]
    fn a_day_begins_at_midnight_in_utc() {
        assert_eq!(resolved("2026-01-31"), "2026-01-31T00:00:00Z");
    }

    #[test]
    fn a_while_ago_is_counted_back_from_now() {
        assert_eq!(resolved("0s"), "2023-11-14T22:13:20Z");
        assert_eq!(resolved("15m"), "2023-11-14T21:58:20Z");
        assert_eq!(resolved("2d"), "2023-11-12T22:13:20Z");
    }

    #[test]
    fn anything_else_is_refused_with_examples() {
        for text in ["", "yesterday", "m", "-5m", "5 m", "1.5h", "99999999999999999999d", "5é"] {
            assert!(text.parse::<When>().is_err_and(|form| form.contains("15m")), "{text}");
        }
    }

    #[test]
    fn the_wire_form_keeps_microseconds_before_the_epoch_too() {
        let when = When::At(Timestamp::from_unix_micros(-1));
        let wire = when.on_the_wire(NOW);
        assert_eq!((wire.seconds, wire.nanos), (-1, 999_999_000));
    }

    #[test]
    fn a_length_of_time_is_printed_as_it_is_typed() {
        for text in ["90s", "1m", "12h", "25h", "90d"] {
            assert_eq!(span_in_words(&wire_span(text).unwrap()), text);
        }
        assert_eq!(span_in_words(&wire_span("2w").unwrap()), "14d");
        assert_eq!(span_in_words(&wire_span("0h").unwrap()), "0s");
        let odd = prost_types::Duration { seconds: 60, nanos: 500_000_000 };
        assert_eq!(span_in_words(&odd), "60.500s");
        assert!(wire_span("for ever").is_err() && wire_span("-5m").is_err());
    }

    #[test]
    fn times_in_a_table_are_equally_wide() {
        let at = |nanos| prost_types::Timestamp { seconds: 1_700_000_000, nanos };
        assert_eq!(to_the_millisecond(Some(&at(0))), "2023-11-14T22:13:20.000Z");
        assert_eq!(to_the_millisecond(Some(&at(12_345_678))), "2023-11-14T22:13:20.012Z");
        assert_eq!(to_the_second(Some(&at(12_345_678))), "2023-11-14T22:13:20Z");
        assert_eq!(to_the_second(None), "-");
    }
}
