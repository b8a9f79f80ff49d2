//! Flags that every command takes.

use std::{
    convert::Infallible,
    fs, io,
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use countersign_core::SecretString;

use super::{Failure, ServerAddress, tls::TlsFlags};

/// Where the first key is, as seen from where a server was started.
const FIRST_KEY: &str = "data/first-key";

#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Where the server listens
    #[arg(
        long,
        global = true,
        env = "COUNTERSIGN_SERVER",
        value_name = "URL",
        default_value = "http://127.0.0.1:7443"
    )]
    pub(crate) server: ServerAddress,

    /// File that holds the API key; `serve` writes the first one
    #[arg(
        long,
        global = true,
        env = "COUNTERSIGN_API_KEY_FILE",
        value_name = "FILE",
        default_value = FIRST_KEY
    )]
    pub(crate) api_key_file: PathBuf,

    /// The API key itself, instead of a file; better given as COUNTERSIGN_API_KEY, which other users cannot list
    #[arg(
        long,
        global = true,
        env = "COUNTERSIGN_API_KEY",
        value_name = "KEY",
        hide_env_values = true,
        value_parser = secret
    )]
    api_key: Option<SecretString>,

    #[command(flatten)]
    pub(crate) tls: TlsFlags,

    /// Tenant to act on, for keys of the platform; other keys act on their own
    #[arg(long, global = true, env = "COUNTERSIGN_TENANT", value_name = "TENANT")]
    pub(crate) tenant: Option<String>,

    /// The approval under which others agreed to what the command does
    #[arg(long, global = true, value_name = "ID")]
    pub(crate) approval: Option<String>,

    /// Print JSON, one object per line, instead of tables
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// When to use colour; NO_COLOR is honoured
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(crate) color: ColorWhen,
}

impl Global {
    /// Returns the same flags for another server and its first key; a key that was given is for the server named.
    pub(crate) fn at(&self, server: ServerAddress, api_key_file: PathBuf) -> Self {
        Self { server, api_key_file, api_key: None, tls: TlsFlags::default(), ..self.clone() }
    }

    /// Returns the API key: the one given, or the one in the file. Whoever shows a certificate and names neither has none.
    pub(crate) fn key(&self) -> Result<Option<SecretString>, Failure> {
        if let Some(key) = &self.api_key {
            return Ok(Some(key.clone()));
        }
        let is_named = self.api_key_file != Path::new(FIRST_KEY);
        match fs::read_to_string(&self.api_key_file) {
            Ok(text) => Ok(Some(SecretString::new(text.trim().to_owned()))),
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    && self.tls.has_certificate()
                    && !is_named =>
            {
                Ok(None)
            }
            Err(source) => Err(Failure::KeyFile { path: self.api_key_file.clone(), source }),
        }
    }
}

fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(SecretString::new(text.to_owned()))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ColorWhen {
    /// Makes this the choice of the whole process.
    pub(crate) fn apply(self) {
        let choice = match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        };
        choice.write_global();
    }
}
