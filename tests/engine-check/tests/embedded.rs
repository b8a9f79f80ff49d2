//! The program against the embedded log, as an operator runs it.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

use std::process::{Command, Output};

use countersign_eventsourcing::contract;

fn check(words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersign-engine-check"));
    command.env_remove("COUNTERSIGN_LOG").args(words).output().unwrap()
}

fn printed(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn the_embedded_log_passes_every_check_and_every_fault_within_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let log = format!("embedded:{}", directory.path().join("data").display());
    let output = check(&["--log", &log, "--create", "--faults"]);
    let text = printed(&output);
    assert!(output.status.success(), "{text}");
    for name in contract::CHECKS {
        assert!(text.contains(&format!("ok       {name} (")), "{name}: {text}");
    }
    let passed = contract::CHECKS.len() + 5;
    assert!(text.ends_with(&format!("\n{passed} passed, 0 failed, 1 skipped\n")), "{text}");
}

#[test]
fn a_log_that_is_not_there_fails_each_check_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let log = format!("embedded:{}", directory.path().join("data").display());
    let name = contract::CHECKS[0];
    let output = check(&["--log", &log, "--only", name]);
    let text = printed(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains(&format!("FAILED   {name}: there is no event log in")), "{text}");
    assert!(text.ends_with("\n0 passed, 1 failed, 0 skipped\n"), "{text}");
}

#[test]
fn hooks_are_run_around_the_fault() {
    let directory = tempfile::tempdir().unwrap();
    let log = format!("embedded:{}", directory.path().join("data").display());
    let (gone, back) = (directory.path().join("gone"), directory.path().join("back"));
    // This engine has no server that could go away: what is seen is that both are run, and in their order.
    let output = check(&[
        "--log",
        &log,
        "--create",
        "--only",
        "while_the_server_is_away_answers_come_within_10_s",
        "--hook-before-fault",
        &format!("touch {}", gone.display()),
        "--hook-after",
        &format!("mv {} {}", gone.display(), back.display()),
    ]);
    assert!(output.status.success(), "{}", printed(&output));
    assert!(back.exists());
}

#[test]
fn wrong_usage_is_told_with_exit_code_2_and_names_are_listed() {
    assert_eq!(check(&[]).status.code(), Some(2));
    assert_eq!(check(&["--log", "nowhere"]).status.code(), Some(2));
    let listed = check(&["--list"]);
    assert!(listed.status.success());
    assert_eq!(printed(&listed).lines().count(), contract::CHECKS.len() + 6);
}
