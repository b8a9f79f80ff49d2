//! ChallengeService on the wire: one RPC a file.

mod assertion_keys;
mod cancel_challenge;
mod convert;
mod create_challenge;
mod read;
pub(crate) mod status;
mod throttles;
mod verify_challenge;
mod watch_challenge;

use std::sync::Arc;

use countersign_core::ChallengeId;
use countersign_proto::challenge as wire;
use countersign_service::{ApiError, Foundation, Scope, User, fields, to_status};
use futures_util::stream::BoxStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

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
    fn user(&self, scope: &Scope, user_id: &str) -> Result<User, ApiError> {
        Ok(self.foundation.user(scope.tenant()?, &fields::user_id(user_id)?))
    }
}

/// Reads a challenge's id.
fn challenge_id(text: &str) -> Result<ChallengeId, ApiError> {
    fields::field("challenge_id", ChallengeId::parse(text))
}

/// Implements the generated trait by the method of the same name that each RPC's file adds.
macro_rules! rpcs {
    ($($rpc:ident($request:ident) -> $response:ident = $method:literal by $handler:ident;)+) => {
        #[tonic::async_trait]
        impl wire::challenge_service_server::ChallengeService for ChallengeApi {
            type WatchChallengeStream = BoxStream<'static, Result<wire::WatchChallengeResponse, Status>>;

            async fn watch_challenge(
                &self,
                request: Request<wire::WatchChallengeRequest>,
            ) -> Result<Response<Self::WatchChallengeStream>, Status> {
                let answer = async {
                    let scope = Scope::of(&request, "WatchChallenge", &self.foundation)?;
                    self.handle_watch(&scope, request.into_inner()).await
                };
                answer.await.map(Response::new).map_err(|error: ApiError| to_status(&error))
            }

            $(async fn $rpc(
                &self,
                request: Request<wire::$request>,
            ) -> Result<Response<wire::$response>, Status> {
                let answer = async {
                    let scope = Scope::of(&request, $method, &self.foundation)?;
                    self.$handler(&scope, request.into_inner()).await
                };
                answer.await.map(Response::new).map_err(|error: ApiError| to_status(&error))
            })+
        }
    };
}

rpcs! {
    create_challenge(CreateChallengeRequest) -> CreateChallengeResponse = "CreateChallenge" by handle_create;
    verify_challenge(VerifyChallengeRequest) -> VerifyChallengeResponse = "VerifyChallenge" by handle_verify;
    cancel_challenge(CancelChallengeRequest) -> CancelChallengeResponse = "CancelChallenge" by handle_cancel;
    get_challenge(GetChallengeRequest) -> GetChallengeResponse = "GetChallenge" by handle_get;
    list_throttles(ListThrottlesRequest) -> ListThrottlesResponse = "ListThrottles" by handle_list_throttles;
    release_throttle(ReleaseThrottleRequest) -> ReleaseThrottleResponse = "ReleaseThrottle" by handle_release_throttle;
    get_assertion_keys(GetAssertionKeysRequest) -> GetAssertionKeysResponse = "GetAssertionKeys" by handle_keys;
}
