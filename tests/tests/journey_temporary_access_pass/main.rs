//! Temporary access passes: help for a user who has lost phone and recovery codes.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failed test says so by panicking")]

mod ending;
mod issuing;
mod limits;
mod signing_in;

use std::time::Duration;

use countersign_proto::{
    admin::{CreateApiKeyRequest, CreateOrganisationRequest, Role},
    challenge::{VerificationOutcome, VerifyChallengeResponse},
    common::Authenticator,
    enrollment::{
        IssueTemporaryAccessPassRequest, IssueTemporaryAccessPassResponse,
        ListAuthenticatorsRequest, PlaceUserRequest, Placement,
    },
};
use countersign_tests::{Caller, House, Tenant};
use tonic::Status;

const KIND: &str = "temporary_access_pass";

/// Returns a caller with a key of one role, confined to an organisation if one is named.
async fn caller(house: &House, tenant: &Tenant, role: Role, organisation: &str) -> Caller {
    let request = CreateApiKeyRequest {
        display_name: role.as_str_name().to_owned(),
        roles: vec![role.into()],
        organisation_id: organisation.to_owned(),
        ..Default::default()
    };
    let created = tenant.admin.admin().create_api_key(request).await.unwrap().into_inner();
    Caller::new(house.channel(), &created.secret)
}

async fn help_desk(house: &House, tenant: &Tenant) -> Caller {
    caller(house, tenant, Role::HelpDesk, "").await
}

async fn organisation(tenant: &Tenant, id: &str) {
    let request = CreateOrganisationRequest {
        organisation_id: id.to_owned(),
        display_name: id.to_owned(),
        ..Default::default()
    };
    tenant.admin.admin().create_organisation(request).await.unwrap();
}

async fn place(tenant: &Tenant, user: &str, organisation: &str, privileged: bool) {
    let request = PlaceUserRequest {
        user_id: user.to_owned(),
        placement: Some(Placement { organisation_id: organisation.to_owned(), privileged }),
        ..Default::default()
    };
    tenant.platform.enrollment().place_user(request).await.unwrap();
}

/// A pass for an hour and one use.
fn asked(user: &str) -> IssueTemporaryAccessPassRequest {
    IssueTemporaryAccessPassRequest { user_id: user.to_owned(), ..Default::default() }
}

/// A pass for an hour and any number of uses.
fn reusable(user: &str) -> IssueTemporaryAccessPassRequest {
    IssueTemporaryAccessPassRequest { single_use: Some(false), ..asked(user) }
}

async fn try_issue(
    caller: &Caller,
    request: IssueTemporaryAccessPassRequest,
) -> Result<IssueTemporaryAccessPassResponse, Status> {
    let response = caller.enrollment().issue_temporary_access_pass(request).await;
    response.map(tonic::Response::into_inner)
}

/// Issues a pass and returns its code.
async fn issue(caller: &Caller, request: IssueTemporaryAccessPassRequest) -> String {
    try_issue(caller, request).await.unwrap().code
}

/// Answers a fresh challenge.
async fn answer(tenant: &Tenant, user: &str, code: &str) -> VerifyChallengeResponse {
    let challenge = tenant.challenge(user).await;
    tenant.verify(user, &challenge, code).await.unwrap()
}

async fn is_verified(tenant: &Tenant, user: &str, code: &str) -> bool {
    answer(tenant, user, code).await.outcome() == VerificationOutcome::Verified
}

/// Returns the pass of `user` as it now stands.
async fn pass(tenant: &Tenant, user: &str) -> Authenticator {
    let request = ListAuthenticatorsRequest { user_id: user.to_owned(), ..Default::default() };
    let listed = tenant.platform.enrollment().list_authenticators(request).await.unwrap();
    let mut listed = listed.into_inner().authenticators.into_iter();
    listed.find(|authenticator| authenticator.kind == KIND).unwrap()
}

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);
