//! A server that is asked to stop under load, and one that cannot start.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test says so by panicking")]

use std::{collections::HashSet, fs, net::TcpListener, os::unix::fs::PermissionsExt as _};

use countersign_proto::{
    audit::{ReplayEventsRequest, replay_events_response::Item},
    challenge::{ChallengeStatus, WatchChallengeRequest},
};
use countersign_tests::{
    Process, Tenant,
    load::{Load, verifications, widen},
    process::{as_somebody, command, doctor, run, serve, text},
};
use tempfile::TempDir;
use tokio::process::Command;

const PLATFORMS: usize = 8;

/// Follows the log until the stream ends, and returns how many events came.
async fn follow(tenant: Tenant) -> usize {
    let request = ReplayEventsRequest { follow: true, ..Default::default() };
    let mut items = tenant.auditor.audit().replay_events(request).await.unwrap().into_inner();
    let mut count = 0;
    while let Some(item) = items.message().await.unwrap() {
        count += usize::from(matches!(item.item, Some(Item::Event(_))));
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_asked_to_stop_ends_streams_and_loses_nothing_that_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path()).await;
    let tenant = process.tenant("acme").await;
    widen(&tenant).await;
    let waiting = tenant.clone();
    waiting.enrol("waiting").await;
    let challenge = waiting.challenge("waiting").await;
    let request = WatchChallengeRequest {
        user_id: "waiting".to_owned(),
        challenge_id: challenge.challenge_id,
    };
    let watched = tenant.platform.challenge().watch_challenge(request).await;
    let mut watched = watched.unwrap().into_inner();
    let state = watched.message().await.unwrap().unwrap().challenge.unwrap();
    assert_eq!(state.status(), ChallengeStatus::Pending);
    let followed = tokio::spawn(follow(tenant.over(&process.connect().await)));
    let load = Load::begin(&process, &tenant, "user", PLATFORMS).await;
    load.until(|progress| progress.answered >= 300).await;

    let ended = process.stop().await;
    assert_eq!(ended.status.code(), Some(0), "{}", ended.log);
    assert!(ended.log.lines().last().unwrap().contains(r#""message":"stopped""#), "{}", ended.log);
    for level in ["WARN", "ERROR"] {
        assert!(!ended.log.contains(&format!(r#""level":"{level}""#)), "{}", ended.log);
    }
    assert!(watched.message().await.unwrap().is_none());
    let noted = load.end().await;
    assert!(followed.await.unwrap() > noted.verified.len());
    let found = doctor(directory.path()).await;
    assert!(found.contains("events can be read"), "{found}");

    let process = Process::start(directory.path()).await;
    let tenant = tenant.over(&process.connect().await);
    let stored = verifications(&tenant).await;
    let stored: HashSet<_> = stored.iter().map(|verified| &verified.challenge_id).collect();
    assert!(noted.verified.len() > 50, "there was little load");
    for verified in noted.verified {
        assert!(stored.contains(&verified.request.challenge_id), "lost: {verified:?}");
    }
    assert_eq!(process.stop().await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_of_another_kind_does_not_disturb_an_orderly_stop() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path()).await;
    process.terminate();
    process.interrupt();
    assert_eq!(process.ended().await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_same_directory_is_told_who_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(directory.path()).await;
    let said = refused(serve(directory.path())).await;
    let lock = directory.path().join("LOCK").display().to_string();
    let holder = format!("{lock} is held by process {}", process.id());
    assert!(said.contains(&holder), "{said}");
    // The first one has not noticed.
    process.tenant("acme").await;
    assert_eq!(process.stop().await.status.code(), Some(0));
}

/// Runs a server that must not start, and returns what it says after the lines of its log.
async fn refused(command: Command) -> String {
    let output = run(command).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(text(&output.stdout), "");
    let said = text(&output.stderr);
    let at = said.find("error: the server ended with an error: ");
    said.get(at.unwrap_or_else(|| panic!("it gives no reason: {said}"))..).unwrap().to_owned()
}

fn with_config(directory: &TempDir, config: &str) -> Command {
    let path = directory.path().join("countersign.yaml");
    fs::write(&path, config).unwrap();
    let mut command = serve(&directory.path().join("data"));
    command.arg("--config").arg(path);
    command
}

#[tokio::test]
async fn a_configuration_that_cannot_be_used_is_named_with_what_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    for (config, problem) in [
        ("listen: [\n", "did not find expected"),
        ("lisen: 127.0.0.1:1\n", "unknown field `lisen`, expected one of `listen`"),
        ("log: { colour: red }\n", "unknown field `colour`"),
        ("mode: staging\n", "staging"),
        ("request_timeout_seconds: 0\n", "request_timeout_seconds must be 1 to 300"),
    ] {
        let said = refused(with_config(&directory, config)).await;
        assert!(said.contains(problem), "{config:?}: {said}");
        assert_eq!(said.matches(problem).count(), 1, "{config:?} is told twice: {said}");
        let named = said.contains("countersign.yaml") || said.contains("request_timeout_seconds");
        assert!(named, "{config:?}: {said}");
    }
    let mut missing = serve(&directory.path().join("data"));
    missing.arg("--config").arg(directory.path().join("nowhere.yaml"));
    let said = refused(missing).await;
    assert!(said.contains("nowhere.yaml") && said.contains("not found"), "{said}");
    let mut filter = serve(&directory.path().join("data"));
    filter.args(["--log-filter", "countersign=loud"]);
    let said = refused(filter).await;
    assert!(said.contains("log.filter: "), "{said}");
    assert!(
        !directory.path().join("data").exists(),
        "nothing is made before the settings are right"
    );
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut command = command(["serve", "--listen", &address, "--data-dir"]);
    command.arg(directory.path());
    let said = refused(command).await;
    assert!(said.contains(&format!("cannot listen at {address}")), "{said}");
    assert!(said.contains("Address already in use"), "{said}");
    // Whoever frees the port starts again, on what the first start has made.
    drop(Process::start(directory.path()).await);
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    fs::create_dir(&data_dir).unwrap();
    fs::set_permissions(&data_dir, fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    for unwritable in [data_dir.clone(), data_dir.join("below")] {
        let said = refused(as_somebody(directory.path(), serve(&unwritable))).await;
        assert!(said.contains(unwritable.to_str().unwrap()), "{said}");
        assert!(said.contains("Permission denied"), "{said}");
    }
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let said = refused(serve(&file)).await;
    assert!(said.contains(file.to_str().unwrap()), "{said}");
}
