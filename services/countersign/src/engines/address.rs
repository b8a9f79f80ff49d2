//! Where an event log is kept, as operators write it.

use std::{fmt, path::PathBuf, str::FromStr};

use countersign_core::SecretString;
use countersign_nats::NatsSettings;

/// Connection strings that KurrentDB's own clients know; the rest of one is theirs.
const KURRENTDB_SCHEMES: [&str; 8] = [
    "kurrentdb",
    "kurrentdb+discover",
    "kurrent",
    "kurrent+discover",
    "kdb",
    "kdb+discover",
    "esdb",
    "esdb+discover",
];

/// Stands for whoever logs in, where an address is shown.
const HIDDEN: &str = "***";

/// An event log by its engine and its place.
///
/// ```
/// use countersign::engines::LogAddress;
///
/// let log: LogAddress = "jetstream:nats://n1:4222,nats://n2:4222?replicas=3".parse()?;
/// let secret: LogAddress = "kurrentdb://admin:changeit@db:2113?tls=false".parse()?;
/// assert_eq!(secret.to_string(), "kurrentdb://***@db:2113?tls=false");
/// # Ok::<(), countersign::engines::AddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum LogAddress {
    /// `embedded:DIR`, the data directory of a single process.
    Embedded(PathBuf),
    /// `jetstream:nats://HOST:PORT`, more servers after commas; then `?` and `prefix`, `replicas`, `credentials`.
    JetStream(NatsSettings),
    /// A connection string of KurrentDB, which may hold a password.
    KurrentDb(SecretString),
}

/// Why a text is not the address of a log. Says what would be right, and never repeats what may be a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It begins like no address of ours.
    #[error(
        "a log's address is embedded:DIR, jetstream:nats://HOST:PORT or kurrentdb://HOST:PORT; this one begins otherwise"
    )]
    Engine,
    /// Nothing stands behind `embedded:`.
    #[error("embedded: takes a directory, as in embedded:/var/lib/countersign")]
    NoDirectory,
    /// A server of NATS in another form.
    #[error(
        "jetstream: takes servers such as nats://HOST:PORT or tls://HOST:PORT, with commas between them"
    )]
    Server,
    /// No host stands in a connection string.
    #[error("a KurrentDB connection string names a host, as in kurrentdb://HOST:2113?tls=false")]
    NoHost,
    /// A setting that there is not.
    #[error(
        "jetstream: has the settings prefix, replicas and credentials, as in ?prefix=countersign&replicas=3"
    )]
    Setting,
    /// A number of replicas that there cannot be.
    #[error("replicas must be a number from 1 to 5")]
    Replicas,
    /// A prefix that subjects cannot begin with.
    #[error("prefix must have letters, digits, '-' and '_' only, and at least one")]
    Prefix,
    /// An empty file name.
    #[error("credentials must be the path of a file")]
    Credentials,
}

impl FromStr for LogAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, rest) = text.split_once(':').ok_or(AddressError::Engine)?;
        match scheme {
            "embedded" if rest.is_empty() => Err(AddressError::NoDirectory),
            "embedded" => Ok(Self::Embedded(rest.into())),
            "jetstream" => jetstream(rest).map(Self::JetStream),
            _ if KURRENTDB_SCHEMES.contains(&scheme) => {
                let place = rest.strip_prefix("//").ok_or(AddressError::NoHost)?;
                let host = place.rsplit('@').next().unwrap_or_default();
                if host.is_empty() || host.starts_with(['/', '?', ':']) {
                    return Err(AddressError::NoHost);
                }
                Ok(Self::KurrentDb(SecretString::new(text.to_owned())))
            }
            _ => Err(AddressError::Engine),
        }
    }
}

fn jetstream(text: &str) -> Result<NatsSettings, AddressError> {
    let (servers, settings) = text.split_once('?').unwrap_or((text, ""));
    let servers: Vec<_> = servers.split(',').map(str::to_owned).collect();
    let named = |server: &String| {
        let place = server.strip_prefix("nats://").or_else(|| server.strip_prefix("tls://"));
        place.is_some_and(|place| {
            let host = place.rsplit('@').next().unwrap_or_default();
            !host.is_empty() && !host.starts_with(':') && !host.contains('/')
        })
    };
    if !servers.iter().all(named) {
        return Err(AddressError::Server);
    }
    let mut found = NatsSettings { servers, ..NatsSettings::default() };
    for setting in settings.split('&').filter(|setting| !setting.is_empty()) {
        match setting.split_once('=').ok_or(AddressError::Setting)? {
            ("prefix", prefix) => {
                let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
                if prefix.is_empty() || !prefix.bytes().all(plain) {
                    return Err(AddressError::Prefix);
                }
                prefix.clone_into(&mut found.prefix);
            }
            ("replicas", replicas) => {
                let replicas = replicas.parse().ok().filter(|replicas| (1..=5).contains(replicas));
                found.replicas = replicas.ok_or(AddressError::Replicas)?;
            }
            ("credentials", "") => return Err(AddressError::Credentials),
            ("credentials", path) => found.credentials = Some(path.into()),
            _ => return Err(AddressError::Setting),
        }
    }
    Ok(found)
}

