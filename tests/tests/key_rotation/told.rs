//! What becomes of keys is in the log, with who asked for it.

use std::time::{Duration, Instant};

use countersign_proto::{
    audit::{RecordedEvent, ReplayEventsRequest},
    event::{AssertionKeyPublished, KeyVersionAdded, KeyVersionsRetired},
    keys::{
        AssertionAlgorithm, BeginKeyRotationRequest, BeginSecretRotationRequest,
        RetireKeyVersionsRequest, RewrapKeyringRequest, RotateAssertionKeyRequest,
    },
};
use countersign_tests::{Caller, House, Process, process::command, reason, tools::said};
use prost::Message;

use crate::{PATIENCE, PAUSE, is_complete, keyring, until};

const STREAM: &str = "keyring-platform.installation";

/// Who tells of what nobody asked for.
const ITSELF: &str = "service:keys";

/// Returns what the log tells of the keys, but that there are some.
pub(crate) async fn told(operator: &Caller) -> Vec<RecordedEvent> {
    let events = operator.replay(ReplayEventsRequest::default()).await;
    let is_told = |event: &RecordedEvent| event.stream == STREAM && event.r#type != "KeysFounded";
    events.into_iter().filter(is_told).collect()
}

/// Waits until the log tells of this, and returns it all.
pub(crate) async fn until_told(operator: &Caller, last: &[&str]) -> Vec<RecordedEvent> {
    let began = Instant::now();
    loop {
        let events = told(operator).await;
        let types: Vec<_> = events.iter().map(|event| event.r#type.as_str()).collect();
        if types.ends_with(last) {
            return events;
        }
        assert!(began.elapsed() < PATIENCE, "the log tells of {types:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

pub(crate) fn payload<M: Message + Default>(event: &RecordedEvent) -> M {
    M::decode(&*event.payload.as_ref().unwrap().value).unwrap()
}

const FIRST: [&str; 3] = ["KeyProviderChanged", "KeyVersionAdded", "AssertionKeyPublished"];

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_is_in_the_log_with_who_asked_for_it_and_a_repeat_does_nothing_more() {
    let house = House::single().await;
    let operator = house.operator();
    let first = until_told(&operator, &FIRST).await;
    assert!(first.len() == 3 && first.iter().all(|event| event.requester == ITSELF), "{first:?}");

    let begin = BeginKeyRotationRequest { request_id: "b-1".to_owned(), ..Default::default() };
    let begun = operator.keys().begin_key_rotation(begin.clone()).await.unwrap().into_inner();
    assert_eq!(begun.keyring.unwrap().versions, [1, 2]);
    until(&operator, is_complete).await;
    let events = until_told(&operator, &["KeyVersionAdded", "KeysRewrapped"]).await;
    let [added, rewrapped] = &events[3..] else { panic!("{events:?}") };
    assert!(added.requester.starts_with("api-key:platform."), "{added:?}");
    assert_eq!((payload::<KeyVersionAdded>(added).version, added.tenant.as_str()), (2, "platform"));
    assert_eq!(rewrapped.requester, ITSELF);
    let again = operator.keys().begin_key_rotation(begin).await.unwrap().into_inner();
    assert_eq!(again.keyring.unwrap().versions, [1, 2]);
    let other = BeginKeyRotationRequest { request_id: "b-1".to_owned(), newest_version: 2 };
    let status = operator.keys().begin_key_rotation(other).await.unwrap_err();
    assert_eq!(reason(&status), "REQUEST_ID_REUSED");

    for _ in 0..2 {
        let retire = RetireKeyVersionsRequest { request_id: "r-1".to_owned() };
        let retired = operator.keys().retire_key_versions(retire).await.unwrap().into_inner();
        assert_eq!((retired.retired, retired.keyring.unwrap().versions), (vec![1], vec![2]));
        let rewrap = RewrapKeyringRequest { request_id: "w-1".to_owned() };
        operator.keys().rewrap_keyring(rewrap).await.unwrap();
        let rotate = RotateAssertionKeyRequest {
            request_id: "a-1".to_owned(),
            algorithm: AssertionAlgorithm::EdDsa.into(),
            overlap: Some(prost_types::Duration { seconds: 3_600, nanos: 0 }),
            ..Default::default()
        };
        let rotated = operator.keys().rotate_assertion_key(rotate).await.unwrap().into_inner();
        assert_eq!(rotated.keyring.unwrap().assertion_keys.len(), 2);
    }
    let events = told(&operator).await;
    let types: Vec<_> = events[5..].iter().map(|event| event.r#type.as_str()).collect();
    assert_eq!(types, ["KeyVersionsRetired", "KeyringRewrapped", "AssertionKeyPublished"]);
    assert!(events[5..].iter().all(|event| event.requester == added.requester), "{events:?}");
    assert_eq!(payload::<KeyVersionsRetired>(&events[5]).versions, [1]);
    let published = payload::<AssertionKeyPublished>(&events[7]);
    let key = keyring(&operator).await.assertion_keys[1].clone();
    assert_eq!((published.kid, published.signs_from), (key.kid, key.signs_from));
    assert_eq!(published.algorithm, "EdDSA");

    // Once the statements of the one before have expired.
    house.clock.advance(Duration::from_secs(3_600 + 300));
    let events = until_told(&operator, &["AssertionKeysWithdrawn"]).await;
    assert_eq!((events.len(), events[8].requester.as_str()), (9, ITSELF));

    // Nobody else's auditors see it.
    let tenant = house.tenant("acme").await;
    let seen = tenant.auditor.replay(ReplayEventsRequest::default()).await;
    assert!(!seen.is_empty() && seen.iter().all(|event| event.tenant == "acme"));
    // And a start tells of nothing anew.
    let house = house.restart().await;
    house.tenant("beta").await;
    until(&house.operator(), |keyring| keyring.versions == [2]).await;
    assert_eq!(told(&house.operator()).await.len(), 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_without_a_server_is_told_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let process = Process::start(&data_dir).await;
    until_told(&process.operator().await, &FIRST).await;
    process.stop().await;
    let rotate = ["keyring", "rotate", "--offline"].as_slice();
    let retire = ["keyring", "retire", "--offline"].as_slice();
    let sign = ["keyring", "assertion", "rotate", "--offline", "--overlap", "1h"].as_slice();
    for words in [rotate, retire, sign] {
        let mut command = command(words);
        command.arg("--data-dir").arg(&data_dir);
        said(command).await;
    }
    let process = Process::start(&data_dir).await;
    let steps = ["KeyVersionAdded", "KeyVersionsRetired", "AssertionKeyPublished"];
    let events = until_told(&process.operator().await, &steps).await;
    assert_eq!(events.len(), 6);
    assert!(events.iter().all(|event| event.requester == ITSELF), "{events:?}");
    // For people too.
    let seen = said(process.command(&["audit", "replay", "--type", "KeyVersionsRetired"])).await;
    assert!(seen.contains("KeyVersionsRetired") && seen.contains(ITSELF), "{seen}");
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_of_secrets_is_begun_once_and_shown() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&directory.path().join("data")).await;
    let operator = process.operator().await;
    assert_eq!(keyring(&operator).await.secret_rotation, None);
    for _ in 0..2 {
        let request = BeginSecretRotationRequest { request_id: "s-1".to_owned() };
        let begun = operator.keys().begin_secret_rotation(request).await.unwrap().into_inner();
        let rotation = begun.keyring.unwrap().secret_rotation.unwrap();
        assert!(rotation.rotation == 1 && rotation.begun_at.is_some(), "{rotation:?}");
    }
    let events = told(&operator).await;
    let begun: Vec<_> =
        events.iter().filter(|event| event.r#type == "SecretRotationBegun").collect();
    assert_eq!(begun.len(), 1);
    assert!(begun[0].requester.starts_with("api-key:platform."), "{begun:?}");
    let seen = said(process.command(&["keyring", "status"])).await;
    assert!(seen.contains("users' secrets") && seen.contains("rotation 1"), "{seen}");
    process.stop().await;
}
