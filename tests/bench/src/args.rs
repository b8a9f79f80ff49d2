//! What can be asked of the bench, and how much is measured for it.

use std::{fmt, path::PathBuf, time::Duration};

use anyhow::Context as _;
use clap::ValueEnum;
use serde::Serialize;
use tempfile::TempDir;

/// Measures Countersign against the least that the same job costs on this machine
#[derive(Debug, clap::Parser)]
pub(crate) struct Args {
    /// Small numbers, for a first look in about 20 seconds
    #[arg(long)]
    quick: bool,
    /// Measure only this; may be given several times
    #[arg(long, value_enum, value_name = "SECTION")]
    only: Vec<Section>,
    /// How long each load lasts; 5 by default, 1 with --quick
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: Option<u64>,
    /// Print one JSON object at the end instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// Where to make the directories of the servers; what is written there is removed at the end
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The server to measure; by default `countersign` beside this program
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// Be the durable floor, with its file in this directory; the bench starts itself this way
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) serve_floor: Option<PathBuf>,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Section {
    /// A bare gRPC server that answers at once
    Echo,
    /// A bare gRPC server that checks a code and commits one event before it answers
    Floor,
    /// VerifyChallenge of distinct users
    Verify,
    /// Folding events into state
    Replay,
    /// Opening a long log
    Opening,
    /// Memory of a server
    Memory,
    /// VerifyChallenge over logs that services share
    Shared,
    /// What the time of a refusal tells
    Timing,
}

impl fmt::Display for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value();
        f.write_str(value.as_ref().map_or("", |value| value.get_name()))
    }
}

/// How much is measured.
#[derive(Debug)]
pub(crate) struct Plan {
    /// How long a load lasts.
    pub(crate) load: Duration,
    /// No section takes longer.
    pub(crate) section_within: Duration,
    /// Callers at once, against the bare servers.
    pub(crate) bare_callers: &'static [usize],
    /// Callers at once, against the server.
    pub(crate) server_callers: &'static [usize],
    /// Users that verify, once for each number of callers.
    pub(crate) verifying_users: usize,
    /// Events that are folded.
    pub(crate) folded_events: usize,
    /// Events of the log that is opened.
    pub(crate) stored_events: usize,
    /// Users that verify over each shared log.
    pub(crate) shared_users: usize,
    /// Callers at once, over each shared log.
    pub(crate) shared_callers: &'static [usize],
    /// Users who are refused by the clock, four times in every way.
    pub(crate) timed_users: usize,
    /// Users whose memory is measured.
    pub(crate) remembered_users: usize,
    parent: PathBuf,
    server: Option<PathBuf>,
}

impl Args {
    /// Returns what is to be measured, in the order of telling.
    pub(crate) fn sections(&self) -> impl Iterator<Item = Section> {
        let wanted = |section: &Section| self.only.is_empty() || self.only.contains(section);
        Section::value_variants().iter().copied().filter(wanted)
    }

    pub(crate) fn plan(&self) -> anyhow::Result<Plan> {
        let parent = self.dir.clone().unwrap_or_else(std::env::temp_dir);
        std::fs::create_dir_all(&parent)
            .with_context(|| format!("cannot make {}", parent.display()))?;
        let full = Plan {
            load: Duration::from_secs(self.seconds.unwrap_or(5)),
            section_within: Duration::from_secs(1_800),
            bare_callers: &[1, 16, 64, 256],
            server_callers: &[16, 64, 256],
            verifying_users: 20_000,
            folded_events: 1_000_000,
            stored_events: 1_000_000,
            remembered_users: 100_000,
            shared_users: 5_000,
            timed_users: 500,
            shared_callers: &[16, 64],
            parent,
            server: self.server.clone(),
        };
        if !self.quick {
            return Ok(full);
        }
        Ok(Plan {
            load: Duration::from_secs(self.seconds.unwrap_or(1)),
            section_within: Duration::from_secs(120),
            bare_callers: &[16, 64],
            server_callers: &[64],
            verifying_users: 2_000,
            folded_events: 100_000,
            stored_events: 50_000,
            remembered_users: 500,
            shared_users: 500,
            timed_users: 100,
            shared_callers: &[16],
            ..full
        })
    }
}

impl Plan {
    /// Makes a directory that is removed when it is dropped. All are neighbours, so that all are on the same disk.
    pub(crate) fn directory(&self) -> anyhow::Result<TempDir> {
        tempfile::Builder::new()
            .prefix("countersign-bench-")
            .tempdir_in(&self.parent)
            .with_context(|| format!("cannot make a directory in {}", self.parent.display()))
    }

    /// Finds the server's program.
    pub(crate) fn server(&self) -> anyhow::Result<PathBuf> {
        if let Some(server) = &self.server {
            return Ok(server.clone());
        }
        let own = std::env::current_exe().context("cannot find this program's own file")?;
        let beside = own.with_file_name("countersign");
        anyhow::ensure!(
            beside.is_file(),
            "there is no {}; build it with `cargo build --release -p countersign`, or say --server",
            beside.display()
        );
        Ok(beside)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[test]
    fn sections_are_told_in_their_own_order_whatever_was_asked_first() {
        let args = Args::try_parse_from(["bench", "--only", "replay", "--only", "echo"]).unwrap();
        assert_eq!(args.sections().collect::<Vec<_>>(), [Section::Echo, Section::Replay]);
        let all = Args::try_parse_from(["bench"]).unwrap();
        assert_eq!(all.sections().count(), Section::value_variants().len());
    }

    #[test]
    fn a_length_of_its_own_goes_before_the_default() {
        let of =
            |words: &[&str]| Args::try_parse_from(words).unwrap().plan().unwrap().load.as_secs();
        assert_eq!(of(&["bench"]), 5);
        assert_eq!(of(&["bench", "--quick"]), 1);
        assert_eq!(of(&["bench", "--quick", "--seconds", "3"]), 3);
    }
}
