//! `countersign log copy-keys`: the keys that go with a log, into another kind of store.

use std::{path::PathBuf, str::FromStr, sync::Arc, time::Duration};

use anyhow::Context as _;
use countersign_eventlog::embedded::{EmbeddedLog, EmbeddedOptions};
use countersign_keys::{CopiedKeys, KeyPlace, KeyProviderChoice, copy_keys_with};
use countersign_nats::{Nats, NatsSettings};
use countersign_service::{OsRandom, SystemClock};

use super::until_stopped;
use crate::{
    cli::{Failure, Screen, screen::HEADING},
    serve::{Config, Flags, KEYS_DIRECTORY},
};

const DOING: &str = "copying the keys";

/// How long NATS may take to answer at all.
const NATS_WITHIN: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The keys to copy, such as embedded:data; no server may have a data directory open meanwhile
    #[arg(long, value_name = "KEYS")]
    from: KeyAddress,
    /// Where to copy them, such as shared:keys
    #[arg(long, value_name = "KEYS")]
    to: KeyAddress,
    /// YAML file whose section `keys` says who keeps the key-encryption key; without it, its own file does
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_CONFIG")]
    config: Option<PathBuf>,
    /// Addresses of the NATS servers that hold the users' keys of services over a shared log
    #[arg(
        long = "nats",
        value_name = "URL",
        value_delimiter = ',',
        env = "COUNTERSIGN_NATS",
        hide_env_values = true,
        required = true
    )]
    nats: Vec<String>,
    /// On how many NATS servers the keys are kept if their stream has to be made, 1 to 5
    #[arg(long, value_name = "COUNT", env = "COUNTERSIGN_NATS_REPLICAS", default_value = "3", value_parser = clap::value_parser!(u8).range(1..=5))]
    nats_replicas: u8,
    /// A credentials file of whoever may use them
    #[arg(long, value_name = "FILE")]
    nats_credentials: Option<PathBuf>,
    /// Begins the names of the installation's streams
    #[arg(long, value_name = "PREFIX", default_value = "countersign")]
    nats_prefix: String,
}

/// Where the keys of an installation are.
#[derive(Clone, Debug, PartialEq, Eq)]
enum KeyAddress {
    /// `embedded:DIR`, a data directory.
    Embedded(PathBuf),
    /// `shared:DIR`, a directory that replicas have alike, and the users' keys in NATS.
    Shared(PathBuf),
}

impl FromStr for KeyAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("embedded", directory)) if !directory.is_empty() => {
                Ok(Self::Embedded(directory.into()))
            }
            Some(("shared", directory)) if !directory.is_empty() => {
                Ok(Self::Shared(directory.into()))
            }
            Some(_) | None => Err("must be embedded:DATA-DIRECTORY or shared:KEYS-DIRECTORY"),
        }
    }
}

pub(super) async fn run(args: Args, screen: &mut Screen) -> Result<(), Failure> {
    // What is made is for the owner's eyes only, as a server makes it.
    rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
    let failed = |source| Failure::Log { doing: DOING, source };
    let CopiedKeys { keys, erased, new } = until_stopped(between(args)).await.map_err(failed)?;
    if screen.wants_json() {
        return screen.line(serde_json::json!({ "keys": keys, "erased": erased, "new": new }));
    }
    screen.line(format_args!(
        "{HEADING}{keys}{HEADING:#} users have a key, {erased} were erased; {new} of them were not there before"
    ))
}

async fn between(args: Args) -> anyhow::Result<CopiedKeys> {
    let config = Config::load(Flags { config: args.config, ..Flags::default() })?;
    let keeper = config.keys.choice()?;
    let settings = NatsSettings {
        servers: args.nats,
        credentials: args.nats_credentials,
        replicas: args.nats_replicas,
        prefix: args.nats_prefix,
    };
    let (from, to) = match (args.from, args.to) {
        (KeyAddress::Embedded(from), KeyAddress::Shared(to)) => (from, to),
        (KeyAddress::Shared(from), KeyAddress::Embedded(to)) => {
            let nats = connect(&settings).await?;
            let _lock = lock(to.clone()).await?;
            let (from, to) =
                (KeyPlace::Shared { directory: &from, nats: &nats }, to.join(KEYS_DIRECTORY));
            return copy(from, KeyPlace::Local(&to), &keeper).await;
        }
        _ => anyhow::bail!("keys are copied from embedded: to shared:, or back"),
    };
    let nats = connect(&settings).await?;
    let _lock = lock(from.clone()).await?;
    let from = from.join(KEYS_DIRECTORY);
    let to = KeyPlace::Shared { directory: &to, nats: &nats };
    copy(KeyPlace::Local(&from), to, &keeper).await
}

async fn copy(
    from: KeyPlace<'_>,
    to: KeyPlace<'_>,
    keeper: &KeyProviderChoice,
) -> anyhow::Result<CopiedKeys> {
    let (rng, clock) = (Arc::new(OsRandom), Arc::new(SystemClock));
    Ok(copy_keys_with(from, to, keeper, rng, clock, |_, _| {}).await?)
}

async fn connect(settings: &NatsSettings) -> anyhow::Result<Nats> {
    let nats = Nats::connect(settings).await?;
    nats.ready(NATS_WITHIN).await.context("--nats")?;
    Ok(nats)
}

/// Takes the lock of a data directory: a server that has it open might make keys meanwhile.
async fn lock(directory: PathBuf) -> anyhow::Result<EmbeddedLog> {
    let open = move || EmbeddedLog::open(&directory, EmbeddedOptions::default());
    Ok(tokio::task::spawn_blocking(open).await??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_a_data_directory_or_shared() {
        assert_eq!("embedded:data".parse(), Ok(KeyAddress::Embedded("data".into())));
        assert_eq!("shared:/run/keys".parse(), Ok(KeyAddress::Shared("/run/keys".into())));
        for wrong in ["data", "embedded:", "shared:", "nats:x"] {
            assert!(wrong.parse::<KeyAddress>().is_err(), "{wrong}");
        }
    }
}
