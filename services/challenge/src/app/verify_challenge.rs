//! Judging one answer. The order matters: who may answer is settled before the answer is looked at, so that a right
//! one and a wrong one fare the same behind a closed door.

use countersign_core::{Aal, AuthenticatorId, ChallengeId, SecretString, Timestamp};
use countersign_domain::{
    tenant,
    usable::judged_at,
    user_authenticators::{Authenticator, State as Authenticators, Status},
    user_challenges::{
        Answer, AttemptFailed, Challenge, ChallengeVerified, Command, Event, Judgement, Rejection,
        State as Challenges,
    },
};
use countersign_eventsourcing::{Folded, Request};
use countersign_factors::{Consumes, Factor, Verdict, factor};
use countersign_service::{
    ApiError, Foundation, Reason, User, open_record, seals, user_not_erased,
};
use futures_util::{TryFutureExt as _, future::try_join3};

use crate::{api::status::rejected, app::source::source_of};

/// At how many recovery codes left the user is warned, unless the tenant says otherwise.
const LOW_CODES: u32 = 3;

/// One answer.
pub(crate) struct Attempt<'a> {
    pub(crate) challenge_id: ChallengeId,
    /// The authenticator that answers; found by the form of the code if absent.
    pub(crate) authenticator_id: Option<AuthenticatorId>,
    pub(crate) code: &'a str,
    /// The network that it comes from; where the challenge was created from if absent.
    pub(crate) network: Option<String>,
}

/// How it ended.
pub(crate) enum Verification {
    /// The answer was right.
    Verified { verified: ChallengeVerified, application_id: Box<str> },
    /// The answer was not accepted.
    Refused(AttemptFailed),
}

/// Judges one answer; a repeated request is told what the first was told, and costs nothing.
pub(crate) async fn verify_challenge(
    foundation: &Foundation,
    user: &User,
    request: &Request,
    attempt: Attempt<'_>,
) -> Result<Verification, ApiError> {
    let stream = user.challenges();
    let failed =
        |error| ApiError::from_execute(error, |rejection| rejected(rejection, foundation.now()));
    // At once: a log at the other end of a wire is asked for all of it together.
    let authenticators = user.authenticators();
    let (settings, challenges, authenticators) = try_join3(
        foundation.existing_tenant(&user.tenant),
        foundation.challenges.load(&stream).map_err(ApiError::from),
        foundation.authenticators.load(&authenticators).map_err(ApiError::from),
    )
    .await?;
    // Before a repeat is answered too: nothing is stated any more of somebody who was erased.
    user_not_erased(&authenticators.state)?;
    let recalled = foundation.challenges.recall(&stream, &challenges, request).await;
    let executed = match recalled.map_err(failed)? {
        Some(executed) => executed,
        None => {
            let judge = Judge {
                foundation,
                user,
                settings: &settings.state,
                authenticators: &authenticators.state,
            };
            let answer = judge.judge(&challenges, &attempt).await?;
            let seen = challenges.next_revision;
            // Let go of, so that the executor need not copy the fold to go on with it.
            drop(challenges);
            let command = Command::Answer(answer);
            foundation
                .challenges
                .execute_seen(&stream, request, command, seen)
                .await
                .map_err(failed)?
        }
    };
    for event in executed.events {
        if let Event::ChallengeVerified(verified) = event {
            // A repeat so late that the challenge is forgotten must not become a statement without an audience.
            let challenge = executed.folded.state.find(attempt.challenge_id);
            let challenge = challenge.ok_or_else(|| ApiError::new(Reason::ChallengeNotFound))?;
            let application_id = challenge.application_id.clone();
            return Ok(Verification::Verified { verified, application_id });
        }
        if let Event::AttemptFailed(failed) = event {
            return Ok(Verification::Refused(failed));
        }
    }
    Err(ApiError::new(Reason::Internal))
}

/// Finds out what the factor says about an answer.
struct Judge<'a> {
    foundation: &'a Foundation,
    user: &'a User,
    settings: &'a tenant::State,
    authenticators: &'a Authenticators,
}

