//! While NATS is away the log says so, and when it is back everything goes on.

use countersign_eventlog::jetstream::{JetStreamLog, OpenError};
use countersign_eventsourcing::{
    AppendError, EventLog as _, Revision,
    contract::{Sample, after, take_until_caught_up},
};
use countersign_testkit::NatsServer;

use super::{
    LONGEST_APPEND, LONGEST_READ, append_until_stored, assert_unavailable, connect, create,
    next_event, within,
};

#[tokio::test(flavor = "multi_thread")]
async fn without_servers_everything_is_unavailable_and_nothing_was_sent() {
    let mut server = NatsServer::start().await;
    let (log, sample) = (create(&server.settings()).await, Sample::new());
    let stream = sample.stream("k");
    log.append(&stream, after(0), &sample.events(1)).await.unwrap();
    server.kill().await;
    // The client may not have seen it yet when it sends the first one.
    let first = within(LONGEST_APPEND, log.append(&stream, after(1), &sample.events(1))).await;
    assert!(matches!(first, Err(AppendError::Unavailable(_) | AppendError::Unknown(_))));
    let second = within(LONGEST_APPEND, log.append(&stream, after(1), &sample.events(1))).await;
    assert!(matches!(second, Err(AppendError::Unavailable(_))), "{second:?}");
    let (filter, nats) = (sample.filter(), connect(&server.settings()).await);
    let (read, head, followed, opened) = tokio::join!(
        within(LONGEST_READ, log.read(&stream, Revision(0))),
        within(LONGEST_READ, log.head()),
        within(LONGEST_READ, log.follow(&filter, None)),
        JetStreamLog::open(nats),
    );
    assert_unavailable(read);
    assert_unavailable(head);
    assert_unavailable(followed);
    assert!(matches!(opened, Err(OpenError::Unavailable(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_goes_on_without_a_gap_when_the_server_is_back() {
    let mut server = NatsServer::start().await;
    let (log, sample) = (create(&server.settings()).await, Sample::new());
    let stream = sample.stream("k");
    log.append(&stream, after(0), &sample.events(5)).await.unwrap();
    let mut items = log.follow(&sample.filter(), None).await.unwrap();
    let mut told = take_until_caught_up(&mut items).await.len() as u64;
    for _ in 0..2 {
        server.restart().await;
        let (_, _) = append_until_stored(&log, &stream, after(told), &sample.events(3)).await;
        for _ in 0..3 {
            assert_eq!(next_event(&mut items).await.revision, Revision(told));
            told += 1;
        }
    }
}
