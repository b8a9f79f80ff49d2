//! Nothing of one tenant is there for another: whatever another tenant has looks like what nobody has.

use std::{collections::BTreeMap, time::Duration};

use countersign_domain::tenant::Role;
use countersign_proto::{
    admin::{
        BreakGlassRequest, CreateApplicationRequest, CreateOrganisationRequest, DangerousAct,
        ListApiKeysRequest, Quorum, SetQuorumRequest,
    },
    audit::{RecordedEvent, ReplayEventsRequest, replay_events_response::Item},
    event::DeliveryRequested,
};
use countersign_service::access::allowed_roles;
use countersign_tests::{
    Caller, House, Tenant, Told, reason,
    schema::{Rpc, rpcs},
};
use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, Value};
use tonic::Status;
use tonic_types::StatusExt as _;

/// RPCs that ask for no tenant in particular.
const OF_THE_PLATFORM: [&str; 10] = [
    "CreateTenant",
    "ListTenants",
    "GetStatus",
    "EraseTenant",
    "GetKeyring",
    "BeginKeyRotation",
    "RetireKeyVersions",
    "RewrapKeyring",
    "RotateAssertionKey",
    "BeginSecretRotation",
];

/// Fields that name what one tenant has; all others get the same value in every request.
type Names = BTreeMap<&'static str, String>;

/// What nobody has, in the form of what somebody might have.
fn nobodys() -> Names {
    let id = "0198c000-0000-7000-8000-000000000000".to_owned();
    BTreeMap::from([
        ("user_id", "nobody".to_owned()),
        ("authenticator_id", id.clone()),
        ("challenge_id", id.clone()),
        ("approval_id", id.clone()),
        ("delivery_id", id),
        ("key_id", "abcdefghijklmnop".to_owned()),
        ("application_id", "nothing".to_owned()),
        ("organisation_id", "nowhere".to_owned()),
    ])
}

/// Fills a tenant with one of everything, and names it.
async fn fill(house: &House, tenant: &Tenant) -> Names {
    let phone = tenant.enrol("ann").await;
    house.clock.advance(Duration::from_secs(30));
    let challenge = tenant.challenge("ann").await;
    let application_id = format!("intranet-of-{}", tenant.id);
    let application = CreateApplicationRequest {
        application_id: application_id.clone(),
        display_name: application_id.clone(),
        ..Default::default()
    };
    tenant.admin.admin().create_application(application).await.unwrap();
    let organisation_id = format!("north-of-{}", tenant.id);
    let organisation = CreateOrganisationRequest {
        organisation_id: organisation_id.clone(),
        display_name: organisation_id.clone(),
        ..Default::default()
    };
    tenant.admin.admin().create_organisation(organisation).await.unwrap();
    let keys = tenant.admin.admin().list_api_keys(ListApiKeysRequest {}).await.unwrap();
    let key = keys.into_inner().api_keys.into_iter().next().unwrap();
    BTreeMap::from([
        ("user_id", "ann".to_owned()),
        ("authenticator_id", phone.authenticator_id),
        ("challenge_id", challenge.challenge_id),
        ("delivery_id", first_delivery(tenant).await),
        ("approval_id", approval(tenant).await),
        ("key_id", key.key_id),
        ("application_id", application_id),
        ("organisation_id", organisation_id),
    ])
}

/// Has others asked to approve something.
async fn approval(tenant: &Tenant) -> String {
    let quorum = Quorum { acts: vec![DangerousAct::BreakGlass.into()], approvers: 1, delay: None };
    let request = SetQuorumRequest { quorum: Some(quorum), ..Default::default() };
    tenant.admin.admin().set_quorum(request).await.unwrap();
    let lifetime = Some(prost_types::Duration { seconds: 600, nanos: 0 });
    let reason = format!("to fill {}", tenant.id);
    let request = BreakGlassRequest { reason, lifetime, ..Default::default() };
    let asked = tenant.admin.admin().break_glass(request).await.unwrap_err();
    asked.get_error_details().error_info().unwrap().metadata.get("approval_id").unwrap().clone()
}

