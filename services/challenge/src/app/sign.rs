//! The signed statement of a proof.

use std::fmt::Debug;

use countersign_core::Timestamp;

/// What a signed statement says.
#[derive(Clone, Debug)]
pub struct Claims<'a> {
    /// The tenant; becomes the issuer's path.
    pub tenant: &'a str,
    /// The platform's own id of the user; becomes `sub`.
    pub user_id: &'a str,
    /// The application; becomes `aud`, empty if none was named.
    pub application_id: &'a str,
    /// The challenge; becomes `jti`, so that a statement can be used once.
    pub challenge_id: String,
    /// Authentication context class reached.
    pub acr: &'a str,
    /// Authentication method references.
    pub amr: &'a [String],
    /// When the proof was given.
    pub auth_time: Timestamp,
}

/// Signs statements of proofs.
pub trait AssertionSigner: Debug + Send + Sync {
    /// Returns the statement as a JWS in compact form (RFC 7515 section 7.1).
    ///
    /// # Errors
    /// Says that the signing key cannot be used.
    fn sign(&self, claims: &Claims<'_>)
    -> Result<String, Box<dyn std::error::Error + Send + Sync>>;

    /// Returns the public keys by which statements are checked, a JSON Web Key Set (RFC 7517).
    fn jwks(&self) -> String;

    /// Returns who issues statements for `tenant`; becomes `iss`.
    fn issuer(&self, tenant: &str) -> String;
}
