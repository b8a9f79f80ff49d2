//! EnrollmentService on the wire: one RPC a file.

mod confirm_enrollment;
mod convert;
mod erase_user;
mod issue_recovery_codes;
mod issue_temporary_access_pass;
mod life;
mod placing;
mod read;
mod self_service;
mod start_enrollment;
pub(crate) mod status;

use std::sync::Arc;

use countersign_core::AuthenticatorId;
use countersign_proto::{common, enrollment as wire};
use countersign_service::{ApiError, Foundation, Scope, User, caller::Touch, fields, present};

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
    async fn user(&self, scope: &Scope, user_id: &str, touch: Touch) -> Result<User, ApiError> {
        scope.user(&self.foundation, &fields::user_id(user_id)?, touch).await
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
        let challenges = &challenges.state;
        let at = self.foundation.now();
        present::authenticator(&self.foundation, user, state, challenges, authenticator, at)
            .await
            .map(Some)
    }
}

/// Reads an authenticator's id.
fn authenticator_id(text: &str) -> Result<AuthenticatorId, ApiError> {
    fields::field("authenticator_id", AuthenticatorId::parse(text))
}

countersign_service::rpcs! {
    EnrollmentApi as wire::enrollment_service_server::EnrollmentService {
        start_enrollment(wire::StartEnrollmentRequest) -> wire::StartEnrollmentResponse
            = "StartEnrollment" by handle_start;
        confirm_enrollment(wire::ConfirmEnrollmentRequest) -> wire::ConfirmEnrollmentResponse
            = "ConfirmEnrollment" by handle_confirm;
        get_authenticator(wire::GetAuthenticatorRequest) -> wire::GetAuthenticatorResponse
            = "GetAuthenticator" by handle_get;
        list_authenticators(wire::ListAuthenticatorsRequest) -> wire::ListAuthenticatorsResponse
            = "ListAuthenticators" by handle_list;
        rename_authenticator(wire::RenameAuthenticatorRequest) -> wire::RenameAuthenticatorResponse
            = "RenameAuthenticator" by handle_rename;
        set_default_authenticator(wire::SetDefaultAuthenticatorRequest) -> wire::SetDefaultAuthenticatorResponse
            = "SetDefaultAuthenticator" by handle_set_default;
        suspend_authenticator(wire::SuspendAuthenticatorRequest) -> wire::SuspendAuthenticatorResponse
            = "SuspendAuthenticator" by handle_suspend;
        reinstate_authenticator(wire::ReinstateAuthenticatorRequest) -> wire::ReinstateAuthenticatorResponse
            = "ReinstateAuthenticator" by handle_reinstate;
        remove_authenticator(wire::RemoveAuthenticatorRequest) -> wire::RemoveAuthenticatorResponse
            = "RemoveAuthenticator" by handle_remove;
        issue_recovery_codes(wire::IssueRecoveryCodesRequest) -> wire::IssueRecoveryCodesResponse
            = "IssueRecoveryCodes" by handle_issue_codes;
        issue_temporary_access_pass(wire::IssueTemporaryAccessPassRequest) -> wire::IssueTemporaryAccessPassResponse
            = "IssueTemporaryAccessPass" by handle_issue_pass;
        place_user(wire::PlaceUserRequest) -> wire::PlaceUserResponse
            = "PlaceUser" by handle_place_user;
        get_user(wire::GetUserRequest) -> wire::GetUserResponse
            = "GetUser" by handle_get_user;
        create_self_service_token(wire::CreateSelfServiceTokenRequest) -> wire::CreateSelfServiceTokenResponse
            = "CreateSelfServiceToken" by handle_self_service_token;
        erase_user(wire::EraseUserRequest) -> wire::EraseUserResponse
            = "EraseUser" by handle_erase_user;
    }
}
