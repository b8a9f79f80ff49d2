//! EnrollmentService on the wire: one RPC a file.

mod confirm_enrollment;
mod convert;
mod issue_recovery_codes;
mod life;
mod read;
mod start_enrollment;
pub(crate) mod status;

use std::sync::Arc;

use countersign_core::AuthenticatorId;
use countersign_proto::{common, enrollment as wire};
use countersign_service::{ApiError, Foundation, Scope, User, fields, present, to_status};
use tonic::{Request, Response, Status};

use crate::app::{Authenticators, find};

/// EnrollmentService over a foundation.
#[derive(Debug)]
pub struct EnrollmentApi {
    foundation: Arc<Foundation>,
}

impl EnrollmentApi {
    pub(crate) const fn new(foundation: Arc<Foundation>) -> Self {
        Self { foundation }
    }

    /// Names the user that a request is about, in the caller's tenant.
    fn user(&self, scope: &Scope, user_id: &str) -> Result<User, ApiError> {
        Ok(self.foundation.user(scope.tenant()?, &fields::user_id(user_id)?))
    }

    /// Shows one authenticator as it stands after a use case.
    async fn show(
        &self,
        user: &User,
        authenticators: &Authenticators,
        id: AuthenticatorId,
    ) -> Result<Option<common::Authenticator>, ApiError> {
        let challenges = self.foundation.challenges.load(&user.challenges()).await?;
        let authenticator = find(authenticators, id)?;
        let state = &authenticators.state;
        present::authenticator(&self.foundation, user, state, &challenges.state, authenticator)
            .map(Some)
    }
}

/// Reads an authenticator's id.
fn authenticator_id(text: &str) -> Result<AuthenticatorId, ApiError> {
    fields::field("authenticator_id", AuthenticatorId::parse(text))
}

/// Implements the generated trait by the method of the same name that each RPC's file adds.
macro_rules! rpcs {
    ($($rpc:ident($request:ident) -> $response:ident = $method:literal by $handler:ident;)+) => {
        #[tonic::async_trait]
        impl wire::enrollment_service_server::EnrollmentService for EnrollmentApi {
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
    start_enrollment(StartEnrollmentRequest) -> StartEnrollmentResponse = "StartEnrollment" by handle_start;
    confirm_enrollment(ConfirmEnrollmentRequest) -> ConfirmEnrollmentResponse = "ConfirmEnrollment" by handle_confirm;
    get_authenticator(GetAuthenticatorRequest) -> GetAuthenticatorResponse = "GetAuthenticator" by handle_get;
    list_authenticators(ListAuthenticatorsRequest) -> ListAuthenticatorsResponse = "ListAuthenticators" by handle_list;
    rename_authenticator(RenameAuthenticatorRequest) -> RenameAuthenticatorResponse = "RenameAuthenticator" by handle_rename;
    set_default_authenticator(SetDefaultAuthenticatorRequest) -> SetDefaultAuthenticatorResponse = "SetDefaultAuthenticator" by handle_set_default;
    suspend_authenticator(SuspendAuthenticatorRequest) -> SuspendAuthenticatorResponse = "SuspendAuthenticator" by handle_suspend;
    reinstate_authenticator(ReinstateAuthenticatorRequest) -> ReinstateAuthenticatorResponse = "ReinstateAuthenticator" by handle_reinstate;
    remove_authenticator(RemoveAuthenticatorRequest) -> RemoveAuthenticatorResponse = "RemoveAuthenticator" by handle_remove;
    issue_recovery_codes(IssueRecoveryCodesRequest) -> IssueRecoveryCodesResponse = "IssueRecoveryCodes" by handle_issue_codes;
}
