//! Erasing users of whom nothing was heard for longer than their tenant keeps them.

use std::time::Duration;

use countersign_core::{Chain, TenantId, Timestamp};
use countersign_eventsourcing::{Metadata, Request};
use countersign_service::{ApiError, Foundation, Reason, User};
use uuid::Uuid;

use super::{Activity, activity::last_heard_of, erase_user};

/// Names the commands by which users are erased (RFC 9562 section 5.5); never changes, or repeats would not be found.
const RETENTION: Uuid = Uuid::from_u128(0x51c8_0f7d_6e29_4b13_a7f4_9d02_38be_c665);

/// Why they are erased, for the audit.
const REASON: &str = "retention";

/// Who asks for it.
const REQUESTER: &str = "service:enrollment";

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Erases the users of `tenants` who have been silent for longer than each tenant says, and returns how many they were.
/// Any number of replicas may do so at once.
pub(crate) async fn erase_inactive(
    foundation: &Foundation,
    activity: &mut Activity,
    tenants: Vec<TenantId>,
) -> Result<u64, ApiError> {
    let mut limited = Vec::new();
    for tenant in tenants {
        let settings = foundation.tenant(&tenant).await?;
        if let Some(days) = settings.state.retention().inactive_user_days {
            limited.push((tenant, DAY * days.get()));
        }
    }
    if limited.is_empty() {
        *activity = Activity::default();
        return Ok(0);
    }
    activity.catch_up(&*foundation.log).await?;
    let mut erased = 0;
    for (tenant, keep) in limited {
        let now = foundation.now();
        let is_long = |last| now.since(last) > keep;
        for user in activity.silent(&tenant, is_long) {
            match erase_if_silent(foundation, &user, now, is_long).await {
                Ok(true) => {
                    activity.forget(&user);
                    erased += 1;
                }
                Ok(false) => {}
                // One user whose streams cannot be read must not keep the others.
                Err(error) if error.reason == Reason::DataDamaged => {
                    let source = error.source.as_deref().map(|e| Chain(e).to_string());
                    tracing::error!(
                        stream = %user.authenticators(),
                        error = source.unwrap_or(error.message),
                        "a user cannot be judged by the tenant's retention"
                    );
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(erased)
}

/// Erases a user unless their own streams tell of something newer than is known.
async fn erase_if_silent(
    foundation: &Foundation,
    user: &User,
    now: Timestamp,
    is_long: impl Fn(Timestamp) -> bool,
) -> Result<bool, ApiError> {
    if !last_heard_of(&*foundation.log, user).await?.is_some_and(is_long) {
        return Ok(false);
    }
    erase_user(foundation, user, &request(user, now), REASON.to_owned()).await?;
    Ok(true)
}

/// Makes the request: the same from every replica on one day, so that it is carried out once.
fn request(user: &User, now: Timestamp) -> Request {
    let day = now.unix_seconds().div_euclid(24 * 3_600);
    let name = format!("{}\0{day}", user.authenticators());
    let command_id = Uuid::new_v5(&RETENTION, name.as_bytes());
    Request {
        command_id,
        metadata: Metadata {
            recorded_at: now,
            correlation_id: command_id,
            causation_id: command_id,
            requester: REQUESTER.into(),
            traceparent: "".into(),
            request_digest: 0,
        },
    }
}
