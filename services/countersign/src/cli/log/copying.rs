//! `countersign log copy`: one log into another.

use std::time::Duration;

use countersign_core::SecretString;
use countersign_eventsourcing::Poison;

use super::{address, bar::Bar, patience, unread, until_stopped};
use crate::{
    cli::{
        Failure, Screen,
        screen::{ALERT, FAINT, HEADING},
    },
    copy::{self, Options, Report, Summed},
    engines::{LogAddress, create_log, open_log},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The log to copy, such as embedded:data; no server may have a data directory open meanwhile
    #[arg(
        long,
        env = "COUNTERSIGN_LOG_FROM",
        hide_env_values = true,
        value_name = "LOG",
        value_parser = unread
    )]
    from: SecretString,
    /// The log to copy it into, such as jetstream:nats://127.0.0.1:4222; made if it is not there
    #[arg(
        long,
        env = "COUNTERSIGN_LOG_TO",
        hide_env_values = true,
        value_name = "LOG",
        value_parser = unread
    )]
    to: SecretString,
    /// Compare what is there already, count what would be copied, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Let it count as complete although something in the log that is copied cannot be read
    #[arg(long)]
    skip_unreadable: bool,
    /// How long to wait for a log that is away
    #[arg(long, value_name = "SPAN", default_value = "2m", value_parser = patience)]
    patience: Duration,
}

const DOING: &str = "copying the log";

pub(super) async fn run(args: &Args, screen: &mut Screen) -> Result<(), Failure> {
    let (from, to) = (address("--from", &args.from)?, address("--to", &args.to)?);
    if from == to {
        return Err(Failure::Usage("--from and --to are the same log".to_owned()));
    }
    // What is made is for the owner's eyes only, as a server makes it.
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    let failed = |source| Failure::Log { doing: DOING, source };
    let report = until_stopped(between(&from, &to, args)).await.map_err(failed)?;
    print(&report, args.dry_run, screen)?;
    let unreadable = report.unreadable.count;
    if !report.same() {
        return Err(failed(anyhow::anyhow!(
            "the two logs do not hold the same: does somebody write to the destination?"
        )));
    }
    if unreadable > 0 && !args.skip_unreadable {
        return Err(failed(anyhow::anyhow!(
            "{unreadable} places of the source cannot be read and are not copied; \
             --skip-unreadable lets that pass"
        )));
    }
    Ok(())
}

/// Opens both logs and closes them again, whatever comes between.
async fn between(from: &LogAddress, to: &LogAddress, args: &Args) -> anyhow::Result<Report> {
    let source = open_log(from).await.map_err(|error| error.context(format!("{from}")))?;
    let opened = if args.dry_run { open_log(to).await } else { create_log(to).await };
    let destination = opened.map_err(|error| error.context(format!("{to}")))?;
    let options = Options { dry_run: args.dry_run, patience: args.patience };
    let bar = Bar::new();
    let mut told = |progress| bar.show(progress);
    let copied = copy::copy(&*source.log(), &*destination.log(), options, &mut told).await;
    drop(bar);
    destination.close().await;
    source.close().await;
    Ok(copied?)
}

fn print(report: &Report, dry_run: bool, screen: &mut Screen) -> Result<(), Failure> {
    if screen.wants_json() {
        return screen.line(json(report, dry_run));
    }
    let Report { already, copied, .. } = report;
    if dry_run {
        screen.line(format_args!("would copy {copied} events; {already} are there already"))?;
    } else {
        let seconds = report.took.as_secs_f64();
        screen.line(format_args!(
            "copied {copied} events in {seconds:.1} s ({:.0}/s); {already} were there already",
            rate(report)
        ))?;
    }
    for Poison { position, place, what, .. } in &report.unreadable.first {
        screen.line(format_args!(
            "{ALERT}not copied:{ALERT:#} position {position}, {place}: {what}"
        ))?;
    }
    if let Some((source, destination)) = &report.digests {
        for (name, Summed { events, digest }) in [("source", source), ("destination", destination)]
        {
            screen
                .line(format_args!("{HEADING}{name:>11}{HEADING:#}  {events} events  {digest}"))?;
        }
    }
    if report.grown {
        screen.line("more came into the source meanwhile: do the same again to copy it too")?;
    }
    screen.line(format_args!(
        "{FAINT}the keys that the events are sealed with are not part of the log: see \
         `countersign log copy-keys --help`{FAINT:#}"
    ))
}

fn json(report: &Report, dry_run: bool) -> serde_json::Value {
    let summed = |summed: &Summed| serde_json::json!({ "events": summed.events, "digest": summed.digest.to_string() });
    let unreadable = report.unreadable.first.iter().map(|Poison { position, place, what, .. }| {
        serde_json::json!({ "position": position.0, "place": place, "what": what })
    });
    serde_json::json!({
        "dryRun": dry_run,
        "already": report.already,
        "copied": report.copied,
        "seconds": report.took.as_secs_f64(),
        "source": report.digests.as_ref().map(|(source, _)| summed(source)),
        "destination": report.digests.as_ref().map(|(_, destination)| summed(destination)),
        "same": report.same(),
        "unreadable": unreadable.collect::<Vec<_>>(),
        "unreadableCount": report.unreadable.count,
        "moreCame": report.grown,
    })
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn rate(report: &Report) -> f64 {
    report.copied as f64 / report.took.as_secs_f64().max(0.001)
}
