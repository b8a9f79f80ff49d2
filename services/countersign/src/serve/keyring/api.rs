//! KeyService: the installation's own keys, of this process.

use std::{fmt, sync::Arc, time::Duration};

use countersign_core::{FieldProblem, RequestId};
use countersign_keys::AssertionAlgorithm;
use countersign_proto::keys::{
    self as wire,
    key_service_server::{KeyService, KeyServiceServer},
};
use countersign_service::{
    ApiError, Foundation, Scope,
    fields::{optional, positive_duration, text},
};

use super::{Keyring, KeyringError};

/// Greatest size of a request in bytes.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Longest time for which a key may be published before it signs.
const LONGEST_OVERLAP: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// KeyService of one process.
pub(in crate::serve) struct KeyApi {
    pub(in crate::serve) foundation: Arc<Foundation>,
    pub(in crate::serve) keyring: Keyring,
}

impl fmt::Debug for KeyApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyApi").field("keyring", &self.keyring).finish_non_exhaustive()
    }
}

impl KeyApi {
    pub(in crate::serve) fn into_server(self) -> KeyServiceServer<Self> {
        KeyServiceServer::new(self).max_decoding_message_size(MAX_REQUEST_BYTES)
    }

    /// Notes in the log who asks for what, before anything is done.
    ///
    /// # Errors
    /// Says what is wrong with `request_id`, or that these keys are not rotated here.
    fn admit(&self, scope: &Scope, request_id: &str) -> Result<(), ApiError> {
        optional("request_id", request_id, RequestId::parse)?;
        if self.keyring.is_shared() {
            return Err(KeyringError::Shared.into());
        }
        let (method, requester) = (scope.method, &*scope.caller.requester);
        tracing::info!(method, requester, request_id, "keys are being administered");
        Ok(())
    }

    fn keyring(&self) -> Option<wire::Keyring> {
        Some(self.keyring.shown())
    }

    #[expect(clippy::unused_async, reason = "handlers have one form")]
    async fn handle_get(
        &self,
        _: &Scope,
        _: wire::GetKeyringRequest,
    ) -> Result<wire::GetKeyringResponse, ApiError> {
        Ok(wire::GetKeyringResponse { keyring: self.keyring() })
    }

    async fn handle_begin(
        &self,
        scope: &Scope,
        message: wire::BeginKeyRotationRequest,
    ) -> Result<wire::BeginKeyRotationResponse, ApiError> {
        self.admit(scope, &message.request_id)?;
        let newest = Some(message.newest_version).filter(|version| *version != 0);
        self.keyring.begin(newest).await?;
        Ok(wire::BeginKeyRotationResponse { keyring: self.keyring() })
    }

    async fn handle_retire(
        &self,
        scope: &Scope,
        message: wire::RetireKeyVersionsRequest,
    ) -> Result<wire::RetireKeyVersionsResponse, ApiError> {
        self.admit(scope, &message.request_id)?;
        let retired = self.keyring.retire().await.map_err(KeyringError::from)?;
        Ok(wire::RetireKeyVersionsResponse { keyring: self.keyring(), retired })
    }

    async fn handle_rewrap(
        &self,
        scope: &Scope,
        message: wire::RewrapKeyringRequest,
    ) -> Result<wire::RewrapKeyringResponse, ApiError> {
        self.admit(scope, &message.request_id)?;
        self.keyring.rewrap().await.map_err(KeyringError::from)?;
        Ok(wire::RewrapKeyringResponse { keyring: self.keyring() })
    }

    async fn handle_rotate_assertion_key(
        &self,
        scope: &Scope,
        message: wire::RotateAssertionKeyRequest,
    ) -> Result<wire::RotateAssertionKeyResponse, ApiError> {
        let algorithm = algorithm(message.algorithm())?;
        let overlap = overlap(message.overlap)?;
        let newest = text("newest_kid", &message.newest_kid, LONGEST_KID)?;
        self.admit(scope, &message.request_id)?;
        let newest = Some(newest.as_str()).filter(|kid| !kid.is_empty());
        self.keyring.rotate_assertion_key(newest, algorithm, overlap).await?;
        Ok(wire::RotateAssertionKeyResponse { keyring: self.keyring() })
    }
}

/// Longest id of a key in bytes: that of a thumbprint has 43 (RFC 7638).
const LONGEST_KID: usize = 128;

fn algorithm(asked: wire::AssertionAlgorithm) -> Result<AssertionAlgorithm, ApiError> {
    match asked {
        wire::AssertionAlgorithm::Es256 => Ok(AssertionAlgorithm::Es256),
        wire::AssertionAlgorithm::EdDsa => Ok(AssertionAlgorithm::EdDsa),
        wire::AssertionAlgorithm::Unspecified => {
            let problem = FieldProblem::Other("must be one of the algorithms that are known");
            Err(ApiError::field("algorithm", problem))
        }
    }
}

/// Nothing is not taken for none: who takes none must mean it.
fn overlap(asked: Option<prost_types::Duration>) -> Result<Duration, ApiError> {
    let asked = asked.ok_or_else(|| ApiError::field("overlap", FieldProblem::Missing))?;
    if asked == prost_types::Duration::default() {
        return Ok(Duration::ZERO);
    }
    let overlap = positive_duration("overlap", asked)?;
    if overlap > LONGEST_OVERLAP {
        return Err(ApiError::field("overlap", FieldProblem::Other("must be 90 days at most")));
    }
    Ok(overlap)
}

countersign_service::rpcs! {
    KeyApi as KeyService {
        get_keyring(wire::GetKeyringRequest) -> wire::GetKeyringResponse
            = "GetKeyring" by handle_get;
        begin_key_rotation(wire::BeginKeyRotationRequest) -> wire::BeginKeyRotationResponse
            = "BeginKeyRotation" by handle_begin;
        retire_key_versions(wire::RetireKeyVersionsRequest) -> wire::RetireKeyVersionsResponse
            = "RetireKeyVersions" by handle_retire;
        rewrap_keyring(wire::RewrapKeyringRequest) -> wire::RewrapKeyringResponse
            = "RewrapKeyring" by handle_rewrap;
        rotate_assertion_key(wire::RotateAssertionKeyRequest) -> wire::RotateAssertionKeyResponse
            = "RotateAssertionKey" by handle_rotate_assertion_key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(seconds: i64, nanos: i32) -> Option<u64> {
        let asked = prost_types::Duration { seconds, nanos };
        overlap(Some(asked)).ok().map(|overlap| overlap.as_secs())
    }

    #[test]
    fn no_overlap_must_be_meant_and_none_is_longer_than_ninety_days() {
        assert_eq!(asked(0, 0), Some(0));
        assert_eq!(asked(7_776_000, 0), Some(7_776_000));
        for (seconds, nanos) in [(7_776_000, 1), (-1, 0), (0, -1), (i64::MIN, i32::MIN)] {
            assert_eq!(asked(seconds, nanos), None, "{seconds} {nanos}");
        }
        let missing = overlap(None).unwrap_err();
        assert_eq!(missing.field.unwrap().field, "overlap");
    }

    #[test]
    fn an_algorithm_that_is_not_named_is_refused() {
        algorithm(wire::AssertionAlgorithm::EdDsa).unwrap();
        let unknown = wire::RotateAssertionKeyRequest { algorithm: 99, ..Default::default() };
        assert!(algorithm(unknown.algorithm()).is_err());
    }
}
