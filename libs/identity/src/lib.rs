//! Tokens of outside issuers: JWTs (RFC 7519) that an OpenID provider or a Kubernetes cluster signed, verified with the
//! keys that the issuer publishes.
//!
//! [`Issuers`] knows which issuers are trusted and for which audiences. It follows the best current practices for JWTs
//! (RFC 8725): the algorithm is one of the issuer's list and fits the key (sections 3.1, 3.2), every part is checked before
//! anything is believed (3.3), keys come from the configured issuer alone and never from the token (3.8, 3.10), audiences
//! are required (3.9), and a token that says to be of another kind is refused (3.11, 3.12).
//!
//! Signatures are checked by `ring`. The rest is small and here, because it has to be stricter than libraries for JWTs
//! are: they take the time from the system, accept a claim twice or an `iss` that is a list, and leave `crit` and nested
//! tokens to their callers.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use countersign_core::Clock;
//! # use countersign_identity::{IssuerSettings, Issuers};
//! # async fn example(clock: Arc<dyn Clock>, token: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let login = "https://login.example.com".parse()?;
//! let settings = IssuerSettings::new("login", login, ["https://mfa.example.com".to_owned()]);
//! let issuers = Issuers::new([settings], clock)?;
//! let token = issuers.verify(token).await?;
//! assert!(!token.subject.is_empty());
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod address;
mod algorithm;
mod cache;
mod claims;
mod error;
mod issuers;
mod json;
mod jws;
mod key;
mod key_set;
mod settings;
mod source;

pub use address::{Address, AddressError};
pub use algorithm::{Algorithm, NotAllowed};
pub use claims::VerifiedToken;
pub use error::TokenError;
pub use issuers::Issuers;
pub use settings::{IssuerSettings, SettingsError};

/// Reads the bytes of strangers as a token and as an issuer's keys, and believes none of it. For fuzzers: it must never
/// panic.
#[doc(hidden)]
pub fn read_unverified(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        jws::Jws::parse(text).ok();
    }
    key_set::KeySet::parse(bytes).ok();
    source::jwks_uri_in(bytes).ok();
}
