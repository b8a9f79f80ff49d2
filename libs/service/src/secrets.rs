//! Opening what factors keep, whichever key it is under by then.

use countersign_core::SecretBytes;
use countersign_crypto::Sealed;
use countersign_domain::user_authenticators::Authenticator;
use countersign_keys::VaultError;

use crate::{ApiError, Foundation, Reason, User, seals};

/// How often a user is loaded again because the secrets were sealed anew meanwhile.
const TRIES: usize = 3;

/// The key that a secret is under is not there, though nobody exchanged it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error(
    "a user's secrets are under key {generation}, which is not there: log and keys are not of the same time; restore both"
)]
pub struct LostSecretsKey {
    /// Which of the user's keys.
    pub generation: u32,
}

impl From<LostSecretsKey> for ApiError {
    fn from(lost: LostSecretsKey) -> Self {
        Self::new(Reason::DataDamaged).caused_by(lost)
    }
}

/// Opens what the factor keeps of an authenticator; `None` if it keeps nothing any more. If the user's secrets are sealed anew
/// just now, the user is loaded again.
///
/// # Errors
/// Says that the user was erased, that the keys or the log cannot be read, or that they are not of the same time.
pub async fn open_record(
    foundation: &Foundation,
    user: &User,
    authenticator: &Authenticator,
) -> Result<Option<SecretBytes>, ApiError> {
    let Some(sealed) = &authenticator.record else { return Ok(None) };
    let (vault, User { tenant, key }) = (&foundation.vault, user);
    match vault.unseal_secret(tenant, *key, seals::RECORD, sealed).await {
        Ok(record) => Ok(Some(record)),
        // Apart, so that who does not come here does not carry it along.
        Err(VaultError::Superseded) => Box::pin(open_again(foundation, user, authenticator)).await,
        Err(error) => Err(error.into()),
    }
}

async fn open_again(
    foundation: &Foundation,
    user: &User,
    authenticator: &Authenticator,
) -> Result<Option<SecretBytes>, ApiError> {
    let (vault, User { tenant, key }) = (&foundation.vault, user);
    let mut tried = authenticator.record.as_ref().and_then(Sealed::generation);
    for _ in 0..TRIES {
        let authenticators = foundation.authenticators.load(&user.authenticators()).await?;
        let found = authenticators.state.find(authenticator.id);
        let found = found.ok_or_else(|| ApiError::new(Reason::AuthenticatorNotFound))?;
        let Some(sealed) = &found.record else { return Ok(None) };
        let generation = sealed.generation();
        if generation == tried {
            return Err(LostSecretsKey { generation: generation.unwrap_or_default() }.into());
        }
        tried = generation;
        match vault.unseal_secret(tenant, *key, seals::RECORD, sealed).await {
            Ok(record) => return Ok(Some(record)),
            Err(VaultError::Superseded) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(VaultError::Superseded.into())
}
