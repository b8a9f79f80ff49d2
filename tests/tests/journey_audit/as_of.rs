//! How a user stood at any time.

use std::time::Duration;

use countersign_core::Timestamp;
use countersign_proto::{
    audit::{GetStateAsOfRequest, GetStateAsOfResponse},
    common::{AuthenticatorStatus, MfaRequirement},
    enrollment::RemoveAuthenticatorRequest,
};
use countersign_tests::{House, Tenant};

async fn at(tenant: &Tenant, instant: Timestamp) -> GetStateAsOfResponse {
    let micros = instant.unix_micros();
    let nanos = i32::try_from(micros % 1_000_000).unwrap() * 1_000;
    let as_of = Some(prost_types::Timestamp { seconds: micros / 1_000_000, nanos });
    let request = GetStateAsOfRequest { user_id: "ann".to_owned(), as_of };
    tenant.auditor.audit().get_state_as_of(request).await.unwrap().into_inner()
}

fn statuses(state: &GetStateAsOfResponse) -> Vec<AuthenticatorStatus> {
    state.authenticators.iter().map(countersign_proto::common::Authenticator::status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_shown_as_they_stood_at_each_time() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let mut times = vec![house.now()];
    let mut next = || {
        house.clock.advance(Duration::from_secs(20));
        times.push(house.now());
    };
    next();
    let (_, phone) = tenant.start_enrollment("ann").await;
    next();
    tenant.confirm("ann", &phone, &phone.code(tenant.now())).await.unwrap();
    next();
    next();
    tenant.require("", MfaRequirement::Never).await;
    let challenge = tenant.challenge("ann").await;
    for _ in 0..2 {
        tenant.refused("ann", &challenge, &phone.wrong_code(tenant.now())).await;
    }
    next();
    let second = tenant.challenge("ann").await;
    for _ in 0..3 {
        tenant.refused("ann", &second, &phone.wrong_code(tenant.now())).await;
    }
    next();
    let remove = RemoveAuthenticatorRequest {
        user_id: "ann".to_owned(),
        authenticator_id: phone.authenticator_id.clone(),
        ..Default::default()
    };
    tenant.platform.enrollment().remove_authenticator(remove).await.unwrap();
    let [created, started, confirmed, quiet, failed, throttled, removed] = times.as_slice() else {
        panic!("seven times")
    };

    assert!(at(&tenant, *created).await.authenticators.is_empty());
    let before = Timestamp::from_unix_micros(started.unix_micros() - 1);
    assert!(at(&tenant, before).await.authenticators.is_empty());
    assert_eq!(statuses(&at(&tenant, *started).await), [AuthenticatorStatus::Pending]);
    assert_eq!(statuses(&at(&tenant, *confirmed).await), [AuthenticatorStatus::Active]);

    let state = at(&tenant, *quiet).await;
    assert_eq!(state.mfa_requirement(), MfaRequirement::Always);
    assert_eq!((state.open_challenges.len(), state.throttles.len()), (0, 0));

    let state = at(&tenant, *failed).await;
    assert_eq!(state.mfa_requirement(), MfaRequirement::Never);
    let left: Vec<_> = state.open_challenges.iter().map(|open| open.attempts_left).collect();
    assert_eq!(left, [3]);
    assert_eq!(state.open_challenges.first().unwrap().challenge_id, challenge.challenge_id);

    let state = at(&tenant, *throttled).await;
    let left: Vec<_> = state.open_challenges.iter().map(|open| open.attempts_left).collect();
    assert_eq!(left, [3, 2]);
    let failures: Vec<_> = state.throttles.iter().map(|t| t.consecutive_failures).collect();
    assert_eq!(failures, [5]);
    assert_eq!(statuses(&state), [AuthenticatorStatus::Active]);

    let state = at(&tenant, *removed).await;
    assert_eq!(statuses(&state), [AuthenticatorStatus::Removed]);
    let request = GetStateAsOfRequest { user_id: "ann".to_owned(), as_of: None };
    let now = tenant.auditor.audit().get_state_as_of(request).await.unwrap().into_inner();
    assert_eq!(now, state, "without a time it is now");
    // The tenant's own events are folded too, for the requirement.
    let of_user = tenant.history("ann").await.len() as u64;
    assert!(now.events_folded >= of_user, "{} of {of_user}", now.events_folded);
}
