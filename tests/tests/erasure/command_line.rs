//! Erasing by the command line.

use countersign_tests::{
    Process,
    process::{run, text},
};

use crate::becomes;

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_erases_a_user_only_by_saying_that_it_is_meant() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path()).await;
    let tenant = process.tenant("acme").await;
    tenant.enrol("ann").await;
    let said = async |words: &[&str]| {
        let output = run(process.command(&[words, &["--tenant", "acme"]].concat())).await;
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, _, complaint) = said(&["users", "erase", "ann"]).await;
    assert_eq!(code, Some(2), "{complaint}");
    assert!(complaint.contains("--yes"), "{complaint}");
    let (_, replayed, _) = said(&["audit", "replay", "--user", "ann"]).await;
    assert!(replayed.contains("[sealed]") && !replayed.contains("UserErased"), "{replayed}");

    let words = ["users", "erase", "ann", "--reason", "moved away", "--yes"];
    let (code, told, complaint) = said(&words).await;
    assert_eq!((code, complaint.as_str()), (Some(0), ""));
    assert!(told.starts_with("erased at 2"), "{told}");
    let replay = async || said(&["audit", "replay", "--user", "ann"]).await.1;
    let shown = becomes(replay, |shown| !shown.contains("[sealed]")).await;
    assert!(shown.contains("[erased]") && shown.contains("reason=moved away"), "{shown}");
    let (_, shown, _) = said(&["users", "show", "ann"]).await;
    assert!(shown.contains("[erased]") && shown.contains("removed"), "{shown}");
    let (_, events, _) = said(&["audit", "replay", "--user", "ann", "--json"]).await;
    let marked = |line: &str| line.contains(r#""erased":true"#);
    assert!(events.lines().all(marked), "{events}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_says_how_long_a_tenants_users_stay() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path()).await;
    process.tenant("acme").await;
    let said = async |words: &[&str]| {
        let retention = ["tenants", "retention", "--tenant", "acme"];
        let output = run(process.command(&[&retention, words].concat())).await;
        text(&output.stdout) + &text(&output.stderr)
    };
    assert_eq!(said(&[]).await, "acme keeps all users\n");
    let set = "acme erases users without an event for 90 days\n";
    assert_eq!(said(&["--inactive-users", "90"]).await, set);
    assert_eq!(said(&[]).await, set);
    let refused = said(&["--inactive-users", "7"]).await;
    assert!(refused.contains("inactive_user_days") && refused.contains("30 to 3650"), "{refused}");
    assert_eq!(said(&["--inactive-users", "0"]).await, "acme keeps all users\n");
}
