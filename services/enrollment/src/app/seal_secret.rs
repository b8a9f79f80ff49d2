//! Carrying out commands that bring a new secret.

use countersign_core::SecretBytes;
use countersign_crypto::Sealed;
use countersign_domain::user_authenticators::{Command, Rejection, State, UserAuthenticators};
use countersign_eventsourcing::{ExecuteError, Executed, Request};
use countersign_keys::{SecretsKey, VaultError};
use countersign_service::{ApiError, Foundation, LostSecretsKey, User, seals};

use crate::api::status::rejected;

/// How often a secret is sealed anew because the user's secrets key was exchanged meanwhile.
const TRIES: usize = 4;

/// Names the key that a user's secrets are under.
pub(super) fn secrets_key(user: &User, state: &State) -> SecretsKey {
    let User { tenant, key } = user;
    let generation = state.secrets_generation();
    SecretsKey { tenant: tenant.clone(), user: *key, generation }
}

/// Carries out the command that `command` makes of a sealed record. Should the user's secrets key be exchanged meanwhile, the
/// record is sealed again under the next one: under the one before, it would be lost.
pub(crate) async fn execute_sealing(
    foundation: &Foundation,
    user: &User,
    request: &Request,
    record: &SecretBytes,
    command: impl Fn(Sealed) -> Command + Send,
) -> Result<Executed<UserAuthenticators>, ApiError> {
    let stream = user.authenticators();
    let mut superseded = None;
    for _ in 0..TRIES {
        let known = foundation.authenticators.load(&stream).await?;
        let (key, seen) = (secrets_key(user, &known.state), known.next_revision);
        // Let go of, so that the executor need not copy the fold to go on with it.
        drop(known);
        let sealed = foundation.vault.seal_secret(&key, seals::RECORD, record.expose()).await;
        let command = match sealed {
            Ok(sealed) => command(sealed),
            Err(VaultError::Superseded) if superseded == Some(key.generation) => {
                return Err(LostSecretsKey { generation: key.generation }.into());
            }
            Err(VaultError::Superseded) => {
                superseded = Some(key.generation);
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        match foundation.authenticators.execute_seen(&stream, request, command, seen).await {
            Err(ExecuteError::Rejected(Rejection::SecretsSuperseded)) => {}
            outcome => return outcome.map_err(|error| ApiError::from_execute(error, rejected)),
        }
    }
    Err(VaultError::Superseded.into())
}