impl Judge<'_> {
    async fn judge(
        &self,
        challenges: &Folded<Challenges>,
        attempt: &Attempt<'_>,
    ) -> Result<Answer, ApiError> {
        let challenge = challenges.state.find(attempt.challenge_id);
        let challenge = challenge.ok_or_else(|| self.rejected(Rejection::NotFound))?;
        let id = attempt.authenticator_id.or_else(|| by_form(challenge, attempt.code));
        let id = id.ok_or_else(|| self.rejected(Rejection::NotAllowed))?;
        let named = source_of(self.foundation, self.user, attempt.network.as_deref()).await?;
        let source = named.or(challenge.source);
        let now = self.foundation.now();
        challenges
            .state
            .admit(attempt.challenge_id, id, source, now)
            .map_err(|rejection| self.rejected(rejection))?;
        // Removed or set aside since the challenge was opened: no longer allowed to answer it.
        let authenticator = self.authenticators.find(id).filter(|a| a.is_active());
        let authenticator = authenticator.ok_or_else(|| self.rejected(Rejection::NotAllowed))?;
        let own = self.settings.factor_settings(&authenticator.kind);
        if own.disabled {
            return Err(self.rejected(Rejection::NotAllowed));
        }
        let factor = factor(&authenticator.kind);
        let factor = factor.ok_or_else(|| ApiError::new(Reason::DataDamaged))?;
        let judged_at = judged_at(authenticator, &challenges.state, now);
        let verdict = self.verdict(factor, authenticator, attempt.code, judged_at).await?;
        let traits = factor.traits();
        let spent_at_enrollment = match authenticator.status {
            Status::Active { consumed_factor, .. } => consumed_factor,
            Status::Pending { .. } | Status::Suspended { .. } | Status::Removed { .. } => None,
        };
        Ok(Answer {
            challenge_id: attempt.challenge_id,
            authenticator_id: id,
            kind: authenticator.kind.clone(),
            judgement: match verdict {
                Verdict::Wrong => Judgement::Wrong,
                Verdict::Right(Consumes::Nothing) => Judgement::Right,
                Verdict::Right(Consumes::MovingFactor(factors)) => {
                    Judgement::MovingFactors(factors)
                }
                Verdict::Right(Consumes::Code { .. }) if authenticator.pass.is_some() => {
                    Judgement::Once { generation: authenticator.generation }
                }
                Verdict::Right(Consumes::Code { index }) => Judgement::Code {
                    generation: authenticator.generation,
                    index,
                    count: authenticator.code_count,
                    low: own.recovery_code_low.unwrap_or(LOW_CODES),
                },
            },
            spent_at_enrollment,
            throttle: own.throttle_policy(&authenticator.kind),
            // The platform checked one factor before it asked; with this one there are two.
            acr: traits.aal_ceiling.min(Aal::Aal2).acr().into(),
            amr: traits.amr.iter().map(|amr| amr.as_str().to_owned()).collect(),
            source,
            now,
        })
    }

    fn rejected(&self, rejection: Rejection) -> ApiError {
        rejected(rejection, self.foundation.now())
    }

    /// Asks the factor. Memory-hard hashes take their time, so they do not run on a thread that serves others.
    async fn verdict(
        &self,
        factor: &'static dyn Factor,
        authenticator: &Authenticator,
        code: &str,
        now: Timestamp,
    ) -> Result<Verdict, ApiError> {
        let record = open_record(self.foundation, self.user, authenticator).await?;
        let record = record.ok_or_else(|| self.rejected(Rejection::NotAllowed))?;
        let settings = seals::factor_settings(self.settings, &authenticator.kind);
        let verdict = if factor.is_slow() {
            let code = SecretString::new(code.to_owned());
            let verify = move || factor.verify(&record, &settings, code.expose(), now);
            tokio::task::spawn_blocking(verify).await.map_err(ApiError::internal)?
        } else {
            factor.verify(&record, &settings, code, now)
        };
        verdict.map_err(ApiError::internal)
    }
}

/// Finds the authenticator whose kind has codes of this form; the preferred one if several do, or none.
fn by_form(challenge: &Challenge, code: &str) -> Option<AuthenticatorId> {
    let recognises = |kind: &str| factor(kind).is_some_and(|factor| factor.recognises(code));
    let by_form = challenge.allowed.iter().find(|allowed| recognises(&allowed.kind));
    by_form.or(challenge.allowed.first()).map(|allowed| allowed.authenticator_id)
}
