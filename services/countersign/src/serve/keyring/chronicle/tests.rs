//! The log is told of everything once, with who asked, also when it was away in between.

use std::{
    fs,
    future::pending,
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use countersign_domain::keyring::{Keyring as Told, State};
use countersign_eventlog::memory::TroubledLog;
use countersign_eventsourcing::{EventCodec as _, EventLog as _, Metadata, NoSnapshots, Revision};
use countersign_keys::{AssertionAlgorithm, LocalKeys};
use countersign_service::{FoundationParts, Reason};
use futures_util::TryStreamExt as _;
use tempfile::TempDir;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    super::{KeyringError, Sharing, unasked::REQUESTER},
    *,
};
use crate::World;

/// Returns what was told, and by whom.
async fn events_of(log: &TroubledLog) -> Vec<(String, Event)> {
    let stored = log.read(&keyring_stream(), Revision::START).await.unwrap();
    let stored: Vec<_> = stored.try_collect().await.unwrap();
    let read = |recorded: &countersign_eventsourcing::RecordedEvent| {
        let event = &recorded.event;
        let read = Told::decode(&event.event_type, event.schema_version, &event.payload);
        (event.metadata.requester.to_string(), read.unwrap())
    };
    stored.iter().map(read).collect()
}

/// Returns what was told since there were `before` events, and by whom.
async fn told_since(log: &TroubledLog, before: usize) -> Vec<(String, &'static str)> {
    let told = events_of(log).await;
    let name = |event: &Event| Told::encode(event).event_type;
    told.iter().skip(before).map(|(who, event)| (who.clone(), name(event))).collect()
}

async fn state(log: &TroubledLog) -> State {
    let told = events_of(log).await;
    told.iter().fold(State::default(), |state, (_, event)| {
        <Told as countersign_eventsourcing::Decider>::evolve(state, event)
    })
}

/// A process that has keys.
struct Process {
    log: Arc<TroubledLog>,
    keyring: Keyring,
    chronicle: Chronicle,
}

impl Process {
    async fn start(directory: &Path, log: &Arc<TroubledLog>, sharing: Sharing) -> Self {
        let World { clock, rng } = World::default();
        let provider = countersign_keys::KeyProviderChoice::Local;
        let (rng_of_keys, clock_of_keys) = (Arc::clone(&rng), Arc::clone(&clock));
        let keys = LocalKeys::open_with(directory, &provider, rng_of_keys, clock_of_keys).await;
        let keys = keys.unwrap();
        let foundation = Arc::new(Foundation::new(FoundationParts {
            log: Arc::clone(log) as _,
            snapshots: Arc::new(NoSnapshots),
            vault: keys.vault(),
            clock,
            rng,
        }));
        let keyring = Keyring::new(keys.rotation(), keys.assertion_keys(), sharing);
        let chronicle = Chronicle::new(foundation, keyring.clone());
        Self { log: Arc::clone(log), keyring, chronicle }
    }

    async fn looks(&self) -> Result<(), ApiError> {
        let mut told = self.chronicle.told.lock().await;
        self.chronicle.look(&mut told).await
    }

    /// Begins a rotation of the key-encryption key as `who`.
    async fn begins(&self, who: &str, id: Option<u128>) -> Result<Done<u32>, ApiError> {
        let begin = async { Ok(self.keyring.begin(None).await?) };
        self.chronicle.carry_out(self.asked(who, "BeginKeyRotation", id), begin).await
    }

    fn versions(&self) -> Vec<u32> {
        self.keyring.observed(self.chronicle.foundation.now()).versions
    }

    /// Makes what `who` asks for; without an id nobody can tell a repeat.
    fn asked(&self, who: &str, method: &'static str, id: Option<u128>) -> Asked {
        let command_id = id.map_or_else(|| self.chronicle.foundation.new_id(), Uuid::from_u128);
        let metadata = Metadata {
            recorded_at: countersign_core::Timestamp::EPOCH,
            correlation_id: command_id,
            causation_id: command_id,
            requester: who.into(),
            traceparent: "".into(),
            request_digest: id.map_or(0, |_| 7),
        };
        let request = Request { command_id, metadata };
        Asked { request, method, is_guarded: id.is_some(), rewraps_ring: false }
    }
}

/// A process that has told of its first keys, and how many events that was.
async fn started() -> (TempDir, Process, usize) {
    let directory = tempfile::tempdir().unwrap();
    let log = Arc::<TroubledLog>::default();
    let process = Process::start(&directory.path().join("keys"), &log, Sharing::Alone).await;
    process.looks().await.unwrap();
    let told = told_since(&log, 0).await;
    let names: Vec<_> = told.iter().map(|(_, name)| *name).collect();
    assert_eq!(names, ["KeyProviderChanged", "KeyVersionAdded", "AssertionKeyPublished"]);
    assert!(told.iter().all(|(who, _)| who == REQUESTER));
    process.looks().await.unwrap();
    assert_eq!(events_of(&log).await.len(), 3);
    (directory, process, 3)
}

