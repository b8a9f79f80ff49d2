//! The command line: one file per subcommand, and what they share.
//!
//! Everything but `serve`, `init`, `doctor`, `log`, `keyring --offline` and `completions` is an ordinary client of the gRPC API: it can do nothing that
//! another program with the same key cannot.

mod access_pass;
mod ambient;
mod applications;
mod approvals;
mod audit;
mod authenticators;
mod completions;
mod connection;
mod demo;
mod doctor;
mod factors;
mod failure;
pub(crate) mod global;
mod init;
mod keyring;
mod keys;
mod log;
mod organisations;
mod pages;
mod placing;
mod requirement;
mod schema;
pub(crate) mod screen;
mod self_service;
mod status;
mod tenants;
mod tls;
mod users;
mod when;
pub(crate) mod words;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::World;

pub(crate) use ambient::{fresh_request_id, now};
pub(crate) use audit::replay_as_table;
pub(crate) use connection::{Connection, ServerAddress, connect};
pub(crate) use failure::Failure;
pub(crate) use pages::every_page;
pub(crate) use screen::Screen;

/// Countersign: self-hosted, event-sourced multi-factor authentication.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    global: global::Global,
    #[command(subcommand)]
    command: Command,
}

#[cfg(test)]
impl Cli {
    /// Returns the flags alone.
    pub(crate) fn into_global(self) -> global::Global {
        self.global
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start all services in this process, or one of them
    Serve(Box<crate::serve::Args>),
    /// Make what services over a shared log need: streams, keys and the first API key
    Init(Box<crate::serve::Flags>),
    /// Replay, follow and explain what happened
    Audit(audit::Args),
    /// Look at a user, say where they belong, help them, and erase one
    Users(users::Args),
    /// List and remove a user's authenticators
    Authenticators(authenticators::Args),
    /// List and create tenants, and say how long their users stay
    Tenants(tenants::Args),
    /// List and create organisations, the parts of a tenant with administrators of their own
    Organisations(organisations::Args),
    /// List and create applications that users sign in to
    Applications(applications::Args),
    /// Say when sign-ins need a second factor
    Requirement(requirement::Args),
    /// Show and change how kinds of factors behave
    Factors(factors::Args),
    /// Issue, rotate, list and revoke API keys
    Keys(keys::Args),
    /// List, approve and decline what others asked for and may not do alone
    Approvals(approvals::Args),
    /// Show and rotate the installation's own keys
    Keyring(keyring::Args),
    /// Say how the process behind an address does
    Status(status::Args),
    /// Check a data directory that no server has open, or the log and keys that services share
    Doctor(Box<doctor::Args>),
    /// Copy an event log into another one, whatever their engines, and compare logs
    Log(log::Args),
    /// Enrol, challenge and verify against a server, as a platform would
    Demo(demo::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
}

/// Runs one command line to its end and says how it went.
pub(crate) async fn run(cli: Cli, world: World) -> ExitCode {
    cli.global.color.apply();
    let mut screen = Screen::stdout(cli.global.json);
    let outcome = match cli.command {
        Command::Serve(args) => crate::serve::run(*args, world).await.map_err(Failure::Serving),
        Command::Init(flags) => init::run(*flags, world, &mut screen).await,
        Command::Audit(args) => audit::run(args, &cli.global, &mut screen).await,
        Command::Users(args) => users::run(args, &cli.global, &mut screen).await,
        Command::Authenticators(args) => authenticators::run(args, &cli.global, &mut screen).await,
        Command::Tenants(args) => tenants::run(args, &cli.global, &mut screen).await,
        Command::Organisations(args) => organisations::run(args, &cli.global, &mut screen).await,
        Command::Applications(args) => applications::run(args, &cli.global, &mut screen).await,
        Command::Requirement(args) => requirement::run(args, &cli.global, &mut screen).await,
        Command::Factors(args) => factors::run(args, &cli.global, &mut screen).await,
        Command::Keys(args) => keys::run(args, &cli.global, &mut screen).await,
        Command::Approvals(args) => approvals::run(args, &cli.global, &mut screen).await,
        Command::Keyring(args) => keyring::run(args, &cli.global, world, &mut screen).await,
        Command::Status(args) => status::run(args, &cli.global, &mut screen).await,
        Command::Doctor(args) => doctor::run(*args, &mut screen).await,
        Command::Log(args) => log::run(args, &mut screen).await,
        Command::Demo(args) => demo::run(args, &cli.global, &mut screen).await,
        Command::Completions(args) => completions::run(&args, &mut screen),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_for_all_commands_are_taken_after_the_command_too() {
        let words = ["countersign", "tenants", "list", "--json", "--server", "http://10.0.0.1:1"];
        let cli = Cli::try_parse_from(words).unwrap();
        assert!(cli.global.json);
        assert_eq!(cli.global.server.as_str(), "http://10.0.0.1:1");
    }

    #[test]
    fn a_key_in_the_command_line_stays_out_of_debug() {
        let words = ["countersign", "--api-key", "hunter2", "tenants", "list"];
        let cli = Cli::try_parse_from(words).unwrap();
        assert!(!format!("{cli:?}").contains("hunter2"));
    }
}
