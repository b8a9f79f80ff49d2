//! `countersign audit`: what happened, replayed from the log.

mod as_of;
mod replay;
mod row;

use clap::Subcommand;

use super::{Connection, Failure, Screen, global::Global};

pub(crate) use as_of::print_throttles;
pub(crate) use replay::replay_as_table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Print recorded events in order
    Replay(replay::Args),
    /// Follow events as they are recorded, until interrupted
    Tail(replay::TailArgs),
    /// Show how a user stood at a time
    AsOf(as_of::Args),
}

pub(crate) async fn run(args: Args, global: &Global, screen: &mut Screen) -> Result<(), Failure> {
    let connection = Connection::open(global).await?;
    match args.command {
        Command::Replay(args) => replay::run(args, &connection, screen).await,
        Command::Tail(args) => replay::tail(args, &connection, screen).await,
        Command::AsOf(args) => as_of::run(args, &connection, screen).await,
    }
}
