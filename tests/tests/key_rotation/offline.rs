//! `countersign keyring`, at a server and without one.

use std::path::Path;

use countersign_tests::{
    Process,
    process::{command, doctor, run, text},
    tools::said,
};
use tokio::process::Command;

fn offline(data_dir: &Path, words: &[&str]) -> Command {
    let mut command = command(words);
    command.arg("--data-dir").arg(data_dir);
    command
}

async fn refused(command: Command) -> String {
    let output = run(command).await;
    assert!(!output.status.success(), "it succeeded");
    text(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_from_the_command_line_with_a_server_and_without() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let process = Process::start(&data_dir).await;
    let tenant = process.tenant("acme").await;
    tenant.enrol("ann").await;
    let seen = said(process.command(&["keyring", "status"])).await;
    assert!(seen.contains("kept by local: version 1 wraps; in the ring: 1"), "{seen}");
    let seen = said(process.command(&["keyring", "rotate"])).await;
    assert!(seen.contains("in the ring: 1, 2"), "{seen}");
    let status = ["keyring", "status"];
    while !said(process.command(&status)).await.contains("countersign keyring retire") {}
    let seen = said(process.command(&["keyring", "retire"])).await;
    assert!(seen.contains("version 2 wraps; in the ring: 2\n"), "{seen}");
    said(process.command(&["keyring", "rewrap"])).await;
    let words = ["keyring", "assertion", "rotate", "--algorithm", "eddsa", "--json"];
    let seen = said(process.command(&words)).await;
    assert_eq!(seen.lines().count(), 2, "{seen}");

    // Whoever has the directory open is named, and nothing is done beside it.
    let said_no = refused(offline(&data_dir, &["keyring", "rotate", "--offline"])).await;
    assert!(said_no.contains("only one process"), "{said_no}");
    process.stop().await;
    let seen = said(offline(&data_dir, &["keyring", "rotate", "--offline"])).await;
    assert!(seen.contains("everything is wrapped under version 3"), "{seen}");
    let seen = said(offline(&data_dir, &["keyring", "retire", "--offline"])).await;
    assert!(seen.contains("version 3 wraps; in the ring: 3\n"), "{seen}");
    assert!(doctor(&data_dir).await.contains("1 data keys"));

    // Nothing is made where there is nothing.
    let nowhere = directory.path().join("nowhere");
    let said_no = refused(offline(&nowhere, &["keyring", "status", "--offline"])).await;
    assert!(said_no.contains("there is no directory") && !nowhere.exists(), "{said_no}");
}
