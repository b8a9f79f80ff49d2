//! The demo, with a server of its own and against one that runs.

use std::path::Path;

use countersign_tests::{
    Lines, Process,
    process::{command, doctor, signal},
};
use rustix::process::Signal;
use tokio::process::{Child, Command};

use super::Said;

fn demo(data_dir: &Path) -> Command {
    let mut command = command(["demo", "--serve", "--listen", "127.0.0.1:0", "--data-dir"]);
    command.arg(data_dir);
    command
}

fn spawn(data_dir: &Path) -> (Child, Lines) {
    let mut child = demo(data_dir).spawn().unwrap();
    let lines = Lines::of(child.stdout.take().unwrap());
    (child, lines)
}

fn assert_told(story: &str) {
    for chapter in 1..=8 {
        let begins = story.lines().any(|line| line.starts_with(&format!("{chapter}. ")));
        assert!(begins, "chapter {chapter} is missing: {story}");
    }
    assert!(story.contains("████ ▄▄▄▄▄ █"), "there is no QR code: {story}");
    assert!(story.contains("otpauth://totp/Demo:"), "{story}");
    assert!(story.contains("What to try next"), "{story}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_serves_tells_everything_and_goes_on_until_it_is_interrupted() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    // The second time there is a tenant of that name already.
    for how in [Signal::INT, Signal::TERM] {
        let (mut child, lines) = spawn(&data_dir);
        let serving = lines.wait_for("The server goes on at ").await.unwrap();
        assert_told(&lines.so_far());
        let address = serving.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
        let mut list = command(["tenants", "list", "--server", address, "--api-key-file"]);
        list.arg(data_dir.join("first-key"));
        assert!(Said::well(list).await.contains("demo"));
        signal(&child, how);
        assert_eq!(child.wait().await.unwrap().code(), Some(0));
        // Its server has ended with it, in order.
        doctor(&data_dir).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_is_interrupted_in_the_middle_leaves_no_server_behind() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    for moment in ["A server listens at", "3. Alice enrols"] {
        let (mut child, lines) = spawn(&data_dir);
        lines.wait_for(moment).await.unwrap();
        signal(&child, Signal::INT);
        assert_eq!(child.wait().await.unwrap().code(), Some(0));
        doctor(&data_dir).await;
    }
}

#[tokio::test]
async fn the_demo_runs_against_a_server_that_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start(directory.path()).await;
    assert_told(&Said::well(server.command(&["demo"])).await);
    let said = Said::by(server.command(&["demo", "--json"])).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    let said = Said::by(server.command(&["demo", "--data-dir", "x"])).await;
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("--serve"), "{said:?}");
}
