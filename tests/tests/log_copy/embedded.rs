//! From one data directory into another.

use std::{fs, os::unix::fs::PermissionsExt as _};

use countersign::engines::{LogAddress, create_log};
use countersign_eventsourcing::contract::{Sample, after};
use countersign_tests::{
    Process,
    process::{command, run, text},
};

use crate::{
    copied, digest,
    logs::{add, embedded, everything, fill},
    refused,
};

#[tokio::test]
async fn a_copy_is_the_same_and_copying_again_copies_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (embedded(&directory.path().join("a")), embedded(&directory.path().join("b")));
    fill(&from, &Sample::new(), 300).await;
    let original = everything(&from).await;
    let told = copied(&from, &to).await;
    assert_eq!(everything(&to).await, original);
    assert_eq!(
        (told["copied"].as_u64(), &told["same"]),
        (Some(original.len() as u64), &true.into())
    );
    assert_eq!(digest(&from).await, digest(&to).await);
    assert!(digest(&to).await.contains(told["source"]["digest"].as_str().unwrap()));
    let again = copied(&from, &to).await;
    assert_eq!((&again["already"], &again["copied"]), (&told["copied"], &0.into()));
    add(&from, &Sample::new(), "later").await;
    assert_ne!(digest(&from).await, digest(&to).await);
    assert_eq!(copied(&from, &to).await["copied"], 1);
    let mode = fs::metadata(directory.path().join("b")).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "others may read the copy: {mode:o}");
}

#[tokio::test]
async fn people_are_told_both_digests_the_speed_and_what_to_do_about_keys() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (embedded(&directory.path().join("a")), embedded(&directory.path().join("b")));
    fill(&from, &Sample::new(), 20).await;
    let output = run(command(["log", "copy", "--from", &from, "--to", &to])).await;
    let told = text(&output.stdout);
    assert_eq!(text(&output.stderr), "", "a bar is drawn on terminals only");
    let digests: Vec<_> =
        told.lines().filter_map(|line| line.split_once("sha256:")).map(|(_, sum)| sum).collect();
    assert!(matches!(digests[..], [one, other] if one == other && one.len() == 64), "{told}");
    assert!(told.contains("/s); 0 were there already") && told.contains("keys"), "{told}");
}

#[tokio::test]
async fn a_dry_run_counts_and_makes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (embedded(&directory.path().join("a")), embedded(&directory.path().join("b")));
    fill(&from, &Sample::new(), 20).await;
    let dry = || command(["log", "copy", "--dry-run", "--from", &from, "--to", &to]);
    let said = run(dry()).await;
    assert!(text(&said.stderr).contains("there is no event log in"), "{said:?}");
    assert!(!directory.path().join("b").exists());
    copied(&from, &to).await;
    add(&from, &Sample::new(), "later").await;
    let before = digest(&to).await;
    let said = run(dry()).await;
    assert!(text(&said.stdout).contains("would copy 1 events; "), "{said:?}");
    assert_eq!(digest(&to).await, before);
}

#[tokio::test]
async fn a_destination_with_one_event_altered_or_more_is_refused_by_position() {
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (embedded(&directory.path().join("a")), embedded(&directory.path().join("b")));
    fill(&from, &Sample::new(), 20).await;
    copied(&from, &to).await;
    let original = everything(&to).await;
    add(&to, &Sample::new(), "extra").await;
    let said = refused(&from, &to).await;
    let (last, extra) = (original.len() - 1, original.len());
    assert!(
        said.contains(&format!("position {extra} comes after the source's last one")),
        "{said}"
    );
    assert!(said.contains(&format!(", at position {last}")), "{said}");
    let altered = embedded(&directory.path().join("c"));
    let open = create_log(&altered.parse::<LogAddress>().unwrap()).await.unwrap();
    for recorded in &original {
        let mut event = recorded.event.clone();
        if recorded.position.0 == 7 {
            event.payload = "altered".into();
        }
        open.log().append(&recorded.stream, after(recorded.revision.0), &[event]).await.unwrap();
    }
    open.close().await;
    let before = digest(&altered).await;
    let said = refused(&from, &altered).await;
    let named = "position 7 differs from the source's at position 7 in its payload";
    assert!(said.contains(named), "{said}");
    assert_eq!(digest(&altered).await, before);
    assert_ne!(digest(&from).await, before);
}

#[tokio::test]
async fn a_log_that_a_server_has_open_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start(&directory.path().join("a")).await;
    let from = embedded(&directory.path().join("a"));
    let said = refused(&from, &embedded(&directory.path().join("b"))).await;
    assert!(said.contains(&format!("is held by process {}", server.id())), "{said}");
    assert!(!directory.path().join("b").exists());
}
