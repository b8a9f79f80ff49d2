//! Replaying, following and folding.

use std::os::unix::process::ExitStatusExt as _;

use countersign_tests::{Lines, Process, Tenant, process::signal};
use rustix::process::Signal;
use tokio::process::Command;

use super::Said;

const ALICE: &str = "alice@example.com";

/// A server on which Alice has enrolled, failed and proved, and Bob has enrolled.
async fn scene(directory: &std::path::Path) -> (Process, Tenant) {
    let server = Process::start(directory).await;
    let tenant = server.tenant("acme").await;
    countersign_tests::load::widen(&tenant).await;
    let phone = tenant.enrol(ALICE).await;
    tenant.enrol("bob").await;
    let challenge = tenant.challenge(ALICE).await;
    tenant.refused(ALICE, &challenge, &phone.wrong_code(tenant.now())).await;
    let next = tenant.now().plus(std::time::Duration::from_secs(60));
    tenant.verified(ALICE, &challenge, &phone.code(next)).await;
    (server, tenant)
}

fn replay(server: &Process, words: &[&str]) -> Command {
    let mut command = server.command(&["audit", "replay", "--tenant", "acme"]);
    command.args(words);
    command
}

async fn types(command: Command) -> Vec<String> {
    let events = Said::json(command).await;
    events.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_replay_is_a_table_or_json_and_takes_filters() {
    let directory = tempfile::tempdir().unwrap();
    let (server, _) = scene(directory.path()).await;
    let table = Said::well(replay(&server, &[])).await;
    let first = table.lines().next().unwrap();
    assert!(first.trim_start().starts_with("POSITION  RECORDED AT"), "{table}");
    let all = types(replay(&server, &[])).await;
    assert_eq!(all[0], "TenantCreated");
    assert!(table.ends_with(&format!("\n{} events\n", all.len())), "{table}");
    assert_eq!(table.lines().count(), all.len() + 2, "{table}");

    let alices = types(replay(&server, &["--user", ALICE])).await;
    let expected = [
        "EnrollmentStarted",
        "EnrollmentConfirmed",
        "DefaultAuthenticatorSet",
        "ChallengeIssued",
        "AttemptFailed",
        "ChallengeVerified",
    ];
    assert_eq!(alices, expected);
    let picked = ["--type", "AttemptFailed", "--type", "ChallengeVerified"];
    assert_eq!(types(replay(&server, &picked)).await, ["AttemptFailed", "ChallengeVerified"]);
    assert_eq!(types(replay(&server, &["--limit", "2"])).await, all[..2]);
    assert_eq!(types(replay(&server, &["--since", "1h"])).await, all);
    assert_eq!(types(replay(&server, &["--since", "2100-01-01"])).await, [""; 0]);
    assert_eq!(types(replay(&server, &["--until", "1h"])).await, [""; 0]);
    let events = Said::json(replay(&server, &["--limit", "3"])).await;
    let position = events[2]["position"].as_str().unwrap();
    assert_eq!(types(replay(&server, &["--after", position])).await, all[3..]);
    let none = Said::well(replay(&server, &["--user", "nobody"])).await;
    assert_eq!(none, "no events match\n0 events\n");
    let said = Said::failing(replay(&server, &["--type", "ChallengeGuessed"])).await;
    assert!(said.contains("event_types") && said.contains("(FIELD_INVALID)"), "{said}");
    let said = Said::failing(server.command(&["audit", "replay", "--user", ALICE])).await;
    assert!(said.contains("must name the tenant"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_prints_what_comes_and_ends_when_it_is_interrupted() {
    let directory = tempfile::tempdir().unwrap();
    let (server, tenant) = scene(directory.path()).await;
    let mut tail = server.command(&["audit", "tail", "--tenant", "acme", "--user", ALICE]);
    let mut tail = tail.spawn().unwrap();
    let lines = Lines::of(tail.stdout.take().unwrap());
    lines.wait_for("new events follow").await.unwrap();
    tenant.challenge("bob").await;
    tenant.challenge(ALICE).await;
    let line = lines.wait_for("ChallengeIssued").await.unwrap();
    assert!(line.contains("challenges-acme."), "{line}");
    signal(&tail, Signal::INT);
    let status = tail.wait().await.unwrap();
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "{status}");
    let said = lines.all().await;
    assert_eq!(said.lines().count(), 2, "only what is new, and only hers: {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_as_json_begins_where_it_is_told_and_ends_with_the_server() {
    let directory = tempfile::tempdir().unwrap();
    let (server, _) = scene(directory.path()).await;
    let mut tail = server.command(&["audit", "tail", "--tenant", "acme", "--json"]);
    let mut tail = tail.args(["--since", "1h"]).spawn().unwrap();
    let lines = Lines::of(tail.stdout.take().unwrap());
    lines.wait_for("ChallengeVerified").await.unwrap();
    assert!(server.stop().await.status.success());
    let status = tail.wait().await.unwrap();
    assert_eq!(status.code(), Some(0));
    let parsed = |line| serde_json::from_str::<serde_json::Value>(line).is_ok();
    assert!(lines.all().await.lines().all(parsed));
}

#[tokio::test]
async fn a_user_is_shown_as_of_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let (server, tenant) = scene(directory.path()).await;
    tenant.challenge(ALICE).await;
    let as_of = |words: &[&str]| {
        let mut command = server.command(&["audit", "as-of", ALICE]);
        command.args(words).args(["--tenant", "acme"]);
        command
    };
    let now = Said::well(as_of(&[])).await;
    assert!(now.starts_with("as of 2") && now.contains("from 7 events"), "{now}");
    assert!(now.contains("second factor: always") && now.contains("  totp "), "{now}");
    assert!(now.contains("  vpn "), "{now}");
    let before = Said::well(as_of(&["1h"])).await;
    assert!(before.contains("from 0 events") && before.contains("none awaited"), "{before}");
    let now = Said::json(as_of(&[])).await;
    assert_eq!(now[0]["authenticators"].as_array().unwrap().len(), 1);
    assert_eq!(now[0]["openChallenges"].as_array().unwrap().len(), 1);
}