/// Waits for the delivery that the enrolment causes.
async fn first_delivery(tenant: &Tenant) -> String {
    let request = ReplayEventsRequest {
        event_types: vec!["DeliveryRequested".to_owned()],
        follow: true,
        ..Default::default()
    };
    let mut items = tenant.auditor.audit().replay_events(request).await.unwrap().into_inner();
    loop {
        let item = tokio::time::timeout(Duration::from_secs(30), items.message()).await;
        let item = item.expect("a delivery is announced").unwrap().unwrap().item;
        if let Some(Item::Event(RecordedEvent { payload: Some(payload), .. })) = item {
            return DeliveryRequested::decode(&*payload.value).unwrap().delivery_id;
        }
    }
}

/// Makes a request that is whole but for what is named in it.
fn request(rpc: &Rpc, names: &Names) -> DynamicMessage {
    let mut message = DynamicMessage::new(rpc.0.input());
    for field in rpc.0.input().fields() {
        if let Some(value) = value(&field, names) {
            message.set_field(&field, value);
        }
    }
    message
}

fn value(field: &FieldDescriptor, names: &Names) -> Option<Value> {
    let text = |text: &str| Some(Value::String(text.to_owned()));
    match (field.name(), field.kind()) {
        (name, Kind::String) if names.contains_key(name) => text(names.get(name).unwrap()),
        ("code", _) => text("123456"),
        ("kind", _) => text("totp"),
        ("display_name", _) => text("name"),
        ("mfa_requirement", _) => Some(Value::EnumNumber(2)),
        ("roles", _) => Some(Value::List(vec![Value::EnumNumber(3)])),
        ("settings", Kind::Message(settings)) => {
            let mut message = DynamicMessage::new(settings);
            message.set_field_by_name("kind", Value::String("totp".to_owned()));
            Some(Value::Message(message))
        }
        ("placement", Kind::Message(placement)) => {
            let mut message = DynamicMessage::new(placement);
            let organisation = names.get("organisation_id").unwrap();
            message.set_field_by_name("organisation_id", Value::String(organisation.clone()));
            Some(Value::Message(message))
        }
        ("reason", _) if field.parent_message().name() == "BreakGlassRequest" => text("a reason"),
        ("lifetime", Kind::Message(lifetime))
            if field.parent_message().name() == "BreakGlassRequest" =>
        {
            let mut message = DynamicMessage::new(lifetime);
            message.set_field_by_name("seconds", Value::I64(600));
            Some(Value::Message(message))
        }
        // May be left out.
        (
            "request_id" | "overlap" | "allowed_addresses" | "reason" | "account_name" | "totp"
            | "sign_in_id" | "context" | "lifetime" | "single_use" | "starts_at" | "page_size"
            | "page_token" | "include_removed" | "as_of" | "with_assertion" | "source"
            | "after_position" | "from_time" | "until_time" | "event_types" | "follow" | "limit"
            | "inactive_user_days" | "quorum",
            _,
        ) => None,
        (name, _) => {
            panic!("teach this test the field {name} of {}", field.parent_message().name())
        }
    }
}

/// Returns a caller of `tenant` that may call `path`.
fn allowed<'a>(tenant: &'a Tenant, path: &str) -> &'a Caller {
    let roles = allowed_roles(path).unwrap();
    if roles.contains(&Role::TenantAdmin) {
        &tenant.admin
    } else if roles.contains(&Role::Verifier) {
        &tenant.platform
    } else {
        &tenant.auditor
    }
}

/// Returns what requests brought into the log; what follows it adds others at its own pace.
async fn requested(tenant: &Tenant) -> Vec<RecordedEvent> {
    let events = tenant.auditor.replay(ReplayEventsRequest::default()).await;
    let is_asked = |event: &RecordedEvent| {
        !event.stream.starts_with("deliveries-") && event.r#type != "ApiKeyUsed"
    };
    events.into_iter().filter(is_asked).collect()
}

