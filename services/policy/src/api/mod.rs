//! PolicyService on the wire.

mod convert;
mod evaluate_sign_in;

use std::sync::Arc;

use countersign_proto::policy as wire;
use countersign_service::{ApiError, Foundation, Scope, to_status};
use tonic::{Request, Response, Status};

/// PolicyService over a foundation.
#[derive(Debug)]
pub struct PolicyApi {
    foundation: Arc<Foundation>,
}

impl PolicyApi {
    pub(crate) const fn new(foundation: Arc<Foundation>) -> Self {
        Self { foundation }
    }
}

#[tonic::async_trait]
impl wire::policy_service_server::PolicyService for PolicyApi {
    async fn evaluate_sign_in(
        &self,
        request: Request<wire::EvaluateSignInRequest>,
    ) -> Result<Response<wire::EvaluateSignInResponse>, Status> {
        let answer = async {
            let scope = Scope::of(&request, "EvaluateSignIn", &self.foundation)?;
            self.handle_evaluate(&scope, request.into_inner()).await
        };
        answer.await.map(Response::new).map_err(|error: ApiError| to_status(&error))
    }
}
