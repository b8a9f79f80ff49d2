//! One process over the embedded log, with its logs as wide open as they go: text, and JSON with callers of an issuer.

use std::{fs, path::Path};

use countersign_tests::{
    Process, files, latin,
    process::{command_of, doctor, program, run, serve, text},
};
use data_encoding::HEXLOWER;
use tokio::process::Command;

use crate::{
    callers,
    list::{KNOWN, List},
    misplaced::{malform, misplace},
    outside, story,
};

/// All that may be logged; libraries are named too, in case that makes a difference.
pub(crate) const EVERYTHING: &str = "trace,h2=trace,hyper=trace,tonic=trace,tower=trace,rustls=trace,async_nats=trace,reqwest=trace";

fn traced(data_dir: &Path) -> Command {
    let mut command = serve(data_dir);
    command.args(["--log-filter", EVERYTHING]);
    command
}

/// Tells the story to `process`; returns the id of one of its requests.
async fn tell(process: &Process, list: &mut List) -> String {
    let operator = process.operator().await;
    let tenant = story::tenant(&operator, process.connect().await, list).await;
    callers::try_keys(&tenant, list).await;
    let correlation = story::tell(&tenant, list).await;
    for caller in [operator.naming("acme"), tenant.platform.clone()] {
        misplace(&caller, list).await;
        malform(&caller, list).await;
    }
    story::erase(&tenant, list).await;
    outside::search(process.id(), list);
    correlation
}

/// Adds all keys that were drawn: of their length nothing else is.
fn add_keys(draws: &Path, list: &mut List) {
    let draws = fs::read_to_string(draws).unwrap();
    let keys: Vec<_> = draws.lines().map(|key| HEXLOWER.decode(key.as_bytes()).unwrap()).collect();
    // Key-encryption key, index key and the first API key; then those of tenants and users.
    assert!(keys.len() > 8, "only {} keys", keys.len());
    for key in keys {
        list.sought.add_bytes("a key", &key);
    }
}

/// Searches the data directory, but for the two files whose purpose it is to hold a secret.
fn search_files(data_dir: &Path, list: &List) {
    let mut known = 0;
    let secret = ["first-key", "keys/kek"].map(|name| data_dir.join(name));
    for path in files(data_dir).into_iter().filter(|path| !secret.contains(path)) {
        let content = fs::read(&path).unwrap();
        known += usize::from(latin(&content).contains(KNOWN));
        list.is_not_in(&content, &path.display().to_string());
    }
    assert!(known > 0, "the search does not find what is stored");
    let first_key = fs::read(&secret[0]).unwrap();
    assert!(list.sought.found_in(&latin(&first_key)).contains(&"an API key"));
}

/// Searches what commands say that look a server over.
async fn search_commands(process: &Process, list: &List) {
    for words in [&["audit", "replay", "--json"][..], &["status", "--json"], &["tenants", "list"]] {
        let output = run(process.command(words)).await;
        assert!(output.status.success(), "{words:?}: {}", text(&output.stderr));
        assert!(!output.stdout.is_empty(), "{words:?}");
        list.is_not_in(&output.stdout, &words.join(" "));
        list.is_not_in(&output.stderr, &words.join(" "));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_logged_as_json_told_or_stored_in_the_clear() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let (issuer, settings) = callers::issuer(directory.path()).await;
    let traced = || {
        let mut command = traced(&data_dir);
        command.arg("--config").arg(&settings);
        command
    };
    let mut list = List::personal();
    let process = Process::spawn(traced(), &data_dir).await;
    let correlation = tell(&process, &mut list).await;
    callers::show_tokens(&issuer, &process.operator().await, &mut list).await;
    search_commands(&process, &list).await;
    let mut log = process.kill().await.log;
    // What a start after a crash tells, and what is written when a server stops.
    log.push_str(&Process::spawn(traced(), &data_dir).await.stop().await.log);

    assert!(log.contains(&correlation), "the search does not find what is logged");
    assert!(log.contains(r#""name":"rpc""#), "there are no spans in the log");
    list.is_not_in(log.as_bytes(), "the log");
    list.was_not_told();
    search_files(&data_dir, &list);
    let said = doctor(&data_dir).await;
    list.is_not_in(said.as_bytes(), "what the doctor says");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_logged_as_text_and_no_key_is_stored_in_the_clear() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let draws = directory.path().join("draws");
    let words = ["serve", "--listen", "127.0.0.1:0", "--log-filter", EVERYTHING, "--data-dir"];
    let mut command = command_of(&program("countersign-chance"), words);
    command.arg(&data_dir).env("COUNTERSIGN_TEST_DRAWS", &draws);
    let mut list = List::personal();
    let process = Process::spawn_in_text(command, &data_dir).await;
    let correlation = tell(&process, &mut list).await;
    let log = process.stop().await.log;
    add_keys(&draws, &mut list);
    assert!(log.contains(&correlation), "the search does not find what is logged");
    assert!(log.contains("rpc{rpc.method="), "there are no spans in the log");
    list.is_not_in(log.as_bytes(), "the log");
    list.was_not_told();
    search_files(&data_dir, &list);
}
