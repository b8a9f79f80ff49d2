//! Whoever cannot be identified is told the same, whatever is wrong with the key.

use std::time::Duration;

use countersign_proto::{
    admin::ListApiKeysRequest,
    admin::{CreateApiKeyRequest, CreateApiKeyResponse, RevokeApiKeyRequest, Role},
};
use countersign_service::access::ROWS;
use countersign_tests::{Caller, House, Tenant, Told, reason};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

async fn issue(tenant: &Tenant, lifetime: Option<i64>) -> CreateApiKeyResponse {
    let request = CreateApiKeyRequest {
        display_name: "key".to_owned(),
        roles: vec![Role::TenantAdmin.into()],
        lifetime: lifetime.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
        ..Default::default()
    };
    tenant.admin.admin().create_api_key(request).await.unwrap().into_inner()
}

/// Changes the last character of a key to another one of its alphabet.
fn forged(secret: &str) -> String {
    let (rest, last) = secret.split_at(secret.len() - 1);
    format!("{rest}{}", if last == "A" { "E" } else { "A" })
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_a_key_is_told_in_the_same_words() {
    let house = House::start().await;
    let (acme, _globex) = (house.tenant("acme").await, house.tenant("globex").await);
    let good = issue(&acme, None).await.secret;
    let works = Caller::new(house.channel(), &good);
    works.admin().list_api_keys(ListApiKeysRequest {}).await.unwrap();

    let expired = issue(&acme, Some(60)).await.secret;
    let revoked = issue(&acme, None).await;
    let revoke =
        RevokeApiKeyRequest { key_id: revoked.api_key.unwrap().key_id, ..Default::default() };
    acme.admin.admin().revoke_api_key(revoke).await.unwrap();
    let still = Caller::new(house.channel(), &expired);
    still.admin().list_api_keys(ListApiKeysRequest {}).await.unwrap();
    house.clock.advance(Duration::from_secs(60));

    let bad = [
        expired,
        revoked.secret,
        forged(&good),
        good.replace("csk_acme.", "csk_globex."),
        good.replace("csk_acme.", "csk_nobody."),
        good.replace("csk_", ""),
        good.get(..good.len() - 1).unwrap().to_owned(),
        format!("{good}.more"),
        String::new(),
        "key".to_owned(),
    ];
    let mut told = Vec::new();
    for (path, _) in ROWS {
        let stranger = Caller::stranger(house.channel()).call(path, &()).await.unwrap_err();
        assert_eq!(reason(&stranger), "UNAUTHENTICATED", "{path}");
        told.push(Told::by(&stranger));
        for key in &bad {
            let status = Caller::new(house.channel(), key).call(path, &()).await.unwrap_err();
            told.push(Told::by(&status));
        }
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_rpc_is_denied_to_everyone_and_says_nothing_to_strangers() {
    let house = House::start().await;
    let path = "/countersign.admin.v1.AdminService/DeleteEverything";
    let denied = house.operator().call(path, &()).await.unwrap_err();
    assert_eq!(reason(&denied), "PERMISSION_DENIED");
    let stranger = Caller::stranger(house.channel()).call(path, &()).await.unwrap_err();
    assert_eq!(reason(&stranger), "UNAUTHENTICATED");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_reflection_are_open_to_everyone() {
    let house = House::start().await;
    let mut health = HealthClient::new(house.channel());
    for service in ["", "countersign.challenge.v1.ChallengeService"] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let answer = health.check(request).await.unwrap().into_inner();
        assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
    }
    let stranger = Caller::stranger(house.channel());
    for version in ["v1", "v1alpha"] {
        let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
        let services = ListServices { list_services: Some(String::new()) };
        let answers = stranger.call(&path, &services).await.unwrap().concat();
        let text = String::from_utf8_lossy(&answers).into_owned();
        for service in ["admin", "audit", "challenge", "enrollment", "notification", "policy"] {
            assert!(text.contains(&format!("countersign.{service}.v1.")), "{service}");
        }
    }
}

/// The part of `grpc.reflection.v1.ServerReflectionRequest` that asks for the services.
#[derive(Clone, PartialEq, prost::Message)]
struct ListServices {
    #[prost(string, optional, tag = "7")]
    list_services: Option<String>,
}
