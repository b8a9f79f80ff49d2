//! Which of a user's authenticators can answer, as far as the tenant lets them.

use countersign_domain::{
    tenant,
    usable::can_answer,
    user_authenticators::{Authenticator, State},
};
use countersign_eventsourcing::ReadError;

use crate::{Foundation, User};

/// Returns those of `user`'s authenticators that can answer a challenge now, the preferred one first.
///
/// # Errors
/// Says that the log cannot be read.
pub async fn usable<'a>(
    foundation: &Foundation,
    user: &User,
    tenant: &tenant::State,
    authenticators: &'a State,
) -> Result<Vec<&'a Authenticator>, ReadError> {
    let mut usable = authenticators.active();
    usable.retain(|one| !tenant.factor_settings(&one.kind).disabled);
    // Only a pass ends by itself; without one there is nothing more to be read.
    if usable.iter().any(|one| one.pass.is_some()) {
        let challenges = foundation.challenges.load(&user.challenges()).await?;
        let now = foundation.now();
        usable.retain(|one| can_answer(one, &challenges.state, now));
    }
    Ok(usable)
}
