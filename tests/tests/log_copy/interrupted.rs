//! Copies that are ended in the middle, and go on.

use std::{fs, path::Path, process::Stdio};

use countersign_eventsourcing::contract::Sample;
use countersign_tests::process::{signal, text};
use rustix::process::Signal;
use tokio::process::Child;

use crate::{
    copied, copying,
    logs::{embedded, everything, fill_quickly},
    refused,
};

const EVENTS: u64 = 12_000;

/// Returns how many bytes a log's journals have, without the zeros that they were made of in advance.
fn written(data_dir: &Path) -> usize {
    let Ok(files) = fs::read_dir(data_dir.join("db")) else { return 0 };
    let journals = files.map(|file| file.unwrap().path());
    let journals = journals.filter(|path| path.extension().is_some_and(|end| end == "jnl"));
    let used = |path| {
        let bytes = fs::read(path).unwrap_or_default();
        bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
    };
    journals.map(used).sum()
}

/// Starts a copy, and returns once it has written so many bytes.
async fn copying_until(from: &str, to: &Path, bytes: usize) -> Child {
    let mut copying = copying(from, &embedded(to)).stdout(Stdio::piped()).spawn().unwrap();
    while written(to) < bytes {
        assert_eq!(copying.try_wait().unwrap(), None, "it ended before it was interrupted");
        tokio::task::yield_now().await;
    }
    copying
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let from = embedded(&directory.path().join("a"));
    fill_quickly(&from, &Sample::new(), EVENTS).await;
    let original = everything(&from).await;
    let to = directory.path().join("b");
    let mut before = 0;
    for round in 1..=3 {
        let mut copying = copying_until(&from, &to, written(&to) + 100_000 * round).await;
        copying.start_kill().unwrap();
        assert!(copying.wait().await.unwrap().code().is_none(), "it ended by itself");
        let part = everything(&embedded(&to)).await;
        assert!(part.len() > before && part.len() < original.len(), "{} events", part.len());
        assert_eq!(part, original[..part.len()]);
        before = part.len();
    }
    let told = copied(&from, &embedded(&to)).await;
    assert_eq!(told["already"], before);
    assert_eq!(everything(&embedded(&to)).await, original);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_interrupted_ends_in_order_and_says_how_to_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let from = embedded(&directory.path().join("a"));
    fill_quickly(&from, &Sample::new(), EVENTS).await;
    let to = directory.path().join("b");
    for interrupt in [Signal::INT, Signal::TERM] {
        let copying = copying_until(&from, &to, written(&to) + 100_000).await;
        signal(&copying, interrupt);
        let ended = copying.wait_with_output().await.unwrap();
        assert_eq!(ended.status.code(), Some(1), "{ended:?}");
        let said = text(&ended.stderr);
        assert!(said.contains("interrupted; doing the same again goes on from here"), "{said}");
    }
    copied(&from, &embedded(&to)).await;
    assert_eq!(everything(&embedded(&to)).await, everything(&from).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_copies_into_one_directory_do_not_meet() {
    let directory = tempfile::tempdir().unwrap();
    let (a, c) = (embedded(&directory.path().join("a")), embedded(&directory.path().join("c")));
    fill_quickly(&a, &Sample::new(), EVENTS).await;
    fill_quickly(&c, &Sample::new(), 10).await;
    let to = directory.path().join("b");
    let mut first = copying_until(&a, &to, 50_000).await;
    let said = refused(&c, &embedded(&to)).await;
    assert!(said.contains("is held by process"), "{said}");
    first.kill().await.unwrap();
    let said = refused(&c, &embedded(&to)).await;
    assert!(said.contains("position 0 differs from the source's at position 0"), "{said}");
}
