//! An installation outgrows one machine: its keys and its log are copied, and its users notice nothing; and back again.

use std::sync::Arc;

use countersign_proto::challenge::VerificationOutcome;
use countersign_service::SystemClock;
use countersign_testkit::NatsServer;
use countersign_tests::{
    Phone, Process, Tenant,
    process::{command, run, serve, text},
};
use tokio::process::Command;

/// Runs a command that must succeed.
async fn done(words: &[&str]) -> String {
    let output = run(command(words)).await;
    let (told, complaint) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{words:?}: {told}{complaint}");
    told
}

/// The user proves with a code of `steps` after the present one.
async fn proves(tenant: &Tenant, phone: &Phone, steps: i64) {
    let challenge = tenant.challenge("ann").await;
    let soon = tenant.now().unix_seconds() + 30 * steps;
    let code = phone.code(countersign_core::Timestamp::from_unix_seconds(soon));
    let verified = tenant.verify("ann", &challenge, &code).await.unwrap();
    assert_eq!(verified.outcome(), VerificationOutcome::Verified);
    // What was used up stays used up, wherever the log is.
    let challenge = tenant.challenge("ann").await;
    let again = tenant.verify("ann", &challenge, &code).await.unwrap();
    assert_eq!(again.outcome(), VerificationOutcome::Refused);
}

fn over(mut command: Command, settings: &[(&str, &str)]) -> Command {
    command.envs(settings.iter().copied());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn users_notice_nothing_when_an_installation_changes_over_and_back() {
    let directory = tempfile::tempdir().unwrap();
    let place = |name: &str| directory.path().join(name).display().to_string();
    let (data, keys, back) = (place("data"), place("keys"), place("back"));
    let one = Process::start(data.as_ref()).await;
    let operator = one.operator().await;
    let tenant =
        Tenant::create(&operator, one.connect().await, "acme", Arc::new(SystemClock)).await;
    countersign_tests::load::widen(&tenant).await;
    let phone = tenant.enrol("ann").await;
    proves(&tenant, &phone, 1).await;
    one.stop().await;

    let nats = NatsServer::start().await;
    let (url, log) = (nats.url(), format!("jetstream:{}?replicas=1", nats.url()));
    let (from, shared) = (format!("embedded:{data}"), format!("shared:{keys}"));
    let copy_keys = ["log", "copy-keys", "--nats", &url, "--nats-replicas", "1"];
    done(&[&copy_keys[..], &["--from", &from, "--to", &shared]].concat()).await;
    done(&["log", "copy", "--from", &from, "--to", &log]).await;
    let many = ["--event-log", "jetstream", "--nats", &url, "--nats-replicas", "1"];
    let words = [&["init"], &many[..], &["--keys-dir", &keys, "--data-dir", &place("new")]];
    let told = done(&words.concat()).await;
    assert!(told.contains("There already"), "{told}");
    let settings = [
        ("COUNTERSIGN_EVENT_LOG", "jetstream"),
        ("COUNTERSIGN_NATS", &url),
        ("COUNTERSIGN_KEYS_DIR", &keys),
    ];
    let shared_log = Process::spawn(over(serve(data.as_ref()), &settings), data.as_ref()).await;
    let there = tenant.over(&shared_log.connect().await);
    proves(&there, &phone, 2).await;
    let other = there.enrol("bob").await;
    shared_log.stop().await;

    let to = format!("embedded:{back}");
    done(&["log", "copy", "--from", &log, "--to", &to]).await;
    done(&[&copy_keys[..], &["--from", &shared, "--to", &to]].concat()).await;
    let one = Process::start(back.as_ref()).await;
    let here = tenant.over(&one.connect().await);
    proves(&here, &phone, 3).await;
    assert!(!other.authenticator_id.is_empty());
    let challenge = here.challenge("bob").await;
    let soon = here.now().unix_seconds() + 30;
    let code = other.code(countersign_core::Timestamp::from_unix_seconds(soon));
    let verified = here.verify("bob", &challenge, &code).await.unwrap();
    assert_eq!(verified.outcome(), VerificationOutcome::Verified);
    one.stop().await;
}
