//! A log is made once, opened by everybody, and told from what is none.

use async_nats::jetstream::stream::Config;
use countersign_eventlog::jetstream::{JetStreamLog, OpenError};
use countersign_eventsourcing::EventLog as _;
use countersign_nats::NatsSettings;
use countersign_testkit::NatsServer;
use futures_util::future::join_all;

use super::{connect, create, open};

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_made_once_however_many_make_it() {
    let server = NatsServer::start().await;
    let settings = server.settings();
    let missing = JetStreamLog::open(connect(&settings).await).await.unwrap_err();
    assert!(missing.to_string().contains("countersign init"), "{missing}");
    let made = join_all((0..8).map(|_| create(&settings))).await;
    let id = open(&settings).await.id();
    assert!(made.iter().all(|log| log.id() == id));
    let other = NatsSettings { prefix: "other".to_owned(), ..settings };
    assert_ne!(create(&other).await.id(), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_not_a_log_is_refused() {
    let server = NatsServer::start().await;
    let nats = connect(&server.settings()).await;
    nats.ready(std::time::Duration::from_secs(5)).await.unwrap();
    let foreign = Config {
        name: "countersign_log".to_owned(),
        subjects: vec!["countersign_log.*.*.*".to_owned()],
        ..Config::default()
    };
    nats.jetstream().create_stream(foreign).await.unwrap();
    let refused = JetStreamLog::create(nats.clone()).await;
    assert!(matches!(refused, Err(OpenError::Foreign { .. })));
    let id = "00000000-0000-4000-8000-000000000001".to_owned();
    let forgetful = Config {
        name: "countersign_log".to_owned(),
        subjects: vec!["countersign_log.*.*.*".to_owned()],
        metadata: [("countersign-log-id".to_owned(), id)].into(),
        ..Config::default()
    };
    nats.jetstream().update_stream(forgetful).await.unwrap();
    let Err(OpenError::Foreign { what, .. }) = JetStreamLog::create(nats).await else {
        panic!("a stream that forgets was taken for a log")
    };
    assert!(what.contains("deny"), "{what}");
}
