//! Sign-ins while glass is broken.

use std::time::Duration;

use countersign_proto::{
    admin::{BreakGlassRequest, CreateApplicationRequest, GetTenantRequest, MendGlassRequest},
    event::{GlassBroken, SignInEvaluated},
    policy::{
        EvaluateSignInRequest, EvaluateSignInResponse,
        SignInDecision::{self, Challenge, Sufficient},
    },
};
use countersign_tests::{House, Tenant, reason};
use prost::Message as _;

use crate::{break_glass, glass};

async fn sign_in(tenant: &Tenant, application: &str) -> EvaluateSignInResponse {
    let request = EvaluateSignInRequest {
        user_id: "ann".to_owned(),
        application_id: application.to_owned(),
        ..Default::default()
    };
    tenant.platform.policy().evaluate_sign_in(request).await.unwrap().into_inner()
}

async fn decided(tenant: &Tenant) -> [SignInDecision; 3] {
    let mut decided = Vec::new();
    for application in ["vpn", "wiki", ""] {
        decided.push(sign_in(tenant, application).await.decision());
    }
    decided.try_into().unwrap()
}

async fn house_with_wiki() -> (House, Tenant) {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    tenant.enrol("ann").await;
    let wiki = CreateApplicationRequest {
        application_id: "wiki".to_owned(),
        display_name: "Wiki".to_owned(),
        ..Default::default()
    };
    tenant.admin.admin().create_application(wiki).await.unwrap();
    (house, tenant)
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_need_no_second_factor_until_the_glass_mends_itself() {
    let (house, tenant) = house_with_wiki().await;
    assert_eq!(decided(&tenant).await, [Challenge; 3]);
    let policy_hash = async || {
        let all: Vec<SignInEvaluated> = tenant.events("ann", "SignInEvaluated").await;
        all.last().unwrap().policy_hash.clone()
    };
    let before = policy_hash().await;
    break_glass(&tenant.admin, "glass").await.unwrap();
    assert_eq!(decided(&tenant).await, [Sufficient; 3]);
    let told = sign_in(&tenant, "vpn").await;
    let rules: Vec<_> = told.trace.iter().map(|rule| (&*rule.rule, rule.matched)).collect();
    assert_eq!(rules, [("break-glass", true)]);
    assert_eq!(told.required_acr, "");
    assert_ne!(policy_hash().await, before, "the audit tells by which policy it was judged");
    let settings = tenant.admin.admin().get_tenant(GetTenantRequest {}).await.unwrap();
    let broken = settings.into_inner().tenant.unwrap().broken_glass;
    assert_eq!(broken.len(), 1);
    // A repeat lengthens nothing.
    house.clock.advance(Duration::from_secs(1_800));
    break_glass(&tenant.admin, "glass").await.unwrap();
    house.clock.advance(Duration::from_secs(1_799));
    assert_eq!(decided(&tenant).await, [Sufficient; 3]);
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(decided(&tenant).await, [Challenge; 3]);
    assert_eq!(policy_hash().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn glass_is_broken_for_one_application_and_mended_early() {
    let (_house, tenant) = house_with_wiki().await;
    let for_wiki =
        BreakGlassRequest { application_id: "wiki".to_owned(), ..glass("wiki", "an outage") };
    tenant.admin.admin().break_glass(for_wiki).await.unwrap();
    assert_eq!(decided(&tenant).await, [Challenge, Sufficient, Challenge]);
    break_glass(&tenant.admin, "all").await.unwrap();
    assert_eq!(decided(&tenant).await, [Sufficient; 3]);
    let mend = async |application: &str| {
        let application_id = application.to_owned();
        let request = MendGlassRequest { application_id, ..Default::default() };
        tenant.admin.admin().mend_glass(request).await.unwrap().into_inner().tenant.unwrap()
    };
    assert_eq!(mend("wiki").await.broken_glass.len(), 1);
    assert_eq!(decided(&tenant).await, [Sufficient; 3]);
    assert!(mend("").await.broken_glass.is_empty());
    assert_eq!(decided(&tenant).await, [Challenge; 3]);
    // Mended is mended.
    mend("").await;
    let events = tenant.auditor.replay(Default::default()).await;
    let of = |name: &str| events.iter().filter(|event| event.r#type == name).count();
    assert_eq!((of("GlassBroken"), of("GlassMended")), (2, 2));
    let first = events.iter().find(|event| event.r#type == "GlassBroken").unwrap();
    let first = GlassBroken::decode(&*first.payload.clone().unwrap().value).unwrap();
    assert_eq!((first.application_id.as_str(), first.reason.as_str()), ("wiki", "an outage"));
}

#[tokio::test(flavor = "multi_thread")]
async fn glass_is_not_broken_without_a_reason_nor_for_too_short_or_too_long() {
    let (_house, tenant) = house_with_wiki().await;
    let lifetime = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    for (request, field) in [
        (glass("a", ""), "reason"),
        (BreakGlassRequest { lifetime: None, ..glass("b", "x") }, "lifetime"),
        (BreakGlassRequest { lifetime: lifetime(299), ..glass("c", "x") }, "lifetime"),
        (BreakGlassRequest { lifetime: lifetime(86_401), ..glass("d", "x") }, "lifetime"),
    ] {
        let refused = tenant.admin.admin().break_glass(request).await.unwrap_err();
        assert_eq!(reason(&refused), "FIELD_INVALID");
        assert!(refused.message().starts_with(field), "{refused:?}");
    }
    let unknown = BreakGlassRequest { application_id: "nothing".to_owned(), ..glass("e", "x") };
    let refused = tenant.admin.admin().break_glass(unknown).await.unwrap_err();
    assert_eq!(reason(&refused), "APPLICATION_NOT_FOUND");
    for by in [&tenant.platform, &tenant.auditor] {
        let refused = break_glass(by, "f").await.unwrap_err();
        assert_eq!(reason(&refused), "PERMISSION_DENIED");
    }
    assert_eq!(decided(&tenant).await, [Challenge; 3]);
}
