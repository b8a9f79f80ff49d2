//! What the demo says to try next, run by a shell as it is printed.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what goes wrong in a test has failed it")]

use std::{env, ffi::OsString, iter, process::Stdio};

use countersign_tests::{
    Lines, Process,
    tools::{buf, said},
};
use tokio::process::Command;

/// Commands as the demo prints them, below what each is good for.
fn suggestions(story: &str) -> Vec<(String, String)> {
    let (_, end) = story.split_once("What to try next\n").unwrap();
    let mut found: Vec<(String, String)> = Vec::new();
    for line in end.lines() {
        match (line.trim_start().strip_prefix("# "), found.last_mut()) {
            (Some(purpose), _) => found.push((purpose.to_owned(), String::new())),
            (None, Some((_, command))) => {
                command.push_str(line);
                command.push('\n');
            }
            (None, None) => panic!("a command without a purpose: {line}"),
        }
    }
    found
}

/// Prepares to run a command as somebody at a terminal would who has buf on the path.
fn shell(command: &str) -> Command {
    let directory = buf().parent().unwrap().to_owned();
    let path = env::var_os("PATH").unwrap_or_default();
    let path: OsString =
        env::join_paths(iter::once(directory).chain(env::split_paths(&path))).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-euc", command]).env("PATH", path).kill_on_drop(true);
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    shell
}

#[tokio::test]
async fn everything_that_the_demo_says_to_try_next_works() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start(&directory.path().join("data")).await;
    let story = said(server.command(&["demo"])).await;
    let found = suggestions(&story);
    let found: Vec<_> =
        found.iter().map(|(purpose, command)| (purpose.as_str(), command)).collect();
    let [
        ("watch what happens from now on", tail),
        ("what happened to Alice, as JSON", replay),
        ("how Alice stands now", show),
        ("how she stood a minute ago", as_of),
        (_, list),
        ("ask for a challenge yourself", challenge),
    ] = found[..]
    else {
        panic!("the demo suggests something else: {found:#?}")
    };

    // It goes on until it is interrupted, and so does the shell unless the command takes its place.
    let mut tail = shell(&format!("exec {}", tail.trim())).spawn().unwrap();
    let seen = Lines::of(tail.stdout.take().unwrap());
    assert!(seen.wait_for("caught up at position").await.is_some());

    let replayed = said(shell(replay)).await;
    assert!(replayed.lines().count() >= 10, "{replayed}");
    for line in replayed.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(event["tenant"], "demo");
    }
    let shown = said(shell(show)).await;
    assert!(shown.contains("totp") && shown.contains("recovery_code"), "{shown}");
    let stood = said(shell(as_of)).await;
    assert!(!stood.contains("recovery_code"), "a minute ago she had nothing: {stood}");

    let listed: serde_json::Value = serde_json::from_str(&said(shell(list)).await).unwrap();
    assert_eq!(listed["authenticators"].as_array().unwrap().len(), 2);
    assert!(!seen.so_far().contains("ChallengeIssued"));
    let opened: serde_json::Value = serde_json::from_str(&said(shell(challenge)).await).unwrap();
    assert_eq!(opened["challenge"]["status"], "CHALLENGE_STATUS_PENDING");
    assert!(seen.wait_for("ChallengeIssued").await.is_some());

    tail.kill().await.unwrap();
    assert!(server.stop().await.status.success());
}
