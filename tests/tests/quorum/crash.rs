//! A deed that is cut short between the agreement's use and its carrying out, and a tenant's erasure that is.

use std::path::Path;

use countersign::{World, serve::Installation};
use countersign_core::{TenantId, UserId};
use countersign_proto::admin::{EraseTenantRequest, ListTenantsRequest};
use countersign_tests::{
    Process,
    process::{command_of, doctor, program},
};

use crate::{Board, asked, becomes, break_glass, quorum, refused, set_quorum};

/// Starts the program that dies once an event of a type is in the log.
async fn dying(data_dir: &Path, event_type: &str) -> Process {
    let words = [data_dir.as_os_str(), event_type.as_ref()];
    let dying = command_of(&program("countersign-dies-erasing"), words);
    Process::spawn(dying, data_dir).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deed_cut_short_after_its_approval_was_used_is_done_by_repeating_it() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let process = Process::start(&data_dir).await;
    let channel = process.connect().await;
    let board = Board::seat(process.tenant("acme").await, &channel).await;
    set_quorum(&board.ada, quorum(2, 0)).await.unwrap();
    let id = asked(break_glass(&board.ada, "glass").await);
    board.agree(&id).await;
    process.stop().await;

    let process = dying(&data_dir, "ApprovalUsed").await;
    let ada = board.ada.over(process.connect().await).approved_by(&id);
    break_glass(&ada, "glass").await.unwrap_err();
    assert_eq!(process.ended().await.status.code(), None, "it was to be killed");

    let process = Process::start(&data_dir).await;
    let channel = process.connect().await;
    let tenant = board.tenant.over(&channel);
    let [ada, bob] = [&board.ada, &board.others[0]].map(|caller| caller.over(channel.clone()));
    let board = Board { tenant, ada, others: [bob.clone(), bob.clone(), bob] };
    assert_eq!((board.count("ApprovalUsed").await, board.count("GlassBroken").await), (1, 0));
    let ada = board.ada.approved_by(&id);
    // Neither another request nor another caller takes its place.
    assert_eq!(refused(break_glass(&ada, "other").await), "APPROVAL_CLOSED");
    let bob = board.others[0].approved_by(&id);
    assert_eq!(refused(break_glass(&bob, "glass").await), "APPROVAL_MISMATCH");
    for _ in 0..3 {
        break_glass(&ada, "glass").await.unwrap();
    }
    assert_eq!((board.count("ApprovalUsed").await, board.count("GlassBroken").await), (1, 1));
    process.stop().await;
    doctor(&data_dir).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_erasure_cut_short_is_finished_by_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let process = Process::start(&data_dir).await;
    let tenant = process.tenant("acme").await;
    for user in ["ann", "bob"] {
        tenant.enrol(user).await;
    }
    process.stop().await;

    let process = dying(&data_dir, "TenantErased").await;
    let request = EraseTenantRequest { request_id: "end".to_owned(), tenant_id: "acme".to_owned() };
    let operator = process.operator().await.naming("acme");
    operator.admin().erase_tenant(request).await.unwrap_err();
    assert_eq!(process.ended().await.status.code(), None, "it was to be killed");

    let process = Process::start(&data_dir).await;
    let operator = process.operator().await;
    let request = countersign_proto::audit::ReplayEventsRequest {
        event_types: vec!["UserErased".to_owned()],
        ..Default::default()
    };
    becomes(async || operator.replay(request.clone()).await.len(), |erased| *erased == 2).await;
    let listed = operator.admin().list_tenants(ListTenantsRequest::default()).await.unwrap();
    assert!(listed.into_inner().tenants.is_empty());
    process.stop().await;

    let installation = Installation::open(&data_dir, World::default()).await.unwrap();
    let foundation = &installation.foundation;
    for user in ["ann", "bob"] {
        let acme = TenantId::parse("acme").unwrap();
        let user = foundation.user(&acme, &UserId::parse(user).unwrap());
        let named = foundation.vault.name(&user.tenant, user.key, "test", b"test").await;
        assert!(named.is_err(), "the key is still there");
    }
    installation.close().await;
    doctor(&data_dir).await;
}