impl LogAddress {
    /// Returns the text that it was parsed from, with whoever logs in. Every call is a place to audit.
    #[must_use]
    pub fn expose(&self) -> String {
        self.write_with(ToOwned::to_owned)
    }

    fn write_with(&self, server: fn(&str) -> String) -> String {
        match self {
            Self::Embedded(directory) => format!("embedded:{}", directory.display()),
            Self::JetStream(settings) => {
                let servers: Vec<_> = settings.servers.iter().map(|one| server(one)).collect();
                let NatsSettings { prefix, replicas, credentials, .. } = settings;
                let credentials = credentials.as_ref();
                let credentials =
                    credentials.map(|path| format!("&credentials={}", path.display()));
                format!(
                    "jetstream:{}?prefix={prefix}&replicas={replicas}{}",
                    servers.join(","),
                    credentials.unwrap_or_default()
                )
            }
            Self::KurrentDb(connection) => server(connection.expose()),
        }
    }
}

/// Shows the address without whoever logs in: of NATS that is a secret even without a password.
impl fmt::Display for LogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.write_with(without_login))
    }
}

impl fmt::Debug for LogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hides everything up to the last `@`: rather too much than a part of a password with odd characters.
pub(crate) fn without_login(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://{HIDDEN}@{place}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<LogAddress, AddressError> {
        text.parse()
    }

    #[test]
    fn an_address_is_shown_as_it_is_written() {
        for text in [
            "embedded:data",
            "embedded:/var/lib/a b",
            "jetstream:nats://n:4222?prefix=countersign&replicas=1",
            "jetstream:nats://n1:4222,tls://n2:4222?prefix=a_b-C&replicas=5&credentials=/run/a.creds",
            "kurrentdb://db:2113?tls=false",
            "kurrentdb+discover://db.internal:2113",
            "esdb://a:1,b:2,c:3?tls=true",
        ] {
            let address = parse(text).unwrap();
            assert_eq!(address.to_string(), text);
            assert_eq!(address.expose(), text);
            assert_eq!(parse(&address.to_string()), Ok(address));
        }
    }

    #[test]
    fn settings_that_are_not_named_have_their_defaults() {
        let Ok(LogAddress::JetStream(settings)) = parse("jetstream:nats://n:4222") else {
            panic!("a server is enough")
        };
        assert_eq!(settings.prefix, NatsSettings::default().prefix);
        assert_eq!(settings.replicas, 1);
    }

    #[test]
    fn a_password_is_never_shown() {
        for text in [
            "kurrentdb://admin:hunter2@db:2113?tls=false",
            "esdb+discover://admin:hunt@er2/?@db:2113",
            "jetstream:nats://user:hunter2@n:4222",
            "jetstream:nats://hunter2@n:4222,nats://n2:4222",
        ] {
            let address = parse(text).unwrap();
            let shown = format!("{address} {address:?}");
            assert_eq!(parse(&address.expose()), Ok(address));
            assert!(!shown.contains("hunt") && !shown.contains("er2"), "{shown}");
        }
        let refused = parse("postgres://admin:hunter2@db").unwrap_err();
        assert!(!format!("{refused} {refused:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_no_address_is_told_what_would_be_one() {
        for (text, error) in [
            ("", AddressError::Engine),
            ("data", AddressError::Engine),
            ("nats://n:4222", AddressError::Engine),
            ("embedded:", AddressError::NoDirectory),
            ("jetstream:", AddressError::Server),
            ("jetstream:n:4222", AddressError::Server),
            ("jetstream:nats://", AddressError::Server),
            ("jetstream:nats://:4222", AddressError::Server),
            ("jetstream:nats://n:4222,", AddressError::Server),
            ("jetstream:nats://n:4222?replica=3", AddressError::Setting),
            ("jetstream:nats://n:4222?prefix", AddressError::Setting),
            ("jetstream:nats://n:4222?replicas=0", AddressError::Replicas),
            ("jetstream:nats://n:4222?replicas=6", AddressError::Replicas),
            ("jetstream:nats://n:4222?prefix=a.b", AddressError::Prefix),
            ("jetstream:nats://n:4222?prefix=", AddressError::Prefix),
            ("jetstream:nats://n:4222?credentials=", AddressError::Credentials),
            ("kurrentdb:db", AddressError::NoHost),
            ("kurrentdb://", AddressError::NoHost),
            ("kurrentdb://admin:x@?tls=false", AddressError::NoHost),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
    }
}
