//! How to serve: defaults, then a YAML file, then the environment, then flags. `deploy/config/countersign.yaml` says what
//! each setting is for.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use clap::ValueEnum;
use config::FileFormat;
use countersign_service::telemetry::LogFormat;
use serde::Deserialize;

/// Longest limit that can be set for a request.
const LONGEST_REQUEST_SECONDS: u32 = 300;

/// Settings of a server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where to listen; port 0 takes a free one. Default `127.0.0.1:7443`.
    pub listen: SocketAddr,
    /// Where the log, the keys and the first API key are kept. Default `data`.
    pub data_dir: PathBuf,
    /// Whether providers for development may be used. Default `development`.
    pub mode: Mode,
    /// Who issues assertions: with a slash and the tenant it becomes their `iss`. Default `http://localhost:7443`.
    pub issuer: String,
    /// How long a request may take, in seconds, 1 to 300. Default 10.
    pub request_timeout_seconds: u32,
    /// Logs.
    pub log: LogConfig,
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
            mode: Mode::Development,
            issuer: "http://localhost:7443".to_owned(),
            request_timeout_seconds: 10,
            log: LogConfig::default(),
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// Settings given with the command, each of which also has a variable in the environment.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Flags {
    /// YAML file with settings; the other flags go before it
    #[arg(long, value_name = "FILE", env = "COUNTERSIGN_CONFIG")]
    config: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one [default: 127.0.0.1:7443]
    #[arg(long, value_name = "ADDRESS", env = "COUNTERSIGN_LISTEN")]
    listen: Option<SocketAddr>,
    /// Where the log, the keys and the first API key are kept [default: data]
    #[arg(long, value_name = "DIR", env = "COUNTERSIGN_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// What the server is for [default: development]
    #[arg(long, value_enum, env = "COUNTERSIGN_MODE")]
    mode: Option<Mode>,
    /// Who issues assertions [default: http://localhost:7443]
    #[arg(long, value_name = "URL", env = "COUNTERSIGN_ISSUER")]
    issuer: Option<String>,
    /// How long a request may take, in seconds [default: 10]
    #[arg(long, value_name = "SECONDS", env = "COUNTERSIGN_REQUEST_TIMEOUT_SECONDS")]
    request_timeout_seconds: Option<u32>,
    /// Form of the log's lines [default: text]
    #[arg(long, value_parser = log_format, value_name = "FORMAT", env = "COUNTERSIGN_LOG_FORMAT")]
    log_format: Option<LogFormat>,
    /// Which lines are logged [default: info]
    #[arg(long, value_name = "DIRECTIVES", env = "COUNTERSIGN_LOG_FILTER")]
    log_filter: Option<String>,
}

fn log_format(text: &str) -> Result<LogFormat, &'static str> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be text or json"),
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
        /// What is wrong with it; said by the error itself, and so not its source as well.
        problem: config::ConfigError,
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
        read.and_then(config::Config::try_deserialize)
            .map_err(|problem| ConfigError::File { path: path.to_owned(), problem })
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
        Ok(())
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
    fn a_file_that_is_not_there_is_named() {
        let flags = Flags { config: Some("nowhere.yaml".into()), ..Flags::default() };
        assert!(Config::load(flags).unwrap_err().to_string().contains("nowhere.yaml"));
    }
}