fn by(who: &str, names: &[&'static str]) -> Vec<(String, &'static str)> {
    names.iter().map(|name| (who.to_owned(), *name)).collect()
}

#[tokio::test]
async fn what_is_asked_for_is_told_with_who_asked_and_a_repeat_does_nothing_more() {
    let (_directory, process, before) = started().await;
    assert!(matches!(process.begins("ada", Some(1)).await, Ok(Done::Now(2))));
    assert_eq!(told_since(&process.log, before).await, by("ada", &["KeyVersionAdded"]));
    let Ok(Done::Before(events)) = process.begins("ada", Some(1)).await else { panic!("twice") };
    assert!(matches!(events.as_slice(), [Event::KeyVersionAdded(added)] if added.version == 2));
    assert_eq!(process.versions(), [1, 2]);
    // Wrapping anew is the process's own doing, whoever asks for something next.
    process.keyring.run(|| false).await.unwrap();
    let retire = async { Ok(process.keyring.retire().await.map_err(KeyringError::from)?) };
    let asked = process.asked("bob", "RetireKeyVersions", Some(2));
    process.chronicle.carry_out(asked, retire).await.unwrap();
    let expected = [by(REQUESTER, &["KeysRewrapped"]), by("bob", &["KeyVersionsRetired"])];
    assert_eq!(told_since(&process.log, before + 1).await, expected.concat());
}

#[tokio::test]
async fn a_change_that_the_log_was_not_told_of_is_told_by_its_repeat_and_not_done_twice() {
    let (_directory, process, before) = started().await;
    process.log.refuse_appends(1);
    let error = process.begins("ada", Some(1)).await.err().unwrap();
    assert_eq!(error.reason, Reason::LogUnavailable);
    assert!(error.message.contains("the keys were changed"), "{error:?}");
    assert_eq!(error.metadata, [("keys", "changed".to_owned())]);
    assert!(told_since(&process.log, before).await.is_empty());
    assert_eq!(process.versions(), [1, 2]);
    assert!(matches!(process.begins("ada", Some(1)).await, Ok(Done::Before(_))));
    assert_eq!(told_since(&process.log, before).await, by("ada", &["KeyVersionAdded"]));
    assert_eq!(process.versions(), [1, 2]);
}

#[tokio::test]
async fn a_repeat_that_nobody_can_tell_from_another_request_tells_of_what_was_done_instead() {
    let (_directory, process, before) = started().await;
    process.log.refuse_appends(2);
    for _ in 0..2 {
        process.begins("ada", None).await.err().unwrap();
        assert_eq!(process.versions(), [1, 2]);
    }
    assert!(matches!(process.begins("ada", None).await, Ok(Done::Before(_))));
    assert_eq!(told_since(&process.log, before).await, by("ada", &["KeyVersionAdded"]));
    // From here on it is another request.
    assert!(matches!(process.begins("ada", None).await, Ok(Done::Now(3))));
    assert_eq!(process.versions(), [1, 2, 3]);
}

#[tokio::test]
async fn what_is_owed_is_told_at_the_next_look_with_who_asked_and_others_come_after_it() {
    let (_directory, process, before) = started().await;
    process.log.refuse_appends(2);
    process.begins("ada", Some(1)).await.err().unwrap();
    process.looks().await.unwrap_err();
    process.looks().await.unwrap();
    assert!(matches!(process.begins("ada", Some(1)).await, Ok(Done::Before(_))));
    process.log.refuse_appends(1);
    process.begins("ada", Some(2)).await.err().unwrap();
    assert!(matches!(process.begins("bob", Some(3)).await, Ok(Done::Now(4))));
    assert_eq!(process.versions(), [1, 2, 3, 4]);
    let expected = [by("ada", &["KeyVersionAdded"; 2]), by("bob", &["KeyVersionAdded"])];
    assert_eq!(told_since(&process.log, before).await, expected.concat());
}

#[tokio::test]
async fn nothing_is_done_while_the_log_is_away() {
    let (_directory, process, before) = started().await;
    process.log.set_away(true);
    let error = process.begins("ada", Some(1)).await.err().unwrap();
    assert_eq!(error.reason, Reason::LogUnavailable);
    assert!(error.message.contains("nothing was changed"), "{error:?}");
    assert_eq!(process.versions(), [1]);
    process.log.set_away(false);
    process.looks().await.unwrap();
    assert!(told_since(&process.log, before).await.is_empty());
}

#[tokio::test]
async fn who_goes_away_in_the_middle_has_still_asked() {
    let (_directory, process, before) = started().await;
    let (begun, is_begun) = oneshot::channel();
    let begin = async {
        process.keyring.begin(None).await?;
        begun.send(()).unwrap();
        pending::<Result<u32, ApiError>>().await
    };
    let asked = process.asked("ada", "BeginKeyRotation", Some(1));
    tokio::select! {
        _ = process.chronicle.carry_out(asked, begin) => panic!("it came to an end"),
        begun = is_begun => begun.unwrap(),
    }
    process.looks().await.unwrap();
    assert_eq!(told_since(&process.log, before).await, by("ada", &["KeyVersionAdded"]));
    assert!(matches!(process.begins("ada", Some(1)).await, Ok(Done::Before(_))));
    assert_eq!(process.versions(), [1, 2]);
}

#[tokio::test]
async fn what_was_refused_is_not_owed() {
    let (_directory, process, before) = started().await;
    let refused = async { Err::<(), _>(KeyringError::Changed.into()) };
    let asked = process.asked("ada", "BeginKeyRotation", Some(1));
    let error = process.chronicle.carry_out(asked, refused).await.err().unwrap();
    assert_eq!(error.reason, Reason::KeyringChanged);
    process.keyring.begin(None).await.unwrap();
    process.looks().await.unwrap();
    assert_eq!(told_since(&process.log, before).await, by(REQUESTER, &["KeyVersionAdded"]));
}

#[tokio::test]
async fn a_ring_that_was_wrapped_anew_is_told_once_also_when_the_log_was_away() {
    let (_directory, process, before) = started().await;
    process.log.refuse_appends(1);
    let asked = Asked { rewraps_ring: true, ..process.asked("ada", "RewrapKeyring", Some(1)) };
    let times = AtomicUsize::new(0);
    let rewrap = async || {
        times.fetch_add(1, Ordering::SeqCst);
        Ok(process.keyring.rewrap().await.map_err(KeyringError::from)?)
    };
    process.chronicle.carry_out(asked.clone(), rewrap()).await.err().unwrap();
    let again = process.chronicle.carry_out(asked, rewrap()).await;
    assert!(matches!(again, Ok(Done::Before(_))));
    assert_eq!(times.into_inner(), 1);
    assert_eq!(told_since(&process.log, before).await, by("ada", &["KeyringRewrapped"]));
}

#[tokio::test]
async fn after_a_crash_in_between_the_next_start_tells_of_it() {
    let (directory, process, before) = started().await;
    let log = Arc::clone(&process.log);
    log.refuse_appends(1);
    process.begins("ada", Some(1)).await.err().unwrap();
    drop(process);
    let process = Process::start(&directory.path().join("keys"), &log, Sharing::Alone).await;
    process.looks().await.unwrap();
    assert_eq!(told_since(&log, before).await, by(REQUESTER, &["KeyVersionAdded"]));
}

/// Brings a directory of keys to another replica.
fn bring(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
    }
}

