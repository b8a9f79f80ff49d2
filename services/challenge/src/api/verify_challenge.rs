//! `VerifyChallenge`.

use countersign_core::AuthenticatorId;
use countersign_domain::user_challenges::ChallengeVerified;
use countersign_proto::challenge as wire;
use countersign_service::{ApiError, Reason, Scope, User, caller::Touch, fields};

use tokio::time::Instant;

use super::{ChallengeApi, challenge_id, convert, evenly::evenly, source::network};
use crate::app::{Attempt, Claims, Verification, verify_challenge};

impl ChallengeApi {
    pub(super) async fn handle_verify(
        &self,
        scope: &Scope,
        message: wire::VerifyChallengeRequest,
    ) -> Result<wire::VerifyChallengeResponse, ApiError> {
        let began = Instant::now();
        evenly(began, &*self.foundation.rng, self.judge(scope, message).await).await
    }

    async fn judge(
        &self,
        scope: &Scope,
        message: wire::VerifyChallengeRequest,
    ) -> Result<wire::VerifyChallengeResponse, ApiError> {
        let user = self.user(scope, &message.user_id, Touch::Change).await?;
        let stream = user.challenges();
        let request = scope.command(&self.foundation, &stream, &message.request_id, &message)?;
        let attempt = Attempt {
            challenge_id: challenge_id(&message.challenge_id)?,
            authenticator_id: fields::optional(
                "authenticator_id",
                &message.authenticator_id,
                AuthenticatorId::parse,
            )?,
            code: fields::code(&message.code)?,
            network: network(message.source.as_ref())?,
        };
        match verify_challenge(&self.foundation, &user, &request, attempt).await? {
            Verification::Verified { verified, application_id } => {
                let assertion = if message.with_assertion {
                    self.assertion(&user, &message.user_id, &application_id, &verified)?
                } else {
                    String::new()
                };
                Ok(wire::VerifyChallengeResponse {
                    outcome: wire::VerificationOutcome::Verified.into(),
                    attempts_left: 0,
                    recovery_codes_remaining: verified.codes_remaining,
                    recovery_codes_low: verified.codes_low,
                    assertion,
                    proof: Some(convert::proof(verified)),
                })
            }
            Verification::Refused(failed) => Ok(wire::VerifyChallengeResponse {
                outcome: wire::VerificationOutcome::Refused.into(),
                attempts_left: failed.attempts_left,
                ..Default::default()
            }),
        }
    }

    /// Signs what was proved. The event is in the log by now, so a repeat is signed the same.
    fn assertion(
        &self,
        user: &User,
        user_id: &str,
        application_id: &str,
        verified: &ChallengeVerified,
    ) -> Result<String, ApiError> {
        let claims = Claims {
            tenant: user.tenant.as_str(),
            user_id,
            application_id,
            challenge_id: verified.challenge_id.to_string(),
            acr: &verified.acr,
            amr: &verified.amr,
            auth_time: verified.verified_at,
        };
        self.signer.sign(&claims).map_err(|error| {
            let source = std::io::Error::other(error);
            ApiError::new(Reason::KeysUnavailable).caused_by(source)
        })
    }
}
