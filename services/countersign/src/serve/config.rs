//! How to serve: defaults, then a YAML file, then the environment, then flags. `deploy/config/countersign.yaml` says what
//! each setting is for.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

use clap::ValueEnum;
use config::FileFormat;
use countersign_keys::KeySettings;
use countersign_nats::NatsSettings;
use countersign_service::{
    limits::Limits,
    peers::{PeerAddressError, PeerAddresses},
    telemetry::LogFormat,
};
use serde::Deserialize;

use super::{
    CallersConfig, EngineChoice, Flags, PeerTlsConfig, ServiceName, TlsConfig, unquoted::unquoted,
};

/// Longest limit that can be set for a request.
const LONGEST_REQUEST_SECONDS: u32 = 300;

/// Settings of a server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen; port 0 takes a free one. Default `127.0.0.1:7443`.
    pub listen: SocketAddr,
    /// Where the embedded log, the keys and the first API key are kept. Default `data`.
    pub data_dir: PathBuf,
    /// What keeps the event log: `embedded`, `jetstream`, or a connection string of KurrentDB. Default `embedded`.
    pub event_log: EngineChoice,
    /// Where the keys are that all replicas share; `keys` in the data directory if absent. Only for logs that are not
    /// embedded.
    pub keys_dir: Option<PathBuf>,
    /// Who keeps the key-encryption key. Default `local`, its own file. Set in the file only.
    pub keys: KeySettings,
    /// NATS: the bus, the shared data keys, and the log `jetstream`. Not used with the embedded log.
    pub nats: NatsConfig,
    /// Where the other services are, each with the addresses of its replicas.
    pub peers: BTreeMap<ServiceName, Vec<String>>,
    /// TLS of the listener; plain text without it. Set in the file only.
    pub tls: Option<TlsConfig>,
    /// TLS to other processes whose address is `https`. Set in the file only.
    pub peer_tls: Option<PeerTlsConfig>,
    /// Whether providers for development may be used. Default `development`.
    pub mode: Mode,
    /// Who issues assertions: with a slash and the tenant it becomes their `iss`. Default `http://localhost:7443`.
    pub issuer: String,
    /// How long a request may take, in seconds, 1 to 300. Default 10.
    pub request_timeout_seconds: u32,
    /// Who is let in besides the holders of API keys. Set in the file only.
    pub callers: CallersConfig,
    /// What is taken on, from whom. They are set in the file only.
    pub limits: Limits,
    /// Logs.
    pub log: LogConfig,
    /// Whether the process may be dumped and looked into by debuggers. Default no. Set in the file only.
    pub core_dumps: bool,
}

/// Settings of the server's own log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// `text` for people, `json` for machines. Default `text`.
    pub format: LogFormat,
    /// Which lines, as directives such as `info,countersign_eventlog=debug`. Default `info`.
    pub filter: String,
}

/// Settings of NATS.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NatsConfig {
    /// Addresses of servers; any one that answers will do. Default `nats://127.0.0.1:4222`.
    pub servers: Vec<String>,
    /// A credentials file of whoever may use them.
    pub credentials: Option<PathBuf>,
    /// On how many servers `init` keeps each stream, 1 to 5. Default 3.
    pub replicas: u8,
    /// Begins the names of all streams and subjects. Default `countersign`.
    pub prefix: String,
}

/// Addresses may hold passwords.
impl std::fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsConfig")
            .field("replicas", &self.replicas)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}

/// What the server is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Trying things out: messages may go to the log instead of to users.
    #[default]
    Development,
    /// Real users: providers for development are refused.
    Production,
}