#[tokio::test]
async fn replicas_that_see_different_directories_do_not_contradict_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let (new, old) = (directory.path().join("new"), directory.path().join("old"));
    let log = Arc::<TroubledLog>::default();
    let ahead = Process::start(&new, &log, Sharing::Shared).await;
    bring(&new, &old);
    let behind = Process::start(&old, &log, Sharing::Shared).await;
    behind.looks().await.unwrap();
    ahead.looks().await.unwrap();
    // Where replicas share keys, nobody says who keeps them.
    assert_eq!(
        told_since(&log, 0).await,
        by(REQUESTER, &["KeyVersionAdded", "AssertionKeyPublished"])
    );

    ahead.keyring.begin(None).await.unwrap();
    ahead.keyring.run(|| false).await.unwrap();
    ahead.keyring.retire().await.unwrap();
    let rotated = ahead.keyring.rotate_assertion_key(
        None,
        AssertionAlgorithm::EdDsa,
        Duration::from_secs(60),
    );
    rotated.await.unwrap();
    ahead.looks().await.unwrap();
    let told = events_of(&log).await;
    let names: Vec<_> = told_since(&log, 2).await.into_iter().map(|(_, name)| name).collect();
    let steps = ["KeyVersionAdded", "KeysRewrapped", "KeyVersionsRetired", "AssertionKeyPublished"];
    assert_eq!(names, steps);

    // Also after a start, whoever is behind has nothing to say; and the other need not put anything right.
    let restarted = Process::start(&old, &log, Sharing::Shared).await;
    for process in [&behind, &restarted, &ahead] {
        process.looks().await.unwrap();
    }
    assert_eq!(events_of(&log).await, told);
    let state = state(&log).await;
    assert_eq!((state.versions(), state.published().count()), (&[2][..], 2));
}
