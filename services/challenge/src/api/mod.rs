//! ChallengeService on the wire: one RPC a file.

mod assertion_keys;
mod cancel_challenge;
mod convert;
mod create_challenge;
mod evenly;
mod read;
mod source;
pub(crate) mod status;
mod throttles;
mod verify_challenge;
mod watch_challenge;

use std::sync::Arc;

use countersign_core::ChallengeId;
use countersign_proto::challenge as wire;
use countersign_service::{ApiError, Foundation, Scope, User, caller::Touch, fields};
use futures_util::stream::BoxStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::app::AssertionSigner;

/// ChallengeService over a foundation.
#[derive(Debug)]
pub struct ChallengeApi {
    foundation: Arc<Foundation>,
    signer: Arc<dyn AssertionSigner>,
    stopping: CancellationToken,
}

impl ChallengeApi {
    pub(crate) const fn new(
        foundation: Arc<Foundation>,
        signer: Arc<dyn AssertionSigner>,
        stopping: CancellationToken,
    ) -> Self {
        Self { foundation, signer, stopping }
    }

    /// Names the user that a request is about, in the caller's tenant.
    async fn user(&self, scope: &Scope, user_id: &str, touch: Touch) -> Result<User, ApiError> {
        scope.user(&self.foundation, &fields::user_id(user_id)?, touch).await
    }
}

/// Reads a challenge's id.
fn challenge_id(text: &str) -> Result<ChallengeId, ApiError> {
    fields::field("challenge_id", ChallengeId::parse(text))
}

countersign_service::rpcs! {
    ChallengeApi as wire::challenge_service_server::ChallengeService [
        type WatchChallengeStream = BoxStream<'static, Result<wire::WatchChallengeResponse, Status>>;
    ] {
        create_challenge(wire::CreateChallengeRequest) -> wire::CreateChallengeResponse
            = "CreateChallenge" by handle_create;
        verify_challenge(wire::VerifyChallengeRequest) -> wire::VerifyChallengeResponse
            = "VerifyChallenge" by handle_verify;
        cancel_challenge(wire::CancelChallengeRequest) -> wire::CancelChallengeResponse
            = "CancelChallenge" by handle_cancel;
        get_challenge(wire::GetChallengeRequest) -> wire::GetChallengeResponse
            = "GetChallenge" by handle_get;
        list_throttles(wire::ListThrottlesRequest) -> wire::ListThrottlesResponse
            = "ListThrottles" by handle_list_throttles;
        release_throttle(wire::ReleaseThrottleRequest) -> wire::ReleaseThrottleResponse
            = "ReleaseThrottle" by handle_release_throttle;
        get_assertion_keys(wire::GetAssertionKeysRequest) -> wire::GetAssertionKeysResponse
            = "GetAssertionKeys" by handle_keys;
        watch_challenge(wire::WatchChallengeRequest) -> Self::WatchChallengeStream
            = "WatchChallenge" by handle_watch;
    }
}
