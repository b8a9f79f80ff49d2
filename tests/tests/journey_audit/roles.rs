//! Every RPC with every role: allowed or denied as the table of access says.

use countersign_domain::tenant::Role;
use countersign_proto::admin::{self, CreateApiKeyRequest};
use countersign_service::access::ROWS;
use countersign_tests::{Caller, House, Told, reason};
use tonic::Code;

async fn key(administrator: &Caller, role: admin::Role) -> String {
    let request = CreateApiKeyRequest {
        display_name: role.as_str_name().to_owned(),
        roles: vec![role.into()],
        ..Default::default()
    };
    administrator.admin().create_api_key(request).await.unwrap().into_inner().secret
}

/// A key for each role; auditors there are of a tenant and of the platform.
async fn callers(house: &House) -> Vec<(Role, Caller)> {
    let tenant = house.tenant("acme").await;
    let operator = house.operator();
    let auditor = key(&operator.naming("platform"), admin::Role::Auditor).await;
    let auditor = Caller::new(house.channel(), &auditor).naming("acme");
    vec![
        (Role::PlatformAdmin, operator.naming("acme")),
        (Role::TenantAdmin, tenant.admin),
        (Role::Verifier, tenant.platform),
        (Role::Auditor, tenant.auditor),
        (Role::Auditor, auditor),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_may_call_what_the_table_says_and_nothing_else() {
    let house = House::start().await;
    let callers = callers(&house).await;
    let mut denials = Vec::new();
    for (path, allowed) in ROWS {
        for (role, caller) in &callers {
            // An empty request: whoever is let through is told what is missing, or answered.
            let answer = caller.call(path, &()).await;
            let is_denied =
                answer.as_ref().is_err_and(|status| status.code() == Code::PermissionDenied);
            assert_eq!(is_denied, !allowed.contains(role), "{path} as {role:?}");
            if let Err(status) = answer {
                assert_ne!(reason(&status), "UNAUTHENTICATED", "{path} as {role:?}");
                if is_denied {
                    denials.push(Told::by(&status));
                }
            }
        }
    }
    denials.dedup();
    assert_eq!(denials.len(), 1, "every denial looks like every other: {denials:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_a_tenant_never_holds_a_role_of_the_platform() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let asked = |role: admin::Role| CreateApiKeyRequest {
        display_name: "key".to_owned(),
        roles: vec![role.into()],
        ..Default::default()
    };
    for administrator in [&tenant.admin, &house.operator().naming("acme")] {
        let request = asked(admin::Role::PlatformAdmin);
        let refused = administrator.admin().create_api_key(request).await.unwrap_err();
        assert_eq!(reason(&refused), "FIELD_INVALID");
    }
    let platform = house.operator().naming("platform");
    for role in [admin::Role::TenantAdmin, admin::Role::Verifier] {
        let refused = platform.admin().create_api_key(asked(role)).await.unwrap_err();
        assert_eq!(reason(&refused), "FIELD_INVALID");
    }
}
