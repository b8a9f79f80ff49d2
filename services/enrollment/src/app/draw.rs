//! Drawing look-up secrets: codes that are shown once, and of which only memory-hard hashes are kept.

use std::{collections::BTreeMap, sync::Arc};

use countersign_core::{SecretBytes, SecretString};
use countersign_factors::{BeginEnrollment, Provisioning, factor};
use countersign_service::{ApiError, Foundation, Reason};

/// Codes, and what is kept of them.
pub(super) struct Drawn {
    pub(super) codes: Vec<SecretString>,
    pub(super) record: SecretBytes,
}

/// Draws codes of `kind` by `parameters`. Memory-hard hashes take up to a good part of a second: not on a thread that serves
/// others.
pub(super) async fn draw(
    foundation: &Foundation,
    kind: &'static str,
    parameters: BTreeMap<String, String>,
) -> Result<Drawn, ApiError> {
    let begin = BeginEnrollment { account_name: String::new(), issuer: String::new(), parameters };
    let rng = Arc::clone(&foundation.rng);
    let begun = tokio::task::spawn_blocking(move || {
        factor(kind).map(|factor| factor.begin_enrollment(&begin, &*rng))
    });
    let begun = begun.await.map_err(ApiError::internal)?;
    let begun = begun.ok_or_else(|| ApiError::new(Reason::FactorKindUnknown))?;
    let begun = begun.map_err(ApiError::internal)?;
    let Provisioning::Codes(codes) = begun.provisioning else {
        return Err(ApiError::new(Reason::Internal));
    };
    Ok(Drawn { codes, record: begun.record })
}
