//! Credentials of AWS, from a file or from the environment. They are read anew for every request: those that expire are
//! replaced where they are.

use std::{env, fs, path::Path};

use countersign_core::SecretString;
use zeroize::Zeroizing;

use crate::ProviderError;

const FIELD: &str = "keys.aws.credentials_file";

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Credentials {
    pub(super) access_key_id: String,
    pub(super) secret_access_key: SecretString,
    pub(super) session_token: Option<SecretString>,
}

impl Credentials {
    pub(super) fn load(file: Option<&Path>, profile: &str) -> Result<Self, ProviderError> {
        match file {
            Some(path) => {
                let text = fs::read_to_string(path).map(Zeroizing::new);
                let text =
                    text.map_err(|error| missing(format!("{}: {error}", path.display())))?;
                Self::of_file(&text, profile)
                    .map_err(|what| missing(format!("{}: {what}", path.display())))
            }
            None => Self::of(variable).ok_or_else(|| {
                missing(
                    "name a file, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment"
                        .to_owned(),
                )
            }),
        }
    }

    /// Takes them from variables.
    pub(super) fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let variable = |name| variable(name).filter(|value| !value.is_empty());
        Some(Self {
            access_key_id: variable("AWS_ACCESS_KEY_ID")?,
            secret_access_key: SecretString::new(variable("AWS_SECRET_ACCESS_KEY")?),
            session_token: variable("AWS_SESSION_TOKEN").map(SecretString::new),
        })
    }

    /// Takes them from the text of a shared credentials file: sections in brackets, `name = value` in each.
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>
    pub(super) fn of_file(text: &str, profile: &str) -> Result<Self, String> {
        let mut inside = false;
        let (mut id, mut secret, mut token) = (None, None, None);
        for line in text.lines().map(str::trim) {
            if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                inside = section.trim() == profile;
            } else if inside
                && !line.starts_with(['#', ';'])
                && let Some((name, value)) = line.split_once('=')
            {
                let value = Some(value.trim().to_owned());
                match name.trim() {
                    "aws_access_key_id" => id = value,
                    "aws_secret_access_key" => secret = value.map(SecretString::new),
                    "aws_session_token" => token = value.map(SecretString::new),
                    _ => {}
                }
            }
        }
        let lacks = |name| format!("profile {profile} has no {name}");
        Ok(Self {
            access_key_id: id.ok_or_else(|| lacks("aws_access_key_id"))?,
            secret_access_key: secret.ok_or_else(|| lacks("aws_secret_access_key"))?,
            session_token: token,
        })
    }

    /// Returns what must not be in any error.
    pub(super) fn secrets(&self) -> Vec<&str> {
        let token = self.session_token.iter().map(SecretString::expose);
        token.chain([self.secret_access_key.expose()]).filter(|secret| !secret.is_empty()).collect()
    }
}

#[expect(clippy::disallowed_methods, reason = "secrets that AWS names so are no settings of ours")]
fn variable(name: &str) -> Option<String> {
    env::var(name).ok()
}

fn missing(what: String) -> ProviderError {
    ProviderError::Settings { field: FIELD, what }
}
