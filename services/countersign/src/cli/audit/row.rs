//! One event as a row.

use countersign_proto::audit::RecordedEvent;

use crate::cli::{
    schema::{ERASED, SEALED, short_id, summary},
    screen::{FAINT, HEADING},
    when::to_the_millisecond,
};

/// Names of the columns, as [`crate::cli::screen::table_of`] takes them.
pub(super) const COLUMNS: [&str; 6] =
    ["position#", "recorded at!", "type!", "stream", "requester", "says"];

/// Returns an event as cells.
pub(super) fn cells(event: &RecordedEvent) -> [String; 6] {
    let sealed = if event.erased { ERASED } else { SEALED };
    [
        event.position.to_string(),
        to_the_millisecond(event.recorded_at.as_ref()),
        event.r#type.clone(),
        stream_text(&event.stream),
        short_requester(&event.requester),
        event.payload.as_ref().map(|payload| summary(payload, sealed)).unwrap_or_default(),
    ]
}

/// Returns an event as a line of its own: whoever follows cannot wait for all rows to know the widths.
pub(super) fn line(event: &RecordedEvent) -> String {
    let [position, recorded_at, kind, stream, requester, says] = cells(event);
    format!(
        "{position:>8}  {FAINT}{recorded_at}{FAINT:#}  {HEADING}{kind:<24}{HEADING:#}  {stream:<34}  {requester:<20}  {says}"
    )
}

/// Shortens the user's key or the id in a stream's name: eight digits tell those on a page apart.
fn stream_text(stream: &str) -> String {
    match stream.rsplit_once('.') {
        Some((head, key)) if key.len() == 32 && key.bytes().all(|b| b.is_ascii_hexdigit()) => {
            format!("{head}.{}…", key.chars().take(8).collect::<String>())
        }
        Some((head, key)) => format!("{head}.{}", short_id(key)),
        None => stream.to_owned(),
    }
}

/// Shortens the key's id in a requester such as `api-key:acme.mqyd7v2b5bdzogjk`.
fn short_requester(requester: &str) -> String {
    match requester.rsplit_once('.') {
        Some((head, id)) if id.len() > 8 => {
            format!("{head}.{}…", id.chars().take(6).collect::<String>())
        }
        _ => requester.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shortens_what_only_machines_compare() {
        let event = RecordedEvent {
            position: 12,
            r#type: "ChallengeExpired".to_owned(),
            stream: "challenges-acme.00112233445566778899aabbccddeeff".to_owned(),
            requester: "api-key:acme.mqyd7v2b5bdzogjk".to_owned(),
            ..Default::default()
        };
        let [position, recorded_at, kind, stream, requester, says] = cells(&event);
        assert_eq!((position.as_str(), recorded_at.as_str()), ("12", "-"));
        assert_eq!(kind, "ChallengeExpired");
        assert_eq!(stream, "challenges-acme.00112233…");
        assert_eq!(requester, "api-key:acme.mqyd7v…");
        assert_eq!(says, "");
    }

    #[test]
    fn a_stream_that_is_of_no_user_is_named_whole() {
        assert_eq!(stream_text("tenant-acme.settings"), "tenant-acme.settings");
        let delivery = "deliveries-acme.0190163d-8694-739b-aea5-966c26f8ad91";
        assert_eq!(stream_text(delivery), "deliveries-acme.…26f8ad91");
        assert_eq!(short_requester("service:notification"), "service:notification");
    }
}
