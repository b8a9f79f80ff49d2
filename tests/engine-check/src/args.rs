//! What is checked, and where.

use std::time::Duration;

use countersign::engines::LogAddress;
use countersign_eventsourcing::contract;

use crate::faults::{self, Hooks};

/// Checks that an event-log engine keeps its contract
#[derive(Debug, clap::Parser)]
#[command(version)]
pub(crate) struct Args {
    /// The log, such as kurrentdb://127.0.0.1:2113?tls=false; checks write to tenants of their own in it
    #[arg(
        long,
        env = "COUNTERSIGN_LOG",
        hide_env_values = true,
        value_name = "LOG",
        required_unless_present = "list"
    )]
    log: Option<LogAddress>,
    /// Make the log if it is not there
    #[arg(long)]
    pub(crate) create: bool,
    /// Run only this; may be given several times
    #[arg(long, value_name = "NAME", value_parser = names())]
    only: Vec<String>,
    /// Break what can be broken from outside, too
    #[arg(long)]
    faults: bool,
    /// Command of the shell that makes the server go away, such as "docker kill db"
    #[arg(long, value_name = "CMD", requires = "hook_after")]
    hook_before_fault: Option<String>,
    /// Command of the shell that brings it back, such as "docker start db"
    #[arg(long, value_name = "CMD", requires = "hook_before_fault")]
    hook_after: Option<String>,
    /// How long one check may take, in seconds
    #[arg(long, value_name = "N", default_value_t = 300)]
    within: u64,
    /// Decides at which moments things are broken; drawn and printed if not given
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// Print the names of all checks and end
    #[arg(long)]
    pub(crate) list: bool,
    /// Be a writer: tenant, number, appends; the program starts itself this way
    #[arg(long, hide = true, value_name = "WORD", num_args = 3)]
    pub(crate) write: Option<Vec<String>>,
}

fn names() -> clap::builder::PossibleValuesParser {
    contract::CHECKS.iter().chain(faults::NAMES).copied().collect::<Vec<_>>().into()
}

impl Args {
    pub(crate) fn log(&self) -> LogAddress {
        self.log.clone().unwrap()
    }

    /// Returns what is to be run, in the order of telling.
    pub(crate) fn chosen(&self) -> impl Iterator<Item = &'static str> {
        let faults = faults::NAMES.iter().filter(|_| self.faults || !self.only.is_empty());
        let all = contract::CHECKS.iter().chain(faults).copied();
        all.filter(|name| self.only.is_empty() || self.only.iter().any(|only| only == name))
    }

    pub(crate) fn hooks(&self) -> Option<Hooks> {
        let (before, after) = (self.hook_before_fault.clone()?, self.hook_after.clone()?);
        Some(Hooks { before, after })
    }

    pub(crate) const fn within(&self) -> Duration {
        Duration::from_secs(self.within)
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory as _, Parser as _};

    use super::*;

    fn chosen(more: &[&str]) -> Vec<&'static str> {
        let words = [&["engine-check", "--log", "embedded:x"], more].concat();
        Args::try_parse_from(words).unwrap().chosen().collect()
    }

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn faults_are_run_only_when_asked_for() {
        assert_eq!(chosen(&[]), contract::CHECKS);
        assert_eq!(chosen(&["--faults"]).len(), contract::CHECKS.len() + faults::NAMES.len());
        let (check, fault) = (contract::CHECKS[3], faults::NAMES[0]);
        assert_eq!(chosen(&["--only", fault, "--only", check]), [check, fault]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for words in [
            &["engine-check"][..],
            &["engine-check", "--log", "nowhere"],
            &["engine-check", "--log", "embedded:x", "--only", "nothing"],
            &["engine-check", "--log", "embedded:x", "--hook-after", "true"],
        ] {
            assert!(Args::try_parse_from(words).is_err(), "{words:?}");
        }
    }
}
