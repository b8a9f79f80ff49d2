//! How a user stood at a time.

use countersign_core::Timestamp;
use countersign_domain::{
    policy::MfaRequirement,
    tenant::Tenant,
    user_authenticators::{self, UserAuthenticators},
    user_challenges::{self, UserChallenges},
    user_sign_ins::UserSignIns,
};
use countersign_service::{ApiError, Foundation, User, tenant_stream};

use super::fold::fold_until;

/// How a user stood.
#[derive(Debug)]
pub(crate) struct StateAsOf {
    /// When.
    pub(crate) as_of: Timestamp,
    /// The user's authenticators.
    pub(crate) authenticators: user_authenticators::State,
    /// The user's challenges, and what was held against each authenticator.
    pub(crate) challenges: user_challenges::State,
    /// What the tenant asked of every sign-in; `None` before it was created.
    pub(crate) requirement: Option<MfaRequirement>,
    /// How many events of the user's streams were folded.
    pub(crate) events_folded: u64,
}

/// Folds the streams of `user` and of the tenant up to and including `as_of`; up to now if that is absent or yet to
/// come. A user of whom nothing is known has an empty state, as before the first enrolment.
pub(crate) async fn state_as_of(
    foundation: &Foundation,
    user: &User,
    as_of: Option<Timestamp>,
) -> Result<StateAsOf, ApiError> {
    let now = foundation.now();
    let as_of = as_of.map_or(now, |as_of| as_of.min(now));
    let log = &*foundation.log;
    let tenant = fold_until::<Tenant>(log, &tenant_stream(&user.tenant), as_of).await?.state;
    // A tenant that came later is no error, but nothing was in force before it: least of all its default.
    if !tenant.exists() {
        foundation.existing_tenant(&user.tenant).await?;
    }
    let authenticators =
        fold_until::<UserAuthenticators>(log, &user.authenticators(), as_of).await?;
    let challenges = fold_until::<UserChallenges>(log, &user.challenges(), as_of).await?;
    // Nothing of it is shown; it is counted for whoever checks against a replay of the user.
    let sign_ins = fold_until::<UserSignIns>(log, &user.sign_ins(), as_of).await?;
    Ok(StateAsOf {
        as_of,
        authenticators: authenticators.state,
        challenges: challenges.state,
        requirement: tenant.exists().then(|| tenant.requirement()),
        events_folded: authenticators.events + challenges.events + sign_ins.events,
    })
}
