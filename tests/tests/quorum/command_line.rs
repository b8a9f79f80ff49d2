//! Approving by the command line.

use std::fs;

use countersign_proto::admin::{CreateApiKeyRequest, Role};
use countersign_tests::{
    Process,
    process::{run, text},
};

use crate::{asked, break_glass, only, set_quorum};
use countersign_proto::admin::DangerousAct;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_lists_shows_approves_and_declines() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&directory.path().join("data")).await;
    let tenant = process.tenant("acme").await;
    let said = async |words: &[&str]| {
        let output = run(process.command(&[words, &["--tenant", "acme"]].concat())).await;
        text(&output.stdout) + &text(&output.stderr)
    };
    assert_eq!(said(&["approvals", "list"]).await, "nothing waits to be approved\n");
    set_quorum(&tenant.admin, only(DangerousAct::BreakGlass, 2)).await.unwrap();
    let id = asked(break_glass(&tenant.admin, "glass").await);
    let listed =
        crate::becomes(async || said(&["approvals", "list"]).await, |listed| listed.contains(&id))
            .await;
    assert!(listed.contains("break-glass") && listed.contains("0 of 2"), "{listed}");
    let shown = said(&["approvals", "approve", &id]).await;
    assert!(shown.contains("1 of 2") && shown.contains("nobody gets codes"), "{shown}");
    let shown = said(&["approvals", "show", &id, "--json"]).await;
    assert!(shown.contains(r#""state":"APPROVAL_STATE_PENDING""#), "{shown}");
    let shown = said(&["approvals", "decline", &id, "--reason", "not today"]).await;
    assert!(shown.contains("declined") && shown.contains("not today"), "{shown}");
    assert_eq!(said(&["approvals", "list"]).await, "nothing waits to be approved\n");
    assert!(said(&["approvals", "list", "--all"]).await.contains(&id));
    let refused = said(&["approvals", "approve", &id]).await;
    assert!(refused.contains("APPROVAL_DECLINED"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_needs_approval_says_how_it_is_given_and_is_done_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&directory.path().join("data")).await;
    let tenant = process.tenant("acme").await;
    // Issued before there is a quorum.
    let request = CreateApiKeyRequest {
        display_name: "bob".to_owned(),
        roles: vec![Role::TenantAdmin.into()],
        ..Default::default()
    };
    let bob = tenant.admin.admin().create_api_key(request).await.unwrap().into_inner().secret;
    let bobs_key = directory.path().join("bob");
    fs::write(&bobs_key, bob).unwrap();
    set_quorum(&tenant.admin, only(DangerousAct::LoosenQuorum, 1)).await.unwrap();
    let create = ["keys", "create", "eve", "--role", "tenant-admin", "--tenant", "acme"];
    let output = run(process.command(&create)).await;
    let refused = text(&output.stderr);
    assert!(!output.status.success() && refused.contains("APPROVAL_REQUIRED"), "{refused}");
    let (_, after) = refused.split_once("countersign approvals approve ").unwrap();
    let id = after.lines().next().unwrap().trim().to_owned();
    assert!(refused.contains(&format!("--approval {id}")), "{refused}");
    let by_bob = ["approvals", "approve", &id, "--api-key-file", bobs_key.to_str().unwrap()];
    let approved = text(&run(process.command(&by_bob)).await.stdout);
    assert!(approved.contains("ready"), "{approved}");
    let again = [&create[..], &["--approval", &id]].concat();
    let output = run(process.command(&again)).await;
    assert!(text(&output.stdout).starts_with("csk_acme."), "{}", text(&output.stderr));
}