impl From<Mode> for countersign_providers::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Development => Self::Development,
            Mode::Production => Self::Production,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7443)),
            data_dir: PathBuf::from("data"),
            event_log: EngineChoice::Embedded,
            keys_dir: None,
            keys: KeySettings::default(),
            nats: NatsConfig::default(),
            peers: BTreeMap::new(),
            tls: None,
            peer_tls: None,
            mode: Mode::Development,
            issuer: "http://localhost:7443".to_owned(),
            request_timeout_seconds: 10,
            callers: CallersConfig::default(),
            limits: Limits::default(),
            log: LogConfig::default(),
            core_dumps: false,
        }
    }
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            servers: vec!["nats://127.0.0.1:4222".to_owned()],
            credentials: None,
            replicas: 3,
            prefix: "countersign".to_owned(),
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read, or says something that is not a setting.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without what it says.
        problem: String,
    },
    /// A setting has a value that makes no sense.
    #[error("{setting} {problem}")]
    Setting {
        /// The setting.
        setting: &'static str,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

impl Config {
    /// Puts defaults, file, environment and flags together.
    ///
    /// # Errors
    /// Names the file or the setting that cannot be used.
    pub fn load(flags: Flags) -> Result<Self, ConfigError> {
        let mut config = match &flags.config {
            None => Self::default(),
            Some(path) => Self::from_file(path)?,
        };
        fn given<T>(setting: &mut T, flag: Option<T>) {
            if let Some(value) = flag {
                *setting = value;
            }
        }
        given(&mut config.listen, flags.listen);
        given(&mut config.data_dir, flags.data_dir);
        if let Some(text) = flags.event_log {
            let wrong = |problem| ConfigError::Setting { setting: "event_log", problem };
            config.event_log = text.expose().to_owned().try_into().map_err(wrong)?;
        }
        if flags.keys_dir.is_some() {
            config.keys_dir = flags.keys_dir;
        }
        if !flags.nats.is_empty() {
            config.nats.servers =
                flags.nats.iter().map(|server| server.expose().to_owned()).collect();
        }
        given(&mut config.nats.replicas, flags.nats_replicas);
        if !flags.peers.is_empty() {
            config.peers.clear();
        }
        for (service, address) in flags.peers {
            config.peers.entry(service).or_default().push(address);
        }
        given(&mut config.mode, flags.mode);
        given(&mut config.issuer, flags.issuer);
        given(&mut config.request_timeout_seconds, flags.request_timeout_seconds);
        given(&mut config.log.format, flags.log_format);
        given(&mut config.log.filter, flags.log_filter);
        config.check()?;
        Ok(config)
    }

    fn from_file(path: &std::path::Path) -> Result<Self, ConfigError> {
        let source = config::File::from(path).format(FileFormat::Yaml).required(true);
        let read = config::Config::builder().add_source(source).build();
        read.and_then(config::Config::try_deserialize).map_err(|problem| {
            let problem = unquoted(&problem.to_string());
            ConfigError::File { path: path.to_owned(), problem }
        })
    }

    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |setting, problem: String| Err(ConfigError::Setting { setting, problem });
        if !(1..=LONGEST_REQUEST_SECONDS).contains(&self.request_timeout_seconds) {
            return wrong(
                "request_timeout_seconds",
                format!("must be 1 to {LONGEST_REQUEST_SECONDS}"),
            );
        }
        let is_url = ["http://", "https://"]
            .iter()
            .any(|scheme| self.issuer.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
        if !is_url || self.issuer.ends_with('/') || self.issuer.chars().any(char::is_whitespace) {
            let form = "must be a URL without a slash at its end, such as https://mfa.example.com";
            return wrong("issuer", form.to_owned());
        }
        if let Err(error) = self.keys.choice() {
            return wrong("keys", format!("cannot be used: {error}"));
        }
        if !(1..=5).contains(&self.nats.replicas) {
            return wrong("nats.replicas", "must be 1 to 5".to_owned());
        }
        if self.nats.servers.is_empty() {
            return wrong("nats.servers", "must name at least one server".to_owned());
        }
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.nats.prefix.is_empty() || !self.nats.prefix.bytes().all(is_name) {
            return wrong(
                "nats.prefix",
                "must have lower-case letters, digits and '-' only".to_owned(),
            );
        }
        Ok(())
    }

    /// Returns where the other services are.
    ///
    /// # Errors
    /// Names the service and the address that cannot be used.
    pub fn peer_addresses(&self) -> Result<PeerAddresses, PeerAddressError> {
        PeerAddresses::parse(self.peers.iter().map(|(name, addresses)| (name.as_str(), addresses)))
    }

    /// Returns how to reach NATS.
    #[must_use]
    pub fn nats_settings(&self) -> NatsSettings {
        let NatsConfig { servers, credentials, replicas, prefix } = self.nats.clone();
        NatsSettings { servers, credentials, replicas, prefix }
    }

    /// Returns where the keys are that all replicas share.
    #[must_use]
    pub fn shared_keys_dir(&self) -> PathBuf {
        self.keys_dir.clone().unwrap_or_else(|| self.data_dir.join(super::KEYS_DIRECTORY))
    }

    /// Returns how long a request may take.
    #[must_use]
    pub fn request_timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.request_timeout_seconds))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, Flags) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("countersign.yaml");
        std::fs::write(&path, text).unwrap();
        (directory, Flags { config: Some(path), ..Flags::default() })
    }

    fn refused(text: &str) -> String {
        let (_directory, flags) = file(text);
        Config::load(flags).unwrap_err().to_string()
    }

    #[test]
    fn the_sample_says_the_defaults() {
        let sample =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/config/countersign.yaml");
        let flags = Flags { config: Some(sample), ..Flags::default() };
        assert_eq!(Config::load(flags).unwrap(), Config::default());
    }

    #[test]
    fn a_flag_goes_before_the_file_and_the_file_before_the_default() {
        let (_directory, flags) = file("listen: 0.0.0.0:1\nlog: { format: json }\n");
        let flags = Flags { listen: Some("[::1]:2".parse().unwrap()), ..flags };
        let config = Config::load(flags).unwrap();
        assert_eq!(config.listen, "[::1]:2".parse().unwrap());
        assert_eq!(config.log.format, LogFormat::Json);
        assert_eq!(config.log.filter, "info");
    }

    #[test]
    fn a_setting_that_does_not_exist_is_named() {
        let text = refused("lisen: 0.0.0.0:1\n");
        assert!(text.contains("lisen") && text.contains("countersign.yaml"), "{text}");
        assert!(refused("log: { colour: red }\n").contains("colour"));
    }

    #[test]
    fn a_value_that_makes_no_sense_is_named_with_its_setting() {
        assert!(refused("listen: somewhere\n").contains("listen"));
        assert!(refused("mode: staging\n").contains("staging"));
        let text = refused("request_timeout_seconds: 0\n");
        assert_eq!(text, "request_timeout_seconds must be 1 to 300");
        assert!(refused("issuer: mfa\n").starts_with("issuer must be a URL"));
        assert!(refused("issuer: https://mfa.example.com/\n").starts_with("issuer must be"));
    }

    #[test]
    fn a_limit_that_makes_no_sense_is_refused_and_the_others_keep_their_defaults() {
        let (_directory, flags) = file("limits: { max_streams: 7 }\n");
        let limits = Config::load(flags).unwrap().limits;
        assert_eq!(limits.max_streams.get(), 7);
        assert_eq!(limits.caller, Limits::default().caller);
        assert!(refused("limits: { max_streams: 0 }\n").contains("limits.max_streams"));
        assert!(refused("limits: { max_stream: 1 }\n").contains("max_stream"));
        let slow = refused("limits: { user: { requests: 1, seconds: 86400, burst: 2 } }\n");
        assert!(slow.contains("saved up again within a day"), "{slow}");
        assert!(refused("limits: { caller: { burst: 9 } }\n").contains("missing"));
        assert!(
            refused("limits: { trusted_proxies: [10.0.0.0/33] }\n").contains("trusted_proxies")
        );
    }

    #[test]
    fn who_keeps_the_key_encryption_key_needs_a_section_that_says_how_it_is_asked() {
        let text = refused("keys: { provider: vault }\n");
        assert!(text.starts_with("keys cannot be used: keys.vault: it is missing"), "{text}");
        assert!(refused("keys: { provider: pkcs11 }\n").contains("pkcs11"));
        assert!(
            refused("keys: { vault: { address: 'https://v', key: k } }\n").contains("token_file")
        );
        let (_directory, flags) = file("keys: { provider: aws, aws: { region: x, key_id: k } }\n");
        assert_eq!(Config::load(flags).unwrap().keys.provider, countersign_keys::ProviderKind::Aws);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let flags = Flags { config: Some("nowhere.yaml".into()), ..Flags::default() };
        assert!(Config::load(flags).unwrap_err().to_string().contains("nowhere.yaml"));
    }
}
