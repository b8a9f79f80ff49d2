//! Users who look after their own authenticators.

use std::time::Duration;

use countersign_proto::enrollment::{
    CreateSelfServiceTokenRequest, ListAuthenticatorsRequest, RemoveAuthenticatorRequest,
    StartEnrollmentRequest,
};
use countersign_tests::{Caller, House, reason};

use crate::callers::self_service_token;

fn list(user: &str) -> ListAuthenticatorsRequest {
    ListAuthenticatorsRequest { user_id: user.to_owned(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_looks_after_their_own_authenticators_until_the_token_ends() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    let ann = Caller::new(house.channel(), &self_service_token(&tenant, "ann").await);
    let listed = ann.enrollment().list_authenticators(list("ann")).await.unwrap().into_inner();
    assert_eq!(listed.authenticators[0].authenticator_id, phone.authenticator_id);
    let request = StartEnrollmentRequest {
        user_id: "ann".to_owned(),
        kind: "totp".to_owned(),
        ..Default::default()
    };
    ann.enrollment().start_enrollment(request).await.unwrap();
    let request = RemoveAuthenticatorRequest {
        user_id: "ann".to_owned(),
        authenticator_id: phone.authenticator_id,
        ..Default::default()
    };
    ann.enrollment().remove_authenticator(request).await.unwrap();
    house.clock.advance(Duration::from_secs(5 * 60 - 1));
    ann.enrollment().list_authenticators(list("ann")).await.unwrap();
    house.clock.advance(Duration::from_secs(1));
    let ended = ann.enrollment().list_authenticators(list("ann")).await.unwrap_err();
    assert_eq!(reason(&ended), "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_does_is_told_by_the_token_and_not_by_a_name() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let token = self_service_token(&tenant, "ann@example.com").await;
    let ann = Caller::new(house.channel(), &token);
    let request = StartEnrollmentRequest {
        user_id: "ann@example.com".to_owned(),
        kind: "totp".to_owned(),
        ..Default::default()
    };
    ann.enrollment().start_enrollment(request).await.unwrap();
    let events = tenant.auditor.replay(Default::default()).await;
    let named = |name: &str| events.iter().find(|event| event.r#type == name).unwrap();
    assert!(named("SelfServiceTokenIssued").requester.starts_with("api-key:acme."));
    let requester = &named("EnrollmentStarted").requester;
    assert!(requester.starts_with("self:") && !requester.contains("ann"), "{requester}");
    assert!(!requester.contains(&token), "{requester}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_for_a_token_lengthens_nothing() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let request = || CreateSelfServiceTokenRequest {
        request_id: "once".to_owned(),
        user_id: "ann".to_owned(),
        lifetime: Some(prost_types::Duration { seconds: 60, nanos: 0 }),
    };
    let first = tenant.platform.enrollment().create_self_service_token(request()).await.unwrap();
    house.clock.advance(Duration::from_secs(59));
    let again = tenant.platform.enrollment().create_self_service_token(request()).await.unwrap();
    assert_eq!(first.into_inner(), again.into_inner());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lasts_minutes_and_no_longer() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    for seconds in [0, 59, 901, -1] {
        let request = CreateSelfServiceTokenRequest {
            user_id: "ann".to_owned(),
            lifetime: Some(prost_types::Duration { seconds, nanos: 0 }),
            ..Default::default()
        };
        let refused = tenant.platform.enrollment().create_self_service_token(request).await;
        let refused = refused.unwrap_err();
        assert_eq!(reason(&refused), "FIELD_INVALID", "{seconds}");
        assert!(refused.message().starts_with("lifetime"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_nothing_in_another_tenant() {
    let house = House::start().await;
    let (acme, globex) = (house.tenant("acme").await, house.tenant("globex").await);
    globex.enrol("ann").await;
    let token = self_service_token(&acme, "ann").await;
    // The same user id is another user there.
    let ann = Caller::new(house.channel(), &token);
    let listed = ann.enrollment().list_authenticators(list("ann")).await.unwrap().into_inner();
    assert!(listed.authenticators.is_empty());
    let moved = token.replacen("acme", "globex", 1);
    let moved = Caller::new(house.channel(), &moved);
    let refused = moved.enrollment().list_authenticators(list("ann")).await.unwrap_err();
    assert_eq!(reason(&refused), "UNAUTHENTICATED");
}
