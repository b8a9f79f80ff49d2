//! Opening what factors keep, whichever key it is under by then.

use countersign_core::SecretBytes;
use countersign_domain::user_authenticators::Authenticator;
use countersign_keys::VaultError;

use crate::{ApiError, Foundation, Reason, User, seals};

/// How often a user is loaded again because the secrets were sealed anew meanwhile.
const TRIES: usize = 3;

/// Opens what the factor keeps of an authenticator; `None` if it keeps nothing any more. If the user's secrets are sealed anew
/// just now, the user is loaded again.
///
/// # Errors
/// Says that the user was erased, or that the keys or the log cannot be read.
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
    for _ in 0..TRIES {
        let authenticators = foundation.authenticators.load(&user.authenticators()).await?;
        let found = authenticators.state.find(authenticator.id);
        let found = found.ok_or_else(|| ApiError::new(Reason::AuthenticatorNotFound))?;
        let Some(sealed) = &found.record else { return Ok(None) };
        match vault.unseal_secret(tenant, *key, seals::RECORD, sealed).await {
            Ok(record) => return Ok(Some(record)),
            Err(VaultError::Superseded) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(VaultError::Superseded.into())
}
