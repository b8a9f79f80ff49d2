//! Whether an engine keeps the contract of the event log, asked of the real thing: every check of the contract, and with
//! `--faults` what can be broken from outside. One program without files of its own, to be carried to where the engine is.

#![forbid(unsafe_code)]
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this crate is checks: whatever goes wrong in one has failed it"
)]

mod args;
mod chance;
mod child;
mod engine;
mod faults;
mod load;
mod report;
mod verdict;

use std::{process::ExitCode, sync::Arc, time::Duration};

use clap::Parser as _;
use countersign::engines::create_log;
use countersign_eventsourcing::contract;

pub use engine::{At, Engine, Place};
pub use faults::Faults;
pub use verdict::Verdict;

use args::Args;
use chance::Chance;
use report::Report;

/// Runs the program with this process's arguments.
pub async fn run() -> ExitCode {
    let args = Args::parse();
    let done = match &args.write {
        Some(words) => child::be(&args.log(), words).await.map(|()| true),
        None => check(&args).await,
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether every check passed.
async fn check(args: &Args) -> anyhow::Result<bool> {
    let mut report = Report::default();
    if args.list {
        contract::CHECKS.iter().chain(faults::NAMES).try_for_each(|name| report.line(name))?;
        return Ok(true);
    }
    let address = args.log();
    if args.create {
        create_log(&address).await?.close().await;
    }
    let chance = args.seed.map_or_else(Chance::draw, Chance::new);
    report.line(format_args!("{address}, seed {}", chance.seed()))?;
    let place: Arc<dyn Place> = Arc::new(At(address));
    let faults = Faults { chance, hooks: args.hooks(), child: Some(std::env::current_exe()?) };
    for name in args.chosen() {
        let verdict = if contract::CHECKS.contains(&name) {
            run_check(&place, name, args.within()).await
        } else {
            run_fault(&place, name, &faults, args.within()).await
        };
        report.verdict(name, &verdict)?;
    }
    report.end()
}

/// Runs one check of the contract against a log opened for it.
pub async fn run_check(place: &Arc<dyn Place>, name: &str, within: Duration) -> Verdict {
    let checked = async {
        let mut engine = Engine::open(Arc::clone(place)).await?;
        anyhow::ensure!(contract::run(name, &mut engine).await, "there is no such check");
        engine.close().await;
        Ok(())
    };
    verdict::of(checked, within).await
}

/// Runs one fault against a log opened for it.
pub async fn run_fault(
    place: &Arc<dyn Place>,
    name: &str,
    faults: &Faults,
    within: Duration,
) -> Verdict {
    if let Some(lacking) = faults.lacks(name) {
        return Verdict::Skipped(lacking);
    }
    let checked = async {
        let mut engine = Engine::open(Arc::clone(place)).await?;
        anyhow::ensure!(faults::run(name, &mut engine, faults).await, "there is no such fault");
        engine.close().await;
        Ok(())
    };
    verdict::of(checked, within).await
}
