//! The embedded log keeps checkpoints and snapshots too, and many events in little memory.

mod support;

use std::fs;

use countersign_eventlog::embedded::OpenError;
use countersign_eventsourcing::{
    Checkpoint, CheckpointStore, EventLog as _, Filter, FollowItem, Position, ReadError,
    SnapshotStore,
    contract::{Sample, after, take_events},
};
use futures_util::StreamExt as _;
use support::{journals, open, stream};

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_are_known_at_once_and_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    assert_eq!(CheckpointStore::load(&log, "f").await.unwrap(), None);
    let checkpoint = |position| Checkpoint { log: log.id(), position: Position(position) };
    for position in 0..1_000 {
        CheckpointStore::save(&log, "f", checkpoint(position)).await.unwrap();
    }
    CheckpointStore::save(&log, "g", checkpoint(5)).await.unwrap();
    assert_eq!(CheckpointStore::load(&log, "f").await.unwrap(), Some(checkpoint(999)));
    log.close().await;
    let reopened = open(directory.path());
    assert_eq!(CheckpointStore::load(&reopened, "f").await.unwrap(), Some(checkpoint(999)));
    assert_eq!(CheckpointStore::load(&reopened, "g").await.unwrap(), Some(checkpoint(5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_checkpoint_is_named_rather_than_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let db = fjall::Database::builder(directory.path().join("db")).open().unwrap();
    let checkpoints = db.keyspace("checkpoints", Default::default).unwrap();
    checkpoints.insert("f", [7; 28]).unwrap();
    drop((db, checkpoints));
    let log = open(directory.path());
    let error = CheckpointStore::load(&log, "f").await.unwrap_err();
    assert!(matches!(&error, ReadError::Corrupt(_)), "{error:?}");
    assert!(error.to_string().contains("the checkpoint of f"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_come_back_by_stream_and_version() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    SnapshotStore::save(&log, &stream("a"), 3, vec![1, 2, 3]).await;
    SnapshotStore::save(&log, &stream("a"), 4, vec![4]).await;
    SnapshotStore::save(&log, &stream("b"), 4, vec![]).await;
    log.close().await;
    let log = open(directory.path());
    assert_eq!(SnapshotStore::load(&log, &stream("a"), 4).await, Some(vec![4]));
    assert_eq!(SnapshotStore::load(&log, &stream("a"), 3).await, None);
    assert_eq!(SnapshotStore::load(&log, &stream("b"), 4).await, Some(vec![]));
    assert_eq!(SnapshotStore::load(&log, &stream("c"), 4).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_with_a_narrow_filter_is_told_how_far_it_has_come() {
    let directory = tempfile::tempdir().unwrap();
    let log = open(directory.path());
    let sample = Sample::new();
    for count in 0..30 {
        log.append(&stream("a"), after(count * 1_000), &sample.events(1_000)).await.unwrap();
    }
    log.append(&stream("b"), after(0), &sample.events(2)).await.unwrap();
    let filter = Filter { event_types: vec!["unknown".to_owned()], ..Filter::default() };
    let mut items = log.follow(&filter, None).await.unwrap();
    let mut checkpoints = Vec::new();
    loop {
        match items.next().await.unwrap().unwrap() {
            FollowItem::Checkpoint(position) => checkpoints.push(position),
            FollowItem::CaughtUp(position) => {
                assert_eq!(position, Some(Position(30_001)));
                break;
            }
            FollowItem::Event(_) | FollowItem::Poison(_) => {
                panic!("nothing is wanted, and all is sound")
            }
        }
    }
    assert!(checkpoints.len() >= 3, "{checkpoints:?}");
    assert!(checkpoints.is_sorted());
    // Also where the index by stream leads straight to the few that are wanted.
    let few = Filter { streams: vec![stream("b")], ..Filter::default() };
    let mut items = log.follow(&few, None).await.unwrap();
    let told = take_events(&mut items, 2).await;
    assert_eq!(told[1].position, Position(30_001));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let db = fjall::Database::builder(directory.path().join("db")).open().unwrap();
    let meta = db.keyspace("meta", Default::default).unwrap();
    let mut named = meta.get("log").unwrap().unwrap().to_vec();
    named[0] = 2;
    meta.insert("log", named).unwrap();
    drop((db, meta));
    let options = countersign_eventlog::embedded::EmbeddedOptions::default();
    let error = countersign_eventlog::embedded::EmbeddedLog::open(directory.path(), options);
    assert!(matches!(error, Err(OpenError::Format { found: 2, known: 1, .. })), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_was_left_half_made_is_made_anew() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("db.unfinished/keyspaces/1")).unwrap();
    fs::write(directory.path().join("db.unfinished/version"), b"FJ").unwrap();
    let log = open(directory.path());
    log.append(&stream("a"), after(0), &Sample::new().events(1)).await.unwrap();
    log.close().await;
    assert_eq!(journals(directory.path()).len(), 1);
    assert!(!directory.path().join("db.unfinished").exists());
}
