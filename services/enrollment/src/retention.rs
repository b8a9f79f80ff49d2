//! Keeping to what tenants say of how long users stay: a look every hour.

use std::{sync::Arc, time::Duration};

use countersign_core::{Chain, Timestamp};
use countersign_service::{ApiError, Foundation};

use crate::{
    TenantDirectory,
    app::{Activity, erase_inactive},
};

/// How long after one look comes the next, by the clock of the installation.
const EVERY: Duration = Duration::from_secs(3_600);

/// How often the clock is looked at.
const GLANCE: Duration = Duration::from_secs(1);

/// Erases users who have been silent for longer than their tenant says, for ever. What a failure or a stop leaves undone is
/// done at the next look.
pub(crate) async fn keep_to_retention(
    foundation: Arc<Foundation>,
    directory: Arc<TenantDirectory>,
) {
    let mut activity = Activity::default();
    let mut looked_at = None;
    loop {
        let now = foundation.now();
        if is_due(looked_at, now) {
            looked_at = Some(now);
            let tenants = directory.tenants().await;
            match erase_inactive(&foundation, &mut activity, tenants).await {
                Ok(0) => {}
                Ok(erased) => {
                    tracing::info!(erased, "users were erased by their tenants' retention");
                }
                Err(error) => tell(&error),
            }
        }
        tokio::time::sleep(GLANCE).await;
    }
}

/// Says whether it is time for a look. A clock that was set back must not put it off.
fn is_due(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_none_or(|last| now < last || now.since(last) >= EVERY)
}

fn tell(error: &ApiError) {
    let source = error.source.as_deref().map(|source| Chain(source).to_string());
    tracing::warn!(
        reason = error.reason.as_str(),
        error = source.as_deref().unwrap_or(&error.message),
        "tenants' retention could not be kept to; the next look is in an hour"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_due_at_the_start_every_hour_and_when_the_clock_was_set_back() {
        let at = Timestamp::from_unix_seconds;
        assert!(is_due(None, at(0)));
        assert!(!is_due(Some(at(10_000)), at(13_599)));
        assert!(is_due(Some(at(10_000)), at(13_600)));
        assert!(is_due(Some(at(10_000)), at(9_999)));
    }
}
