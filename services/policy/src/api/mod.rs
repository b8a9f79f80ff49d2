//! PolicyService on the wire.

mod convert;
mod evaluate_sign_in;

use std::sync::Arc;

use countersign_proto::policy as wire;
use countersign_service::Foundation;

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

countersign_service::rpcs! {
    PolicyApi as wire::policy_service_server::PolicyService {
        evaluate_sign_in(wire::EvaluateSignInRequest) -> wire::EvaluateSignInResponse
            = "EvaluateSignIn" by handle_evaluate;
    }
}
