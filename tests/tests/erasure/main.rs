//! Users are erased for good: nobody can read any more what was sealed for them, and the log stays whole.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed test says so by panicking")]

mod backup;
mod command_line;
mod crash;
mod journey;
mod racing;
mod refusing;
mod retention;
mod searching;
mod whole_tenant;

use std::time::Duration;

use countersign_proto::{
    audit::{GetStateAsOfRequest, GetStateAsOfResponse, ReplayEventsRequest},
    common::Authenticator,
    enrollment::{EraseUserRequest, ListAuthenticatorsRequest},
};
use countersign_tests::{Phone, Tenant};
use tonic::Status;

/// How long anything may take: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

/// Erases `user`, and returns when that was, in seconds.
async fn erase(tenant: &Tenant, user: &str) -> i64 {
    try_erase(tenant, user, "", "asked to").await.unwrap()
}

async fn try_erase(
    tenant: &Tenant,
    user: &str,
    request_id: &str,
    reason: &str,
) -> Result<i64, Status> {
    let request = EraseUserRequest {
        request_id: request_id.to_owned(),
        user_id: user.to_owned(),
        reason: reason.to_owned(),
    };
    let erased = tenant.admin.enrollment().erase_user(request).await?.into_inner();
    Ok(erased.erased_at.unwrap().seconds)
}

/// Returns the authenticators of `user`, removed ones too.
async fn authenticators(tenant: &Tenant, user: &str) -> Vec<Authenticator> {
    let request = ListAuthenticatorsRequest {
        user_id: user.to_owned(),
        include_removed: true,
        ..Default::default()
    };
    let listed = tenant.auditor.enrollment().list_authenticators(request).await;
    listed.unwrap().into_inner().authenticators
}

/// Returns how `user` stood at a time; now if it is absent.
async fn state(
    tenant: &Tenant,
    user: &str,
    as_of: Option<prost_types::Timestamp>,
) -> GetStateAsOfResponse {
    let request = GetStateAsOfRequest { user_id: user.to_owned(), as_of };
    tenant.auditor.audit().get_state_as_of(request).await.unwrap().into_inner()
}

/// Makes sure that `user` can prove with `phone`, by the code of the step after the present one.
async fn proves(tenant: &Tenant, user: &str, phone: &Phone) {
    let challenge = tenant.challenge(user).await;
    let soon = countersign_core::Timestamp::from_unix_seconds(tenant.now().unix_seconds() + 30);
    tenant.verified(user, &challenge, &phone.code(soon)).await;
}

/// Asks until `is_so` says yes: what follows the log comes after it.
async fn becomes<T>(mut ask: impl AsyncFnMut() -> T, is_so: impl Fn(&T) -> bool) -> T {
    let asking = async {
        loop {
            let told = ask().await;
            if is_so(&told) {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it comes to that")
}

/// Asks for all events of one type in the tenant.
fn of_type(event_type: &str) -> ReplayEventsRequest {
    ReplayEventsRequest { event_types: vec![event_type.to_owned()], ..Default::default() }
}
