//! Calls that tell who the server takes a caller for.

use std::time::Duration;

use countersign_core::Clock as _;
use countersign_proto::{
    admin::GetTenantRequest,
    audit::RecordedEvent,
    challenge::GetAssertionKeysRequest,
    enrollment::{ListAuthenticatorsRequest, PlaceUserRequest, Placement},
};
use countersign_service::SystemClock;
use countersign_tests::{Caller, House, reason};
use tonic::{Code, Status};

/// How long anything may take: far longer than anything does, so that a hang fails instead of hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Puts the time of `house` right, for what others say of time.
pub(crate) fn at_present(house: &House) {
    house.clock.set(SystemClock.now());
}

/// Asks for what every caller may see but users, and returns the tenant in the answer.
pub(crate) async fn knocks(caller: &Caller) -> Result<String, Status> {
    let keys = caller.challenge().get_assertion_keys(GetAssertionKeysRequest {}).await?;
    let issuer = keys.into_inner().issuer;
    Ok(issuer.rsplit('/').next().unwrap_or_default().to_owned())
}

/// Asks for what those who audit may see.
pub(crate) async fn audits(caller: &Caller) -> Result<String, Status> {
    let tenant = caller.admin().get_tenant(GetTenantRequest {}).await?.into_inner().tenant;
    Ok(tenant.unwrap().tenant_id)
}

/// Looks at what `user` has.
pub(crate) async fn looks_at(caller: &Caller, user: &str) -> Result<(), Status> {
    let request = ListAuthenticatorsRequest { user_id: user.to_owned(), ..Default::default() };
    caller.enrollment().list_authenticators(request).await.map(drop)
}

/// Asks for `user` to be among those with privilege.
pub(crate) fn placed(user: &str) -> PlaceUserRequest {
    let placement = Placement { privileged: true, ..Default::default() };
    PlaceUserRequest { user_id: user.to_owned(), placement: Some(placement), ..Default::default() }
}

/// Places `user` there, which leaves an event.
pub(crate) async fn places(caller: &Caller, user: &str) -> Result<(), Status> {
    caller.enrollment().place_user(placed(user)).await.map(drop)
}

/// Returns the newest event of `user`, as `auditor` sees it.
pub(crate) async fn newest(auditor: &Caller, user: &str) -> RecordedEvent {
    let request = countersign_proto::audit::ReplayEventsRequest {
        user_id: user.to_owned(),
        ..Default::default()
    };
    auditor.replay_in_the_end(request).await.pop().unwrap()
}

/// Makes sure that a caller is nobody, and that nothing says why.
pub(crate) fn is_nobody(status: &Status) {
    assert_eq!((status.code(), &*reason(status)), (Code::Unauthenticated, "UNAUTHENTICATED"));
    let said = status.message();
    assert!(said.starts_with("the caller is not known"), "{said}");
}
