//! Issuing a temporary access pass in place of the previous one.

use std::{collections::BTreeMap, time::Duration};

use countersign_core::{AuthenticatorId, FieldProblem, SecretString, Timestamp, UserId};
use countersign_domain::user_authenticators::{
    self as authenticators, Command, Event, Pass, TEMPORARY_ACCESS_PASS_KIND,
};
use countersign_eventsourcing::Request;
use countersign_service::{ApiError, Foundation, Reason, User};

use super::{Authenticators, draw::draw, execute_sealing, seal_user_id};
use crate::api::status::rejected;

/// The shortest that a pass may last: the user has to be told it, and to find the way to where it is typed.
pub(crate) const SHORTEST: Duration = Duration::from_secs(10 * 60);

/// The longest that one may last unless the tenant says otherwise: a working day.
const LONGEST: Duration = Duration::from_secs(8 * 3_600);

/// How long one lasts of which nobody says it.
const LIFETIME: Duration = Duration::from_secs(3_600);

/// How long ahead one may be issued.
const AHEAD: Duration = Duration::from_secs(30 * 24 * 3_600);

/// What is asked.
pub(crate) struct IssueTemporaryAccessPass {
    pub(crate) user_id: UserId,
    pub(crate) lifetime: Option<Duration>,
    pub(crate) single_use: bool,
    pub(crate) starts_at: Option<Timestamp>,
}

/// What came of it.
pub(crate) struct IssuedPass {
    pub(crate) authenticators: Authenticators,
    pub(crate) authenticator_id: AuthenticatorId,
    pub(crate) code: SecretString,
    pub(crate) pass: Pass,
}

/// Issues a temporary access pass.
pub(crate) async fn issue_temporary_access_pass(
    foundation: &Foundation,
    user: &User,
    request: &Request,
    asked: IssueTemporaryAccessPass,
) -> Result<IssuedPass, ApiError> {
    let settings = foundation.existing_tenant(&user.tenant).await?;
    let stream = user.authenticators();
    let known = foundation.authenticators.load(&stream).await?;
    let failed = |error| ApiError::from_execute(error, rejected);
    // Before anything is looked at that may have changed since.
    let recalled = foundation.authenticators.recall(&stream, &known, request).await;
    if recalled.map_err(failed)?.is_some() {
        return Err(ApiError::new(Reason::PassAlreadyShown));
    }
    // Let go of, so that the executor need not copy the fold to go on with it.
    drop(known);
    let own = settings.state.factor_settings(TEMPORARY_ACCESS_PASS_KIND);
    if own.disabled {
        return Err(ApiError::new(Reason::FactorKindDisabled));
    }
    let now = foundation.now();
    let longest = own.longest_access_pass.unwrap_or(LONGEST);
    let starts_at = start(asked.starts_at, now)?;
    let challenges = foundation.challenges.load(&user.challenges()).await?;
    let pass = Pass {
        starts_at,
        ends_at: starts_at.plus(lifetime(asked.lifetime, longest)?),
        single_use: asked.single_use,
        challenges_until: challenges.state.latest(),
    };
    let drawn = draw(foundation, TEMPORARY_ACCESS_PASS_KIND, parameters(pass)).await?;
    let code = drawn.codes.into_iter().next().ok_or_else(|| ApiError::new(Reason::Internal))?;
    let new_authenticator_id = AuthenticatorId::new(foundation.new_id());
    let user_id = seal_user_id(foundation, user, &asked.user_id).await?;
    let command = |record| {
        Command::IssueTemporaryAccessPass(authenticators::IssueTemporaryAccessPass {
            new_authenticator_id,
            record,
            pass,
            user_id: user_id.clone(),
            now,
        })
    };
    let executed = execute_sealing(foundation, user, request, &drawn.record, command).await?;
    // Repeats that came at once.
    if executed.repeated {
        return Err(ApiError::new(Reason::PassAlreadyShown));
    }
    let authenticator_id = executed.events.iter().find_map(|event| {
        if let Event::TemporaryAccessPassIssued(issued) = event {
            Some(issued.authenticator_id)
        } else {
            None
        }
    });
    Ok(IssuedPass {
        authenticators: executed.folded,
        authenticator_id: authenticator_id.ok_or_else(|| ApiError::new(Reason::Internal))?,
        code,
        pass,
    })
}

/// Returns what a new pass is made by.
fn parameters(pass: Pass) -> BTreeMap<String, String> {
    let parameters = [
        ("starts_at", pass.starts_at.to_string()),
        ("ends_at", pass.ends_at.to_string()),
        ("single_use", pass.single_use.to_string()),
    ];
    parameters.map(|(name, value)| (name.to_owned(), value)).into()
}

fn start(asked: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, ApiError> {
    let Some(starts_at) = asked else { return Ok(now) };
    if (now..=now.plus(AHEAD)).contains(&starts_at) {
        Ok(starts_at)
    } else {
        let problem = FieldProblem::Other("must be in the next 30 days, or absent for at once");
        Err(ApiError::field("starts_at", problem))
    }
}

fn lifetime(asked: Option<Duration>, longest: Duration) -> Result<Duration, ApiError> {
    let lifetime = asked.unwrap_or(LIFETIME.min(longest));
    if (SHORTEST..=longest).contains(&lifetime) {
        Ok(lifetime)
    } else {
        let minutes = longest.as_secs() / 60;
        let message = format!("lifetime: must be 10 to {minutes} minutes, as the tenant allows");
        let problem = FieldProblem::Other("must be as the message says, or absent for the default");
        Err(ApiError::with_message(Reason::FieldInvalid, message).at("lifetime", problem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(minutes * 60)
    }

    #[test]
    fn a_pass_lasts_an_hour_or_as_long_as_is_asked_within_what_the_tenant_allows() {
        assert_eq!(lifetime(None, LONGEST).unwrap(), minutes(60));
        assert_eq!(lifetime(None, minutes(20)).unwrap(), minutes(20));
        for asked in [minutes(10), minutes(11), LONGEST] {
            assert_eq!(lifetime(Some(asked), LONGEST).unwrap(), asked);
        }
        for asked in [Duration::ZERO, minutes(9), LONGEST + minutes(1)] {
            let refused = lifetime(Some(asked), LONGEST).unwrap_err();
            assert_eq!(refused.field.unwrap().field, "lifetime");
            assert!(refused.message.contains("10 to 480 minutes"), "{}", refused.message);
        }
    }

    #[test]
    fn a_pass_starts_at_once_or_in_the_next_thirty_days() {
        let now = Timestamp::from_unix_seconds(1_000);
        let later = now.plus(AHEAD);
        assert_eq!(start(None, now).unwrap(), now);
        assert_eq!(start(Some(now), now).unwrap(), now);
        assert_eq!(start(Some(later), now).unwrap(), later);
        let early = Timestamp::from_unix_seconds(999);
        for asked in [early, later.plus(Duration::from_secs(1))] {
            assert_eq!(start(Some(asked), now).unwrap_err().field.unwrap().field, "starts_at");
        }
    }
}
