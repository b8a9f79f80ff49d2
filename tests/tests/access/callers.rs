//! A tenant with organisations, users placed in them, and a caller of every kind.

use countersign_domain::tenant::Role;
use countersign_proto::{
    admin::{self, CreateApiKeyRequest, CreateOrganisationRequest},
    enrollment::{CreateSelfServiceTokenRequest, PlaceUserRequest, Placement},
};
use countersign_tests::{Caller, House, Tenant};

/// A caller, and what it may be expected to be let do.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// The organisation that it is confined to.
    pub(crate) organisation: Option<&'static str>,
    /// The user that it is confined to.
    pub(crate) user: Option<&'static str>,
    pub(crate) caller: Caller,
}

/// A user, and where they are placed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) user_id: &'static str,
    pub(crate) organisation: Option<&'static str>,
    pub(crate) privileged: bool,
}

/// Users of every kind; nobody knows the last one.
pub(crate) const TARGETS: [Target; 5] = [
    Target { user_id: "ann", organisation: Some("north"), privileged: false },
    Target { user_id: "bob", organisation: Some("south"), privileged: false },
    Target { user_id: "cid", organisation: Some("north"), privileged: true },
    Target { user_id: "dora", organisation: None, privileged: false },
    Target { user_id: "nobody", organisation: None, privileged: false },
];

/// Issues a key with a role, confined to an organisation or not.
pub(crate) async fn key(
    administrator: &Caller,
    role: admin::Role,
    organisation: Option<&str>,
) -> String {
    let request = CreateApiKeyRequest {
        display_name: role.as_str_name().to_owned(),
        roles: vec![role.into()],
        organisation_id: organisation.unwrap_or_default().to_owned(),
        ..Default::default()
    };
    administrator.admin().create_api_key(request).await.unwrap().into_inner().secret
}

/// Makes a token with which `user` looks after themselves.
pub(crate) async fn self_service_token(tenant: &Tenant, user: &str) -> String {
    let request = CreateSelfServiceTokenRequest { user_id: user.to_owned(), ..Default::default() };
    let made = tenant.platform.enrollment().create_self_service_token(request).await;
    made.unwrap().into_inner().token
}

/// Makes two organisations, and places the users of [`TARGETS`].
pub(crate) async fn fill(tenant: &Tenant) {
    for organisation in ["north", "south"] {
        let request = CreateOrganisationRequest {
            organisation_id: organisation.to_owned(),
            display_name: organisation.to_owned(),
            ..Default::default()
        };
        tenant.admin.admin().create_organisation(request).await.unwrap();
    }
    for target in TARGETS.iter().filter(|target| target.user_id != "nobody") {
        tenant.enrol(target.user_id).await;
        let placement = Placement {
            organisation_id: target.organisation.unwrap_or_default().to_owned(),
            privileged: target.privileged,
        };
        let request = PlaceUserRequest {
            user_id: target.user_id.to_owned(),
            placement: Some(placement),
            ..Default::default()
        };
        tenant.admin.enrollment().place_user(request).await.unwrap();
    }
}

/// Returns a caller of every kind of `tenant`.
pub(crate) async fn kinds(house: &House, tenant: &Tenant) -> Vec<Kind> {
    let operator = house.operator();
    let auditor = key(&operator.naming("platform"), admin::Role::Auditor, None).await;
    let mut kinds = vec![
        kind("the operator", Role::PlatformAdmin, operator.naming(&tenant.id)),
        kind("an auditor of the installation", Role::Auditor, {
            Caller::new(house.channel(), &auditor).naming(&tenant.id)
        }),
        kind("the tenant's administrator", Role::TenantAdmin, tenant.admin.clone()),
        kind("a platform", Role::Verifier, tenant.platform.clone()),
        kind("an auditor", Role::Auditor, tenant.auditor.clone()),
    ];
    for (name, role, wire, organisation) in [
        ("an organisation's administrator", Role::OrgAdmin, admin::Role::OrgAdmin, Some("north")),
        ("a help desk", Role::HelpDesk, admin::Role::HelpDesk, None),
        ("an organisation's help desk", Role::HelpDesk, admin::Role::HelpDesk, Some("north")),
        ("an organisation's platform", Role::Verifier, admin::Role::Verifier, Some("north")),
    ] {
        let key = key(&tenant.admin, wire, organisation).await;
        let caller = Caller::new(house.channel(), &key);
        kinds.push(Kind { organisation, ..kind(name, role, caller) });
    }
    for user in ["ann", "cid"] {
        let token = self_service_token(tenant, user).await;
        let caller = Caller::new(house.channel(), &token);
        kinds.push(Kind { user: Some(user), ..kind("a user", Role::SelfService, caller) });
    }
    kinds
}

fn kind(name: &'static str, role: Role, caller: Caller) -> Kind {
    Kind { name, role, organisation: None, user: None, caller }
}
