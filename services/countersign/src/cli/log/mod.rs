//! `countersign log`: event logs as a whole, from one engine to another.

mod bar;
mod copying;
mod digest;
mod keys;

use std::time::Duration;

use anyhow::Context as _;
use clap::Subcommand;
use countersign_core::SecretString;
use countersign_service::lifecycle::StopSignals;

use super::{Failure, Screen, when::span};
use crate::engines::LogAddress;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copy all events in their order into a log that is empty, or holds the beginning of them already
    ///
    /// Doing it again goes on where it ended. Nobody may write to the destination meanwhile. A log is
    /// embedded:DIR, jetstream:nats://HOST:PORT?prefix=NAME&replicas=N&credentials=FILE, or a connection string of
    /// KurrentDB such as kurrentdb://HOST:2113.
    Copy(copying::Args),
    /// Copy the keys that the events are sealed with, between a data directory and what replicas share
    ///
    /// Before the first `countersign init`: the keys stay the same, so that what is sealed can be read.
    CopyKeys(Box<keys::Args>),
    /// Print one number that stands for all that a log holds: the same for the same events, whatever the engine
    Digest(digest::Args),
}

pub(crate) async fn run(args: Args, screen: &mut Screen) -> Result<(), Failure> {
    match args.command {
        Command::Copy(args) => copying::run(&args, screen).await,
        Command::CopyKeys(args) => keys::run(*args, screen).await,
        Command::Digest(args) => digest::run(&args, screen).await,
    }
}

/// Takes an address as it is: it may hold a password, which a parser's complaint would repeat.
fn unread(text: &str) -> Result<SecretString, std::convert::Infallible> {
    Ok(SecretString::new(text.to_owned()))
}

fn address(flag: &str, given: &SecretString) -> Result<LogAddress, Failure> {
    given.expose().parse().map_err(|error| Failure::Usage(format!("{flag}: {error}")))
}

fn patience(text: &str) -> Result<Duration, &'static str> {
    span(text).ok_or("must be a length of time such as 90s or 10m")
}

/// Runs `work` until a signal ends it. What it holds is let go where it stands.
async fn until_stopped<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let mut signals = StopSignals::listen().context("cannot listen for signals")?;
    tokio::select! {
        done = work => done,
        () = signals.received() => {
            anyhow::bail!("interrupted; doing the same again goes on from here")
        }
    }
}
