//! How fast Countersign is, against the least that the same job costs on the same machine: `make bench`.
//!
//! Machines are noisy, so what counts are the ratios within one run. A durable verification is compared with the
//! *durable floor*, a bare server that checks a code and commits one event to a plain file before it answers.

mod args;
mod backlog;
mod bare;
mod child;
mod client;
mod clock;
mod echo;
mod floor;
mod history;
mod load;
mod memory;
mod opening;
mod platform;
mod replay;
mod report;
mod server;
mod shared;
mod timing;
mod users;
mod verify;

use std::process::ExitCode;

use args::{Args, Section};
use clap::Parser as _;
use report::Report;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.serve_floor {
        Some(directory) => floor::serve(directory).await,
        None => tokio::select! {
            done = measure(&args) => done,
            // Ended from here, so that the children are ended and the directories removed on the way out.
            _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("interrupted")),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let plan = args.plan()?;
    let mut report = Report::new(args.json);
    for section in args.sections() {
        let measured = async {
            match section {
                Section::Echo => echo::measure(&plan, &mut report).await,
                Section::Floor => floor::measure(&plan, &mut report).await,
                Section::Verify => verify::measure(&plan, &mut report).await,
                Section::Replay => replay::measure(&plan, &mut report),
                Section::Opening => opening::measure(&plan, &mut report).await,
                Section::Memory => memory::measure(&plan, &mut report).await,
                Section::Shared => shared::measure(&plan, &mut report).await,
                Section::Timing => timing::measure(&plan, &mut report).await,
            }
        };
        let within = plan.section_within;
        let measured = tokio::time::timeout(within, measured).await;
        measured.map_err(|_| {
            anyhow::anyhow!("section {section} did not end within {} s", within.as_secs())
        })??;
    }
    report.finish()
}
