//! `docs/access.md`: who may call what.

use std::collections::{BTreeMap, BTreeSet};

use countersign_domain::tenant::Role;
use countersign_service::access::{OPEN_PREFIXES, ROWS, allowed_roles};
use countersign_tests::schema::rpcs;

use super::{assert_generated, table};

const ROLES: [Role; 4] = [Role::PlatformAdmin, Role::TenantAdmin, Role::Verifier, Role::Auditor];

#[test]
fn the_page_of_access_says_what_the_table_of_the_access_layer_says() {
    let mut services: BTreeMap<&str, Vec<Vec<String>>> = BTreeMap::new();
    for (path, roles) in ROWS {
        let (service, method) = path.trim_start_matches('/').split_once('/').unwrap();
        let marks = ROLES.map(|role| if roles.contains(&role) { "yes" } else { "" }.to_owned());
        let row = [format!("`{method}`")].into_iter().chain(marks).collect();
        services.entry(service).or_default().push(row);
    }
    let open: Vec<_> = OPEN_PREFIXES.iter().map(|prefix| format!("`{prefix}`")).collect();
    let mut page = format!(
        "# Access\n\nWhich roles may call which RPC. The server refuses to start while an RPC has no row. A key may \
         hold several roles; one of them is enough. Whatever the role, a caller sees its own tenant only, except \
         `platform_admin` and `auditor` of the tenant `platform`, which name one in the metadata \
         `countersign-tenant`.\n\nWithout a key, only paths that begin with {} are answered.\n",
        open.join(", ")
    );
    let head: Vec<_> = ["RPC"].into_iter().chain(ROLES.map(Role::as_str)).collect();
    for (service, rows) in services {
        page += &format!("\n## {service}\n\n{}", table(&head, rows));
    }
    assert_generated("access.md", &page);
}

#[test]
fn the_comment_of_every_rpc_names_exactly_the_roles_that_may_call_it() {
    for rpc in rpcs() {
        let path = rpc.path();
        let roles = allowed_roles(&path).unwrap_or_else(|| panic!("{path} has no row"));
        let allowed: BTreeSet<_> = roles.iter().map(|role| role.as_str().to_owned()).collect();
        assert_eq!(rpc.roles(), allowed, "{path}: its comment says the former");
    }
}