/// Makes sure that two answers tell the same: both errors, equal ones, or both none and without a word of `theirs`.
fn look_alike(rpc: &Rpc, names: &Names, theirs: &Answer, nobodys: &Answer) {
    let path = rpc.path();
    match (theirs, nobodys) {
        (Err(theirs), Err(nobodys)) => {
            assert_eq!(Told::by(theirs), Told::by(nobodys), "{path}");
            assert_ne!(reason(theirs), "PERMISSION_DENIED", "{path}");
        }
        (Ok(answer), Ok(_)) => {
            let answer = answer.concat();
            for (name, word) in names.iter().filter(|(name, _)| **name != "user_id") {
                let mut places = answer.windows(word.len());
                assert!(!places.any(|place| place == word.as_bytes()), "{path} tells the {name}");
            }
        }
        (theirs, nobodys) => panic!("{path}: {theirs:?} and {nobodys:?}"),
    }
}

type Answer = Result<Vec<Vec<u8>>, Status>;

/// RPCs to be called, but for the one that makes what others look for.
fn looked_at() -> impl Iterator<Item = Rpc> {
    let left_out = [&OF_THE_PLATFORM[..], &["CreateApplication", "CreateOrganisation"]].concat();
    rpcs().filter(move |rpc| !left_out.contains(&rpc.0.name()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_tenant_has_looks_like_what_nobody_has() {
    let house = House::start().await;
    let (acme, globex) = (house.tenant("acme").await, house.tenant("globex").await);
    let theirs = fill(&house, &acme).await;
    let before = requested(&acme).await;
    for rpc in looked_at() {
        let (path, caller) = (rpc.path(), allowed(&globex, &rpc.path()));
        let taken = caller.call(&path, &request(&rpc, &theirs)).await;
        let made_up = caller.call(&path, &request(&rpc, &nobodys())).await;
        look_alike(&rpc, &theirs, &taken, &made_up);
    }
    assert_eq!(requested(&acme).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_another_tenant_is_unknown_among_ones_own() {
    let house = House::start().await;
    let (acme, globex) = (house.tenant("acme").await, house.tenant("globex").await);
    let theirs = fill(&house, &acme).await;
    let own = fill(&house, &globex).await;
    let before = requested(&acme).await;
    let mut compared = 0;
    for (name, word) in theirs.iter().filter(|(name, _)| **name != "user_id") {
        for rpc in looked_at() {
            if rpc.0.input().get_field_by_name(name).is_none() {
                continue;
            }
            let (path, caller) = (rpc.path(), allowed(&globex, &rpc.path()));
            let with = |word: &String| {
                let mut names = own.clone();
                names.insert(name, word.clone());
                request(&rpc, &names)
            };
            let taken = caller.call(&path, &with(word)).await;
            let made_up = caller.call(&path, &with(nobodys().get(name).unwrap())).await;
            assert!(taken.is_err(), "{path} with the {name} of another tenant");
            look_alike(&rpc, &theirs, &taken, &made_up);
            compared += 1;
        }
    }
    assert!(compared >= 18, "{compared} requests name what a tenant has");
    assert_eq!(requested(&acme).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_caller_of_the_platform_may_name_a_tenant() {
    let house = House::start().await;
    let (acme, globex) = (house.tenant("acme").await, house.tenant("globex").await);
    let theirs = fill(&house, &acme).await;
    for rpc in looked_at() {
        let path = rpc.path();
        let caller = allowed(&globex, &path).naming("acme");
        let denied = caller.call(&path, &request(&rpc, &theirs)).await.unwrap_err();
        assert_eq!(reason(&denied), "PERMISSION_DENIED", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_may_give_the_same_names() {
    let house = House::start().await;
    let (acme, globex) = (house.tenant("acme").await, house.tenant("globex").await);
    let phone = acme.enrol("ann").await;
    house.clock.advance(Duration::from_secs(30));
    let nothing = globex.try_challenge("ann").await.unwrap_err();
    assert_eq!(reason(&nothing), "NO_USABLE_AUTHENTICATOR");
    let own = globex.enrol("ann").await;
    house.clock.advance(Duration::from_secs(30));
    let (theirs, ours) = (acme.challenge("ann").await, globex.challenge("ann").await);
    globex.refused("ann", &ours, &phone.code(house.now())).await;
    globex.verified("ann", &ours, &own.code(house.now())).await;
    acme.verified("ann", &theirs, &phone.code(house.now())).await;
}
