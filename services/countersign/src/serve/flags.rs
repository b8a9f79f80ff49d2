//! Settings given with a command, each of which also has a variable in the environment.

use std::{convert::Infallible, net::SocketAddr, path::PathBuf};

use countersign_core::SecretString;
use countersign_service::telemetry::LogFormat;

use super::{Mode, ServiceName};

/// Settings given with the command.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// YAML file with settings; the other flags go before it
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_CONFIG")]
    pub config: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:7443]
    #[arg(long, value_name = "ADDRESS", env = "COUNTERSIGN_LISTEN")]
    pub listen: Option<SocketAddr>,
    /// Where the embedded log, the keys and the first API key are kept [default: data]
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_DATA_DIR")]
    pub data_dir: Option<PathBuf>,
    /// What keeps the event log: embedded, jetstream or a KurrentDB connection string [default: embedded]
    #[arg(
        long,
        value_name = "LOG",
        env = "COUNTERSIGN_EVENT_LOG",
        hide_env_values = true,
        value_parser = secret
    )]
    pub event_log: Option<SecretString>,
    /// Where the keys are that all replicas share [default: `keys` in the data directory]
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_KEYS_DIR")]
    pub keys_dir: Option<PathBuf>,
    /// Addresses of NATS servers
    #[arg(
        long = "nats",
        value_name = "URL",
        value_delimiter = ',',
        env = "COUNTERSIGN_NATS",
        hide_env_values = true,
        value_parser = secret
    )]
    pub nats: Vec<SecretString>,
    /// On how many NATS servers `init` keeps each stream, 1 to 5 [default: 3]
    #[arg(long, value_name = "COUNT", env = "COUNTERSIGN_NATS_REPLICAS")]
    pub nats_replicas: Option<u8>,
    /// Where another service is, as SERVICE=URL; several URLs are several replicas
    #[arg(
        long = "peer",
        value_name = "SERVICE=URL",
        value_delimiter = ',',
        env = "COUNTERSIGN_PEERS",
        value_parser = peer
    )]
    pub peers: Vec<(ServiceName, String)>,
    /// What the server is for
    #[arg(long, value_enum, env = "COUNTERSIGN_MODE")]
    pub mode: Option<Mode>,
    /// Who issues assertions [default: http://localhost:7443]
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_ISSUER")]
    pub issuer: Option<String>,
    /// How long a request may take, in seconds [default: 10]
    #[arg(long, value_name = "SECONDS", env = "COUNTERSIGN_REQUEST_TIMEOUT_SECONDS")]
    pub request_timeout_seconds: Option<u32>,
    /// Form of the log's lines [default: text]
    #[arg(long, value_parser = log_format, value_name = "FORMAT", env = "COUNTERSIGN_LOG_FORMAT")]
    pub log_format: Option<LogFormat>,
    /// Which lines are logged [default: info]
    #[arg(long, value_name = "DIRECTIVES", env = "COUNTERSIGN_LOG_FILTER")]
    pub log_filter: Option<String>,
}

/// Takes what may hold a password as it is; whoever uses it says what is wrong with it, without repeating it.
#[expect(clippy::unnecessary_wraps, reason = "clap asks for a parser that may fail")]
fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(SecretString::new(text.to_owned()))
}

fn log_format(text: &str) -> Result<LogFormat, &'static str> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be text or json"),
    }
}

fn peer(text: &str) -> Result<(ServiceName, String), String> {
    let form = || {
        let names = ServiceName::ALL.map(ServiceName::as_str).join(", ");
        format!("must be SERVICE=URL, such as challenge=http://challenge:7443, with one of {names}")
    };
    let (name, url) = text.split_once('=').ok_or_else(form)?;
    let name = ServiceName::ALL.into_iter().find(|known| known.as_str() == name);
    name.filter(|_| !url.is_empty()).map(|name| (name, url.to_owned())).ok_or_else(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_stay_out_of_debug() {
        let secret = || SecretString::new("kurrentdb://admin:hunter2@db:2113".to_owned());
        let flags = Flags { event_log: Some(secret()), nats: vec![secret()], ..Flags::default() };
        assert!(!format!("{flags:?}").contains("hunter2"));
        let config = crate::serve::Config::load(flags).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn a_peer_is_a_service_and_a_url() {
        let parsed = peer("audit=http://audit:7443").unwrap();
        assert_eq!(parsed, (ServiceName::Audit, "http://audit:7443".to_owned()));
        for wrong in ["audit", "audit=", "gateway=http://x:1", "=http://x:1"] {
            assert!(peer(wrong).unwrap_err().contains("SERVICE=URL"), "{wrong}");
        }
    }
}
