//! `countersign keyring`: the installation's own keys, at a server that has them alone, or without a server.

mod place;
mod printed;

use clap::{Subcommand, ValueEnum};
use countersign_keys::{AssertionAlgorithm, ProviderKind};
use countersign_proto::keys::{self as wire, Keyring};

use super::{Failure, Screen, global::Global, when::wire_span};
use crate::{
    World,
    serve::{Config, Flags},
};
use place::{Keys, failed};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show which keys there are, and how far a rotation has come
    Status(Box<Place>),
    /// Put a new version of the key-encryption key into the ring, and wrap everything anew under it
    ///
    /// Where replicas share keys, the version is only put into the ring: bring the directory to all of them, then use `run`.
    Rotate(Box<Place>),
    /// Wrap everything anew under the newest version, without a server; also goes on where it was stopped
    Run(Box<Flags>),
    /// Take the older versions of the key-encryption key out of the ring
    Retire(Box<Place>),
    /// Have the provider wrap the ring under the newest of its own keys
    Rewrap(Box<Place>),
    /// Give the ring to another provider, without a server; the settings `keys` say how both are asked
    Move(Box<MoveArgs>),
    /// Show and rotate the keys that sign statements
    #[command(subcommand)]
    Assertion(AssertionCommand),
    /// Seal every user's secrets anew
    #[command(subcommand)]
    Secrets(SecretsCommand),
}

#[derive(Debug, Subcommand)]
enum SecretsCommand {
    /// Have the servers seal every user's secrets anew, each under a fresh key of the user, and destroy the keys from before
    ///
    /// There is no --offline: users' secrets are in the log, so this takes servers that have it. `status` says how far it has come.
    Rotate,
}

#[derive(Debug, Subcommand)]
enum AssertionCommand {
    /// List the published keys, the oldest first
    List(Box<Place>),
    /// Publish a new key, which signs once the overlap has passed
    Rotate(Box<RotateArgs>),
}

/// Whose keys are meant.
#[derive(Debug, clap::Args)]
struct Place {
    /// Open the keys here instead of asking a server: those that replicas share, or those of a data directory that no
    /// server has open
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, clap::Args)]
struct MoveArgs {
    /// Who is to keep the key-encryption key: local, vault or aws
    #[arg(value_parser = provider)]
    to: ProviderKind,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, clap::Args)]
struct RotateArgs {
    /// How the new key signs
    #[arg(long, value_enum, default_value_t)]
    algorithm: AlgorithmWord,
    /// How long it is published before it signs: as long as anyone keeps the published keys; 0s after a leak
    #[arg(long, value_name = "SPAN", value_parser = wire_span, default_value = "24h")]
    overlap: prost_types::Duration,
    #[command(flatten)]
    place: Place,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum AlgorithmWord {
    /// ECDSA on P-256, which everyone can check
    #[default]
    Es256,
    /// Ed25519
    Eddsa,
}

impl From<AlgorithmWord> for AssertionAlgorithm {
    fn from(word: AlgorithmWord) -> Self {
        match word {
            AlgorithmWord::Es256 => Self::Es256,
            AlgorithmWord::Eddsa => Self::EdDsa,
        }
    }
}

fn provider(text: &str) -> Result<ProviderKind, &'static str> {
    let all = [ProviderKind::Local, ProviderKind::Vault, ProviderKind::Aws];
    let found = all.into_iter().find(|kind| kind.to_string() == text);
    found.ok_or("must be local, vault or aws")
}

const KEYRING: &str = "countersign.keys.v1.Keyring";

pub(crate) async fn run(
    args: Args,
    global: &Global,
    world: World,
    screen: &mut Screen,
) -> Result<(), Failure> {
    match args.command {
        Command::Status(place) => {
            let keyring = open(*place, global, world).await?.shown().await?;
            show(&keyring, screen)
        }
        Command::Rotate(place) => {
            let keyring = open(*place, global, world).await?.rotate().await?;
            show(&keyring, screen)
        }
        Command::Run(flags) => {
            let keyring = open(Place { offline: true, flags: *flags }, global, world).await?;
            show(&keyring.run().await?, screen)
        }
        Command::Retire(place) => {
            let keyring = open(*place, global, world).await?.retire().await?;
            show(&keyring, screen)
        }
        Command::Rewrap(place) => {
            let keyring = open(*place, global, world).await?.rewrap().await?;
            show(&keyring, screen)
        }
        Command::Move(args) => {
            let MoveArgs { to, flags } = *args;
            let config = loaded(flags)?;
            let choice = config.keys.choice_of(to).map_err(failed("moving the ring"))?;
            let keys = Keys::offline(&config, world).await?;
            show(&keys.move_to(&choice).await?, screen)?;
            printed::after_moving(to, screen)
        }
        Command::Assertion(AssertionCommand::List(place)) => {
            let keyring = open(*place, global, world).await?.shown().await?;
            printed::assertion_keys(&keyring, screen)
        }
        Command::Assertion(AssertionCommand::Rotate(args)) => {
            let RotateArgs { algorithm, overlap, place } = *args;
            let keys = open(place, global, world).await?;
            let keyring = keys.rotate_assertion_key(algorithm.into(), overlap).await?;
            printed::assertion_keys(&keyring, screen)
        }
        Command::Secrets(SecretsCommand::Rotate) => {
            let keyring = Keys::online(global).await?.rotate_secrets().await?;
            show(&keyring, screen)
        }
    }
}

async fn open(place: Place, global: &Global, world: World) -> Result<Keys, Failure> {
    if place.offline {
        Keys::offline(&loaded(place.flags)?, world).await
    } else {
        Keys::online(global).await
    }
}

fn loaded(flags: Flags) -> Result<Config, Failure> {
    Config::load(flags).map_err(failed("reading the settings"))
}

fn show(keyring: &Keyring, screen: &mut Screen) -> Result<(), Failure> {
    if screen.wants_json() {
        return screen.json(KEYRING, keyring);
    }
    printed::keyring(keyring, screen)
}

fn on_the_wire(algorithm: AssertionAlgorithm) -> wire::AssertionAlgorithm {
    match algorithm {
        AssertionAlgorithm::Es256 => wire::AssertionAlgorithm::Es256,
        AssertionAlgorithm::EdDsa => wire::AssertionAlgorithm::EdDsa,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_one_of_those_that_there_are() {
        assert_eq!(provider("vault"), Ok(ProviderKind::Vault));
        assert_eq!(provider("local"), Ok(ProviderKind::Local));
        assert!(provider("pkcs11").is_err());
    }
}
