//! One line for each check, and one at the end.

use std::{
    fmt,
    io::{self, Write as _},
};

use crate::Verdict;

#[derive(Debug, Default)]
pub(crate) struct Report {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Report {
    pub(crate) fn line(&mut self, text: impl fmt::Display) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")?;
        out.flush()
    }

    pub(crate) fn verdict(&mut self, name: &str, verdict: &Verdict) -> io::Result<()> {
        match verdict {
            Verdict::Passed(took) => {
                self.passed += 1;
                self.line(format_args!("ok       {name} ({:.1} s)", took.as_secs_f64()))
            }
            Verdict::Failed(why) => {
                self.failed += 1;
                // On one line, whatever was compared.
                let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
                self.line(format_args!("FAILED   {name}: {why}"))
            }
            Verdict::Skipped(lacking) => {
                self.skipped += 1;
                self.line(format_args!("skipped  {name}: {lacking}"))
            }
        }
    }

    /// Returns whether every check passed.
    pub(crate) fn end(mut self) -> anyhow::Result<bool> {
        let Self { passed, failed, skipped } = self;
        self.line(format_args!("{passed} passed, {failed} failed, {skipped} skipped"))?;
        Ok(failed == 0)
    }
}
