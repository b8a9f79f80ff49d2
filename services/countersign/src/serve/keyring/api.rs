//! KeyService: the installation's own keys, of this process.

use std::{fmt, sync::Arc, time::Duration};

use countersign_core::FieldProblem;
use countersign_domain::keyring::{Command, Event, State};
use countersign_eventsourcing::Request;
use countersign_keys::AssertionAlgorithm;
use countersign_proto::keys::{
    self as wire,
    key_service_server::{KeyService, KeyServiceServer},
};
use countersign_service::{
    ApiError, Foundation, Scope,
    fields::{positive_duration, text},
    keyring_stream,
};
use prost::Message;

use super::{
    Chronicle, Keyring, KeyringError,
    chronicle::{Asked, Done},
    refusal::rejected,
    shown::secret_rotation,
};

/// Greatest size of a request in bytes.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Longest time for which a key may be published before it signs.
const LONGEST_OVERLAP: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// KeyService of one process.
pub(in crate::serve) struct KeyApi {
    pub(in crate::serve) foundation: Arc<Foundation>,
    pub(in crate::serve) keyring: Keyring,
    pub(in crate::serve) chronicle: Arc<Chronicle>,
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

    /// Makes the request of what is asked for, and notes in the server's log who asks for what, before anything is done.
    fn request(
        &self,
        scope: &Scope,
        request_id: &str,
        content: &impl Message,
    ) -> Result<Request, ApiError> {
        let request = scope.command(&self.foundation, &keyring_stream(), request_id, content)?;
        let (method, requester) = (scope.method, &*scope.caller.requester);
        tracing::info!(method, requester, request_id, "keys are being administered");
        Ok(request)
    }

    /// Makes what is asked for of keys that are changed here.
    ///
    /// # Errors
    /// Says what is wrong with `request_id`, or that these keys are not rotated here.
    fn asked(
        &self,
        scope: &Scope,
        request_id: &str,
        content: &impl Message,
    ) -> Result<Asked, ApiError> {
        let request = self.request(scope, request_id, content)?;
        if self.keyring.is_shared() {
            return Err(KeyringError::Shared.into());
        }
        let is_guarded = !request_id.is_empty();
        Ok(Asked { request, method: scope.method, is_guarded, rewraps_ring: false })
    }

    /// Returns the keys as they are, with what the log tells of them.
    async fn shown(&self) -> Result<Option<wire::Keyring>, ApiError> {
        let told = self.foundation.keyrings.load(&keyring_stream()).await?;
        Ok(Some(self.shown_with(&told.state)))
    }

    fn shown_with(&self, told: &State) -> wire::Keyring {
        let secret_rotation = told.secret_rotation().map(secret_rotation);
        wire::Keyring { secret_rotation, ..self.keyring.shown() }
    }

    async fn handle_get(
        &self,
        _: &Scope,
        _: wire::GetKeyringRequest,
    ) -> Result<wire::GetKeyringResponse, ApiError> {
        Ok(wire::GetKeyringResponse { keyring: self.shown().await? })
    }

    async fn handle_begin(
        &self,
        scope: &Scope,
        message: wire::BeginKeyRotationRequest,
    ) -> Result<wire::BeginKeyRotationResponse, ApiError> {
        let mut asked = self.asked(scope, &message.request_id, &message)?;
        let newest = Some(message.newest_version).filter(|version| *version != 0);
        asked.is_guarded |= newest.is_some();
        let begin = async { Ok(self.keyring.begin(newest).await?) };
        self.chronicle.carry_out(asked, begin).await?;
        Ok(wire::BeginKeyRotationResponse { keyring: self.shown().await? })
    }

    async fn handle_retire(
        &self,
        scope: &Scope,
        message: wire::RetireKeyVersionsRequest,
    ) -> Result<wire::RetireKeyVersionsResponse, ApiError> {
        let asked = self.asked(scope, &message.request_id, &message)?;
        let retire = async { Ok(self.keyring.retire().await.map_err(KeyringError::from)?) };
        let retired = match self.chronicle.carry_out(asked, retire).await? {
            Done::Now(retired) => retired,
            Done::Before(events) => events.into_iter().flat_map(retired).collect(),
        };
        Ok(wire::RetireKeyVersionsResponse { keyring: self.shown().await?, retired })
    }

    async fn handle_rewrap(
        &self,
        scope: &Scope,
        message: wire::RewrapKeyringRequest,
    ) -> Result<wire::RewrapKeyringResponse, ApiError> {
        let asked = self.asked(scope, &message.request_id, &message)?;
        let asked = Asked { rewraps_ring: true, ..asked };
        let rewrap = async { Ok(self.keyring.rewrap().await.map_err(KeyringError::from)?) };
        self.chronicle.carry_out(asked, rewrap).await?;
        Ok(wire::RewrapKeyringResponse { keyring: self.shown().await? })
    }

    async fn handle_rotate_assertion_key(
        &self,
        scope: &Scope,
        message: wire::RotateAssertionKeyRequest,
    ) -> Result<wire::RotateAssertionKeyResponse, ApiError> {
        let algorithm = algorithm(message.algorithm())?;
        let overlap = overlap(message.overlap)?;
        let newest = text("newest_kid", &message.newest_kid, LONGEST_KID)?;
        let mut asked = self.asked(scope, &message.request_id, &message)?;
        let newest = Some(newest.as_str()).filter(|kid| !kid.is_empty());
        asked.is_guarded |= newest.is_some();
        let rotate =
            async { Ok(self.keyring.rotate_assertion_key(newest, algorithm, overlap).await?) };
        self.chronicle.carry_out(asked, rotate).await?;
        Ok(wire::RotateAssertionKeyResponse { keyring: self.shown().await? })
    }

    async fn handle_begin_secret_rotation(
        &self,
        scope: &Scope,
        message: wire::BeginSecretRotationRequest,
    ) -> Result<wire::BeginSecretRotationResponse, ApiError> {
        let request = self.request(scope, &message.request_id, &message)?;
        let command = Command::BeginSecretRotation { now: self.foundation.now() };
        let begun = self.foundation.keyrings.execute(&keyring_stream(), &request, command).await;
        let begun = begun.map_err(|error| ApiError::from_execute(error, rejected))?;
        let keyring = Some(self.shown_with(&begun.folded.state));
        Ok(wire::BeginSecretRotationResponse { keyring })
    }
}

/// Returns the versions that an event takes out of the ring.
fn retired(event: Event) -> Vec<u32> {
    if let Event::KeyVersionsRetired(retired) = event { retired.versions } else { Vec::new() }
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
        begin_secret_rotation(wire::BeginSecretRotationRequest) -> wire::BeginSecretRotationResponse
            = "BeginSecretRotation" by handle_begin_secret_rotation;
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
