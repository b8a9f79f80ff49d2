//! API keys: confined to organisations and addresses, given fresh secrets, and told when they were last used.

use std::time::Duration;

use countersign_proto::admin::{
    ApiKey, CreateApiKeyRequest, CreateOrganisationRequest, GetTenantRequest, ListApiKeysRequest,
    ListOrganisationsRequest, RevokeApiKeyRequest, Role, RotateApiKeyRequest,
};
use countersign_proto::enrollment::{PlaceUserRequest, Placement};
use countersign_tests::{Caller, House, Tenant, reason};

fn auditor() -> CreateApiKeyRequest {
    CreateApiKeyRequest {
        display_name: "an auditor's".to_owned(),
        roles: vec![Role::Auditor.into()],
        ..Default::default()
    }
}

async fn issue(tenant: &Tenant, request: CreateApiKeyRequest) -> (ApiKey, String) {
    let issued = tenant.admin.admin().create_api_key(request).await.unwrap().into_inner();
    (issued.api_key.unwrap(), issued.secret)
}

async fn opens(house: &House, secret: &str) -> bool {
    let caller = Caller::new(house.channel(), secret);
    match caller.admin().get_tenant(GetTenantRequest {}).await {
        Ok(_) => true,
        Err(status) => {
            assert_eq!(reason(&status), "UNAUTHENTICATED");
            false
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_secrets_of_a_rotated_key_open_until_the_overlap_has_passed() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let (key, first) = issue(&tenant, auditor()).await;
    let rotate = |overlap: Option<i64>, request_id: &str| RotateApiKeyRequest {
        request_id: request_id.to_owned(),
        key_id: key.key_id.clone(),
        overlap: overlap.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
    };
    let rotated = tenant.admin.admin().rotate_api_key(rotate(Some(3_600), "a")).await.unwrap();
    let rotated = rotated.into_inner();
    assert!(rotated.api_key.unwrap().previous_secret_until.is_some());
    assert!(opens(&house, &first).await && opens(&house, &rotated.secret).await);
    // The secret is shown once.
    let again = tenant.admin.admin().rotate_api_key(rotate(Some(3_600), "a")).await.unwrap_err();
    assert_eq!(reason(&again), "KEY_ALREADY_SHOWN");
    house.clock.advance(Duration::from_secs(3_600));
    assert!(!opens(&house, &first).await && opens(&house, &rotated.secret).await);
    // Without an overlap the secret before ends at once.
    let last = tenant.admin.admin().rotate_api_key(rotate(None, "b")).await.unwrap().into_inner();
    assert!(!opens(&house, &rotated.secret).await && opens(&house, &last.secret).await);
    let revoke = RevokeApiKeyRequest { key_id: key.key_id.clone(), ..Default::default() };
    tenant.admin.admin().revoke_api_key(revoke).await.unwrap();
    assert!(!opens(&house, &last.secret).await);
    let gone = tenant.admin.admin().rotate_api_key(rotate(None, "c")).await.unwrap_err();
    assert_eq!(reason(&gone), "API_KEY_NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_nothing_from_elsewhere_than_its_addresses() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let from = |addresses: &[&str]| CreateApiKeyRequest {
        allowed_addresses: addresses.iter().map(|&address| address.to_owned()).collect(),
        ..auditor()
    };
    let (_, here) = issue(&tenant, from(&["192.0.2.0/24", "127.0.0.1"])).await;
    let (_, elsewhere) = issue(&tenant, from(&["192.0.2.0/24", "2001:db8::/32"])).await;
    assert!(opens(&house, &here).await);
    assert!(!opens(&house, &elsewhere).await);
    for wrong in [vec!["somewhere"], vec!["10.0.0.0/33"], vec!["10.0.0.1"; 17]] {
        let refused = tenant.admin.admin().create_api_key(from(&wrong)).await.unwrap_err();
        assert_eq!(reason(&refused), "FIELD_INVALID");
        assert!(refused.message().starts_with("allowed_addresses"), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_of_a_key_is_told_to_the_hour() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let (key, secret) = issue(&tenant, auditor()).await;
    assert_eq!(key.last_used_at, None);
    for _ in 0..20 {
        assert!(opens(&house, &secret).await);
    }
    let told = async || {
        let listed = tenant.admin.admin().list_api_keys(ListApiKeysRequest {}).await.unwrap();
        let keys = listed.into_inner().api_keys;
        keys.into_iter().find(|listed| listed.key_id == key.key_id).unwrap().last_used_at
    };
    let used_at = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            if let Some(used_at) = told().await {
                break used_at;
            }
            tokio::task::yield_now().await;
        }
    });
    let used_at = used_at.await.unwrap();
    let now = house.now().unix_seconds();
    assert_eq!(used_at.seconds, now - now.rem_euclid(3_600));
    let uses = tenant.auditor.replay(Default::default()).await;
    let of_key = |event: &&countersign_proto::audit::RecordedEvent| {
        event.r#type == "ApiKeyUsed"
            && event.payload.as_ref().is_some_and(|payload| {
                payload.value.windows(key.key_id.len()).any(|part| part == key.key_id.as_bytes())
            })
    };
    assert_eq!(uses.iter().filter(of_key).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_are_created_once_listed_and_given_to_keys_that_fit() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let create = |id: &str, request_id: &str| CreateOrganisationRequest {
        request_id: request_id.to_owned(),
        organisation_id: id.to_owned(),
        display_name: format!("{id} & sons"),
    };
    for id in ["south", "north"] {
        tenant.admin.admin().create_organisation(create(id, id)).await.unwrap();
    }
    let repeated = tenant.admin.admin().create_organisation(create("north", "north")).await;
    assert_eq!(repeated.unwrap().into_inner().organisation.unwrap().organisation_id, "north");
    let twice = tenant.admin.admin().create_organisation(create("north", "x")).await.unwrap_err();
    assert_eq!(reason(&twice), "ORGANISATION_EXISTS");
    let request = ListOrganisationsRequest::default();
    let listed = tenant.auditor.admin().list_organisations(request).await.unwrap();
    let listed = listed.into_inner().organisations;
    let ids: Vec<_> = listed.iter().map(|organisation| &*organisation.organisation_id).collect();
    assert_eq!(ids, ["north", "south"]);
    for (role, organisation, expected) in [
        (Role::OrgAdmin, "", "FIELD_INVALID"),
        (Role::Auditor, "north", "FIELD_INVALID"),
        (Role::TenantAdmin, "north", "FIELD_INVALID"),
        (Role::Self_, "", "FIELD_INVALID"),
        (Role::OrgAdmin, "west", "ORGANISATION_NOT_FOUND"),
        (Role::Verifier, "west", "ORGANISATION_NOT_FOUND"),
    ] {
        let request = CreateApiKeyRequest {
            display_name: "key".to_owned(),
            roles: vec![role.into()],
            organisation_id: organisation.to_owned(),
            ..Default::default()
        };
        let refused = tenant.admin.admin().create_api_key(request).await.unwrap_err();
        assert_eq!(reason(&refused), expected, "{role:?} of {organisation:?}");
    }
    let nowhere = PlaceUserRequest {
        user_id: "ann".to_owned(),
        placement: Some(Placement { organisation_id: "west".to_owned(), privileged: false }),
        ..Default::default()
    };
    let refused = tenant.admin.enrollment().place_user(nowhere).await.unwrap_err();
    assert_eq!(reason(&refused), "ORGANISATION_NOT_FOUND");
}
