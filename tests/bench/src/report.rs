//! What was found, told as it is found and again in one table at the end, ratios first.

use std::{
    fmt,
    io::{self, Write as _},
};

use serde::Serialize;

use crate::{args::Section, load::Load};

/// Everything that was found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    ratios: Vec<Figure>,
    figures: Vec<Figure>,
    loads: Vec<Loaded>,
    #[serde(skip)]
    json: bool,
}

/// A number that was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Figure {
    section: Section,
    what: String,
    value: f64,
    unit: Unit,
    goal: Option<Goal>,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    Times,
    Seconds,
    Mebibytes,
    Microseconds,
    PerSecond,
    Count,
}

/// What a number should be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

#[derive(Clone, Debug, Serialize)]
struct Loaded {
    section: Section,
    who: &'static str,
    #[serde(flatten)]
    load: Load,
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl Figure {
    pub(crate) fn new(section: Section, what: impl Into<String>, value: f64, unit: Unit) -> Self {
        Self { section, what: what.into(), value, unit, goal: None }
    }

    /// Says what it should be.
    pub(crate) fn with_goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }
}

impl Report {
    /// Begins with nothing found.
    pub(crate) const fn new(json: bool) -> Self {
        Self { ratios: Vec::new(), figures: Vec::new(), loads: Vec::new(), json }
    }

    /// Begins to tell of a section, in plain words.
    pub(crate) fn section(&self, section: Section, words: &str) -> io::Result<()> {
        self.say(format_args!("\n{section}: {words}"))
    }

    /// Says what is going on.
    pub(crate) fn note(&self, words: fmt::Arguments<'_>) -> io::Result<()> {
        self.say(format_args!("  {words}"))
    }

    /// Keeps what came of loading somebody.
    pub(crate) fn load(
        &mut self,
        section: Section,
        who: &'static str,
        load: Load,
    ) -> io::Result<()> {
        let loaded = Loaded { section, who, load };
        self.say(format_args!("  {loaded}"))?;
        self.loads.push(loaded);
        Ok(())
    }

    /// Keeps a number.
    pub(crate) fn figure(&mut self, figure: Figure) -> io::Result<()> {
        self.say(format_args!("  {figure}"))?;
        match figure.unit {
            Unit::Times => self.ratios.push(figure),
            Unit::Seconds
            | Unit::Mebibytes
            | Unit::Microseconds
            | Unit::PerSecond
            | Unit::Count => {
                self.figures.push(figure);
            }
        }
        Ok(())
    }

    /// Tells everything once more.
    pub(crate) fn finish(&self) -> anyhow::Result<()> {
        if self.json {
            let mut out = io::stdout().lock();
            serde_json::to_writer(&mut out, self)?;
            writeln!(out)?;
            return Ok(());
        }
        self.table(
            "Ratios within this run, which is what counts on a noisy machine",
            &self.ratios,
        )?;
        self.table("On this machine", &self.figures)?;
        let loads = "Loads: every caller asks one question at a time, 16 callers share one HTTP/2 connection";
        self.table(loads, &self.loads)?;
        Ok(())
    }

    fn table(&self, title: &str, rows: &[impl fmt::Display]) -> io::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        self.say(format_args!("\n{title}"))?;
        rows.iter().try_for_each(|row| self.say(format_args!("  {row}")))
    }

    fn say(&self, line: fmt::Arguments<'_>) -> io::Result<()> {
        if self.json { Ok(()) } else { writeln!(io::stdout().lock(), "{line}") }
    }
}

impl fmt::Display for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { section: _, who, load } = self;
        write!(
            f,
            "{who:<7}{:>4} callers  {:>8.0} requests/s  p50 {:>7.2} ms  p99 {:>7.2} ms",
            load.callers,
            load.per_second,
            f64::from(load.p50_us) / 1e3,
            f64::from(load.p99_us) / 1e3,
        )?;
        if let Some(cpu) = load.server_cpu_us {
            write!(f, "  {cpu:>5.1} us of server CPU each")?;
        }
        write!(f, "  ({} in {:.1} s)", load.requests, load.seconds)
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<56} {}", self.what, Amount(self.value, self.unit))?;
        let Some(goal) = self.goal else { return Ok(()) };
        let (bound, target) = match goal {
            Goal::AtLeast(least) => ("at least", least),
            Goal::AtMost(most) => ("at most", most),
        };
        let verdict = if goal.is_met(self.value) { "met" } else { "MISSED" };
        write!(f, "  goal: {bound} {}: {verdict}", Amount(target, self.unit).to_string().trim())
    }
}

struct Amount(f64, Unit);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(value, unit) = self;
        match unit {
            Unit::Times => write!(f, "{value:>10.2}"),
            Unit::Seconds => write!(f, "{value:>10.2} s"),
            Unit::Mebibytes => write!(f, "{value:>10.1} MiB"),
            Unit::Microseconds => write!(f, "{value:>10.1} us"),
            Unit::PerSecond => write!(f, "{value:>10.0} /s"),
            Unit::Count => write!(f, "{value:>10.0}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_or_missed_in_so_many_words() {
        let figure = Figure::new(Section::Verify, "a ratio", 0.4, Unit::Times);
        let met = figure.clone().with_goal(Goal::AtLeast(0.4)).to_string();
        assert!(met.ends_with("0.40  goal: at least 0.40: met"), "{met}");
        let missed = figure.with_goal(Goal::AtMost(0.3)).to_string();
        assert!(missed.ends_with("goal: at most 0.30: MISSED"), "{missed}");
    }

    #[test]
    fn ratios_are_kept_apart_from_figures() {
        let mut report = Report::new(true);
        report.figure(Figure::new(Section::Verify, "a", 1.0, Unit::Times)).unwrap();
        report.figure(Figure::new(Section::Replay, "b", 2.0, Unit::PerSecond)).unwrap();
        assert_eq!((report.ratios.len(), report.figures.len()), (1, 1));
    }
}
