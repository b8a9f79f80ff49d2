//! The end of a tenant.

use countersign_proto::{
    admin::{CreateTenantRequest, EraseTenantRequest, GetTenantRequest, ListTenantsRequest},
    audit::ReplayEventsRequest,
    enrollment::{ListAuthenticatorsRequest, StartEnrollmentRequest},
};
use countersign_service::access::allowed_roles;
use countersign_tests::{Caller, House, reason, schema::rpcs};
use prost_reflect::DynamicMessage;
use tonic::Status;

use crate::{Board, asked, becomes, refused};

async fn erase(by: &Caller, request_id: &str, tenant: &str) -> Result<i64, Status> {
    let request =
        EraseTenantRequest { request_id: request_id.to_owned(), tenant_id: tenant.to_owned() };
    let erased = by.admin().erase_tenant(request).await?;
    Ok(erased.into_inner().erased_at.unwrap().seconds)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_tenant_is_there_for_nobody_and_its_name_is_never_given_again() {
    let house = House::start().await;
    let (acme, globex) = (house.tenant("acme").await, house.tenant("globex").await);
    for tenant in [&acme, &globex] {
        tenant.enrol("ann").await;
    }
    let operator = house.operator();
    let named = operator.naming("acme");
    for (by, tenant) in
        [(&named, "globex"), (&named, ""), (&operator.naming("platform"), "platform")]
    {
        assert_eq!(refused(erase(by, "", tenant).await), "FIELD_INVALID");
    }
    assert_eq!(refused(erase(&acme.admin, "", "acme").await), "PERMISSION_DENIED");
    let at = erase(&named, "end", "acme").await.unwrap();
    assert_eq!(at, house.now().unix_seconds());
    house.clock.advance(std::time::Duration::from_secs(60));
    for request_id in ["end", "again", ""] {
        assert_eq!(erase(&named, request_id, "acme").await.unwrap(), at);
    }

    for key in [&acme.admin, &acme.platform, &acme.auditor] {
        let refused = key.admin().get_tenant(GetTenantRequest {}).await.unwrap_err();
        assert_eq!(reason(&refused), "UNAUTHENTICATED");
    }
    for rpc in rpcs().filter(|rpc| !rpc.path().starts_with("/grpc.")) {
        let roles = allowed_roles(&rpc.path()).unwrap();
        let is_for_operators = roles.contains(&countersign_domain::tenant::Role::PlatformAdmin);
        if !is_for_operators || rpc.0.name() == "EraseTenant" {
            continue;
        }
        let request = DynamicMessage::new(rpc.0.input());
        let refused = named.call(&rpc.path(), &request).await.unwrap_err();
        assert_eq!(reason(&refused), "TENANT_NOT_FOUND", "{}", rpc.path());
    }
    let anew = CreateTenantRequest {
        tenant_id: "acme".to_owned(),
        display_name: "Acme".to_owned(),
        ..Default::default()
    };
    let refused_again = operator.admin().create_tenant(anew).await;
    assert_eq!(refused(refused_again), "TENANT_EXISTS");
    let listed = becomes(
        async || {
            let listed = operator.admin().list_tenants(ListTenantsRequest::default()).await;
            listed.unwrap().into_inner().tenants
        },
        |tenants| tenants.len() == 1,
    )
    .await;
    assert_eq!(listed[0].tenant_id, "globex");

    // Nothing of the other tenant is touched, and the log stays whole.
    let request = ListAuthenticatorsRequest { user_id: "ann".to_owned(), ..Default::default() };
    let theirs = globex.platform.enrollment().list_authenticators(request).await.unwrap();
    assert_eq!(theirs.into_inner().authenticators.len(), 1);
    let events = operator.replay(ReplayEventsRequest::default()).await;
    let of_acme = |name: &str| {
        let is_of = |event: &&countersign_proto::audit::RecordedEvent| {
            event.r#type == name && event.stream.contains("-acme.")
        };
        events.iter().filter(is_of).count()
    };
    assert_eq!((of_acme("TenantErased"), of_acme("UserErased")), (1, 1));
    let house = house.restart().await;
    let named = house.operator().naming("acme");
    let refused = named.admin().get_tenant(GetTenantRequest {}).await.unwrap_err();
    assert_eq!(reason(&refused), "TENANT_NOT_FOUND");
    assert_eq!(erase(&named, "end", "acme").await.unwrap(), at);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_erased_by_agreement_and_one_that_never_was_is_not_found() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    board.tenant.enrol("ann").await;
    let operator = house.operator().naming("acme");
    let id = asked(erase(&operator, "end", "acme").await);
    board.agree(&id).await;
    let start = StartEnrollmentRequest {
        user_id: "bob".to_owned(),
        kind: "totp".to_owned(),
        ..Default::default()
    };
    board.tenant.platform.enrollment().start_enrollment(start).await.unwrap();
    let approved = operator.approved_by(&id);
    let at = erase(&approved, "end", "acme").await.unwrap();
    assert_eq!(erase(&approved, "end", "acme").await.unwrap(), at);
    let nothing = house.operator().naming("nothing");
    assert_eq!(refused(erase(&nothing, "", "nothing").await), "TENANT_NOT_FOUND");
    let operator = house.operator();
    let erased = operator.replay(ReplayEventsRequest {
        event_types: vec!["UserErased".to_owned()],
        ..Default::default()
    });
    assert_eq!(erased.await.len(), 2);
}
