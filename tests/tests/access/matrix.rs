//! The matrix: allowed or denied as the table of access and the places of users say, and every denial like every other.

use countersign_domain::tenant::Role;
use countersign_service::{
    access::allowed_roles,
    peers::{Effect, METHODS},
};
use countersign_tests::{
    House, Told, reason,
    schema::{Rpc, rpcs},
};
use prost_reflect::{DynamicMessage, Value};
use tonic::{Code, Status};

use crate::callers::{Kind, TARGETS, Target, fill, kinds};

/// Only for callers that are not confined to an organisation, whatever their role.
const UNCONFINED: [&str; 1] = ["PlaceUser"];

/// Returns whether `kind` may call `rpc` about `target`.
fn is_allowed(kind: &Kind, rpc: &Rpc, target: Option<&Target>) -> bool {
    let path = rpc.path();
    let changes =
        METHODS.iter().any(|(known, effect)| *known == path && *effect == Effect::Mutation);
    let by_role = allowed_roles(&path).unwrap().contains(&kind.role);
    let by_organisation = kind.organisation.is_none() || !UNCONFINED.contains(&rpc.0.name());
    let by_target = target.is_none_or(|target| {
        let is_inside = kind.organisation.is_none() || kind.organisation == target.organisation;
        let is_own = kind.user.is_none_or(|user| user == target.user_id);
        let is_above = kind.role == Role::HelpDesk && target.privileged && changes;
        is_inside && is_own && !is_above
    });
    by_role && by_organisation && by_target
}

/// A request that names a user and nothing else: whoever is let through is told what is missing, or answered.
fn request(rpc: &Rpc, target: Option<&Target>) -> DynamicMessage {
    let mut message = DynamicMessage::new(rpc.0.input());
    if let Some(target) = target {
        message.set_field_by_name("user_id", Value::String(target.user_id.to_owned()));
    }
    message
}

fn is_denied(answer: &Result<Vec<Vec<u8>>, Status>) -> bool {
    answer.as_ref().is_err_and(|status| status.code() == Code::PermissionDenied)
}

/// What an auditor or administrator of all users asks for by a user, and may leave out.
fn is_about_a_user(rpc: &Rpc) -> bool {
    rpc.0.input().get_field_by_name("user_id").is_some() && rpc.0.name() != "ReplayEvents"
}

#[tokio::test(flavor = "multi_thread")]
async fn every_caller_is_let_do_what_the_table_and_the_places_of_users_say_and_nothing_else() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    fill(&tenant).await;
    let kinds = kinds(&house, &tenant).await;
    let mut denials = Vec::new();
    let mut tried = 0;
    for rpc in rpcs().filter(|rpc| !rpc.path().starts_with("/grpc.")) {
        let targets: Vec<_> =
            if is_about_a_user(&rpc) { TARGETS.iter().map(Some).collect() } else { vec![None] };
        for target in targets {
            for kind in &kinds {
                // It would end the users that the others ask for.
                if rpc.0.name() == "EraseUser" && is_allowed(kind, &rpc, target) {
                    continue;
                }
                let answer = kind.caller.call(&rpc.path(), &request(&rpc, target)).await;
                let whom = target.map_or("", |target| target.user_id);
                let what = format!("{} {whom} as {}: {answer:?}", rpc.path(), kind.name);
                assert_eq!(is_denied(&answer), !is_allowed(kind, &rpc, target), "{what}");
                if let Err(status) = answer {
                    assert_ne!(reason(&status), "UNAUTHENTICATED", "{what}");
                    if status.code() == Code::PermissionDenied {
                        denials.push(Told::by(&status));
                    }
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 900, "{tried} calls are too few for all RPCs, users and callers");
    denials.dedup();
    assert_eq!(denials.len(), 1, "every denial looks like every other: {denials:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_of_another_tenant_is_not_let_near() {
    let house = House::start().await;
    let (acme, globex) = (house.tenant("acme").await, house.tenant("globex").await);
    for tenant in [&acme, &globex] {
        fill(tenant).await;
    }
    let strangers = kinds(&house, &globex).await;
    let strangers = strangers.iter().filter(|kind| {
        !matches!(kind.role, Role::PlatformAdmin) && kind.name != "an auditor of the installation"
    });
    for kind in strangers {
        let caller = kind.caller.naming("acme");
        for rpc in rpcs().filter(|rpc| !rpc.path().starts_with("/grpc.")) {
            let target = is_about_a_user(&rpc).then_some(&TARGETS[0]);
            let answer = caller.call(&rpc.path(), &request(&rpc, target)).await;
            assert!(is_denied(&answer), "{} as {}: {answer:?}", rpc.path(), kind.name);
        }
    }
}
