//! The single steps of an enrolment and of a challenge, for tests that go wrong on purpose.

use countersign_proto::{
    admin::{FactorSettings, SetFactorSettingsRequest, SetMfaRequirementRequest},
    challenge::{
        Challenge, GetChallengeRequest, ListThrottlesRequest, VerificationOutcome,
        VerifyChallengeResponse,
    },
    common::{MfaRequirement, Throttle},
    enrollment::{
        ConfirmEnrollmentRequest, ConfirmEnrollmentResponse, IssueRecoveryCodesRequest,
        StartEnrollmentRequest, TotpProvisioning, start_enrollment_response::Provisioning,
    },
};
use tonic::Status;

use crate::{Phone, Tenant};

impl Tenant {
    /// Begins the enrolment that `request` asks for; returns what the app needs, and an app that has scanned it.
    pub async fn start(&self, request: StartEnrollmentRequest) -> (TotpProvisioning, Phone) {
        let response = self.platform.enrollment().start_enrollment(request).await;
        let started = response.unwrap().into_inner();
        let Some(Provisioning::Totp(totp)) = started.provisioning else {
            panic!("an enrolment of kind totp comes with what the app needs")
        };
        let phone = Phone::scan(&started.authenticator.unwrap().authenticator_id, &totp.key_uri);
        (totp, phone)
    }

    /// Gives `code` as the proof that `user` holds `phone`.
    ///
    /// # Errors
    /// Returns what the server says.
    pub async fn confirm(
        &self,
        user: &str,
        phone: &Phone,
        code: &str,
    ) -> Result<ConfirmEnrollmentResponse, Status> {
        let request = ConfirmEnrollmentRequest {
            user_id: user.to_owned(),
            authenticator_id: phone.authenticator_id.clone(),
            code: code.to_owned(),
            ..Default::default()
        };
        let response = self.platform.enrollment().confirm_enrollment(request).await;
        response.map(tonic::Response::into_inner)
    }

    /// Issues recovery codes to `user`.
    pub async fn issue_codes(&self, user: &str) -> Vec<String> {
        let request = IssueRecoveryCodesRequest { user_id: user.to_owned(), ..Default::default() };
        let response = self.platform.enrollment().issue_recovery_codes(request).await;
        response.unwrap().into_inner().codes
    }

    /// Returns `challenge` as it now stands.
    ///
    /// # Errors
    /// Returns what the server says.
    pub async fn look(&self, user: &str, challenge: &Challenge) -> Result<Challenge, Status> {
        let request = GetChallengeRequest {
            user_id: user.to_owned(),
            challenge_id: challenge.challenge_id.clone(),
        };
        let response = self.platform.challenge().get_challenge(request).await?;
        Ok(response.into_inner().challenge.unwrap())
    }

    /// Answers `challenge` with a code that must be right.
    pub async fn verified(
        &self,
        user: &str,
        challenge: &Challenge,
        code: &str,
    ) -> VerifyChallengeResponse {
        let response = self.verify(user, challenge, code).await.unwrap();
        assert_eq!(response.outcome(), VerificationOutcome::Verified);
        response
    }

    /// Answers `challenge` with a code that must be refused, and returns the attempts left.
    pub async fn refused(&self, user: &str, challenge: &Challenge, code: &str) -> u32 {
        let response = self.verify(user, challenge, code).await.unwrap();
        assert_eq!(response.outcome(), VerificationOutcome::Refused);
        assert_eq!((&response.proof, response.assertion.as_str()), (&None, ""));
        response.attempts_left
    }

    /// Sets how a kind of factor behaves.
    pub async fn set_factor(&self, settings: FactorSettings) {
        let request = SetFactorSettingsRequest { settings: Some(settings), ..Default::default() };
        self.admin.admin().set_factor_settings(request).await.unwrap();
    }

    /// Sets when the tenant, or one application, asks for a second factor.
    pub async fn require(&self, application_id: &str, requirement: MfaRequirement) {
        let request = SetMfaRequirementRequest {
            application_id: application_id.to_owned(),
            mfa_requirement: requirement.into(),
            ..Default::default()
        };
        self.admin.admin().set_mfa_requirement(request).await.unwrap();
    }

    /// Returns the authenticators of `user` that take no attempts.
    pub async fn throttles(&self, user: &str) -> Vec<Throttle> {
        let request = ListThrottlesRequest { user_id: user.to_owned() };
        let response = self.platform.challenge().list_throttles(request).await;
        response.unwrap().into_inner().throttles
    }
}
