//! Opening a challenge.

use std::time::Duration;

use countersign_core::{ApplicationId, AuthenticatorId, ChallengeId, SignInId};
use countersign_domain::{
    tenant,
    user_challenges::{Allowed, Challenge, Command, Event, IssueChallenge},
};
use countersign_eventsourcing::Request;
use countersign_service::{ApiError, Foundation, Reason, User, usable};

use crate::{api::status::rejected, app::source::source_of};

/// How long a challenge awaits an answer.
const PENDING_FOR: Duration = Duration::from_secs(5 * 60);

/// Wrong answers that a challenge takes.
const MAX_ATTEMPTS: u32 = 5;

/// What is asked.
pub(crate) struct CreateChallenge {
    pub(crate) application_id: Option<ApplicationId>,
    pub(crate) authenticator_id: Option<AuthenticatorId>,
    pub(crate) sign_in_id: Option<SignInId>,
    /// The network that answers are said to come from.
    pub(crate) network: Option<String>,
}

/// Opens a challenge that the user's usable authenticators may answer; a repeated request is shown the first one.
pub(crate) async fn create_challenge(
    foundation: &Foundation,
    user: &User,
    request: &Request,
    asked: CreateChallenge,
) -> Result<Challenge, ApiError> {
    let settings = foundation.existing_tenant(&user.tenant).await?;
    let stream = user.challenges();
    let challenges = foundation.challenges.load(&stream).await?;
    let failed =
        |error| ApiError::from_execute(error, |rejection| rejected(rejection, foundation.now()));
    let recalled = foundation.challenges.recall(&stream, &challenges, request).await;
    let executed = match recalled.map_err(failed)? {
        // Before anything is looked at that may have changed since.
        Some(executed) => executed,
        None => {
            let seen = challenges.next_revision;
            // Let go of, so that the executor need not copy the fold to go on with it.
            drop(challenges);
            let command = Command::Issue(issue(foundation, user, &settings.state, asked).await?);
            foundation
                .challenges
                .execute_seen(&stream, request, command, seen)
                .await
                .map_err(failed)?
        }
    };
    let issued = executed.events.iter().find_map(|event| {
        if let Event::ChallengeIssued(issued) = event { Some(issued.challenge_id) } else { None }
    });
    let challenge = issued.and_then(|id| executed.folded.state.find(id));
    // A repeat so late that the challenge is forgotten.
    challenge.cloned().ok_or_else(|| ApiError::new(Reason::ChallengeNotFound))
}

/// Finds out who may answer.
async fn issue(
    foundation: &Foundation,
    user: &User,
    settings: &tenant::State,
    asked: CreateChallenge,
) -> Result<IssueChallenge, ApiError> {
    if let Some(application) = &asked.application_id
        && settings.application(application).is_none()
    {
        return Err(ApiError::new(Reason::ApplicationNotFound));
    }
    let authenticators = foundation.authenticators.load(&user.authenticators()).await?;
    let usable = usable(foundation, user, settings, &authenticators.state).await?;
    let allowed: Vec<_> = usable
        .into_iter()
        .filter(|a| asked.authenticator_id.is_none_or(|id| id == a.id))
        .map(|a| Allowed { authenticator_id: a.id, kind: a.kind.clone() })
        .collect();
    if allowed.is_empty() {
        let exists = asked.authenticator_id.and_then(|id| authenticators.state.find(id));
        return Err(ApiError::new(match (asked.authenticator_id, exists) {
            (Some(_), None) => Reason::AuthenticatorNotFound,
            (Some(_), Some(_)) | (None, _) => Reason::NoUsableAuthenticator,
        }));
    }
    let source = source_of(foundation, user, asked.network.as_deref()).await?;
    let now = foundation.now();
    Ok(IssueChallenge {
        challenge_id: ChallengeId::new(foundation.new_id()),
        application_id: asked.application_id.as_ref().map_or("", |id| id.as_str()).into(),
        allowed,
        sign_in_id: asked.sign_in_id.map(|id| id.to_string()).unwrap_or_default().into(),
        max_attempts: MAX_ATTEMPTS,
        now,
        expires_at: now.plus(PENDING_FOR),
        source,
    })
}
