//! Others can write to the log's subjects. What they leave there stops nobody but the readers of that one stream.

use bytes::Bytes;
use countersign_eventlog::jetstream::JetStreamLog;
use countersign_eventsourcing::{
    AppendError, EventLog as _, Filter, FollowItem, NewEvent, Poison, ReadError, RecordedEvent,
    Revision,
    contract::{Sample, after, read, take_until_caught_up},
};
use countersign_nats::Nats;
use countersign_testkit::NatsServer;
use futures_util::{StreamExt as _, TryStreamExt as _};

use super::connect;

struct World {
    server: NatsServer,
    nats: Nats,
    log: JetStreamLog,
    sample: Sample,
}

impl World {
    async fn start() -> Self {
        let server = NatsServer::start().await;
        let nats = connect(&server.settings()).await;
        let log = JetStreamLog::create(nats.clone()).await.unwrap();
        Self { server, nats, log, sample: Sample::new() }
    }

    fn subject(&self, key: &str) -> String {
        format!("countersign_log.user.{}.{key}", self.sample.tenant())
    }

    /// Stores what is not an append, and returns its sequence.
    async fn publish(&self, key: &str, bytes: impl Into<Bytes>) -> u64 {
        let sent = self.nats.jetstream().publish(self.subject(key), bytes.into()).await;
        sent.unwrap().await.unwrap().sequence
    }

    async fn told(&self, filter: &Filter) -> (Vec<RecordedEvent>, Vec<Poison>) {
        let mut items = self.log.follow(filter, None).await.unwrap();
        let (mut events, mut poison) = (Vec::new(), Vec::new());
        loop {
            match items.next().await.unwrap().unwrap() {
                FollowItem::Event(event) => events.push(event),
                FollowItem::Poison(found) => poison.push(found),
                FollowItem::CaughtUp(_) => return (events, poison),
                FollowItem::Checkpoint(_) => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_is_poison_to_followers_and_corrupt_to_its_streams_readers() {
    let world = World::start().await;
    let (log, sample) = (&world.log, &world.sample);
    let (good, bad) = (sample.stream("good"), sample.stream("bad"));
    log.append(&good, after(0), &sample.events(2)).await.unwrap();
    log.append(&bad, after(0), &sample.events(2)).await.unwrap();
    let sequence = world.publish("bad", "no append").await;
    let place = format!("{} sequence {sequence}", world.subject("bad"));

    let corrupt = log.read(&bad, Revision(2)).await;
    let Err(ReadError::Corrupt(corruption)) = corrupt else { panic!("it was read") };
    assert_eq!(corruption.place, place);
    match log.append(&bad, after(2), &sample.events(1)).await {
        Err(AppendError::Corrupt(corruption)) => assert_eq!(corruption.place, place),
        other => panic!("{other:?}"),
    }

    // Caught up with garbage at the end, and going on after it.
    let (_, poison) = world.told(&sample.filter()).await;
    let [poison] = &poison[..] else { panic!("{poison:?}") };
    assert_eq!((&poison.place, &poison.bytes[..]), (&place, &b"no append"[..]));
    assert_eq!(log.head().await.unwrap(), Some(poison.position));
    let mut items = log.follow(&sample.filter(), Some(poison.position)).await.unwrap();
    assert!(take_until_caught_up(&mut items).await.is_empty());

    let more = sample.events(2);
    log.append(&good, after(2), &more).await.unwrap();
    assert_eq!(read(log, &good, 0).await.len(), 4);
    let (events, _) = world.told(&sample.filter()).await;
    assert_eq!(events.len(), 6);
    assert!(events.iter().all(|event| Some(event.position) <= events.last().map(|e| e.position)));
    let (events, poison) = world.told(&Filter { streams: vec![good], ..Filter::default() }).await;
    assert_eq!((events.len(), poison.len()), (4, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_under_another_streams_subject_is_garbage() {
    let world = World::start().await;
    let (log, sample) = (&world.log, &world.sample);
    let bad = sample.stream("bad");
    log.append(&bad, after(0), &sample.events(2)).await.unwrap();
    let sequence = world.publish("bad", vec![1; 100]).await;
    // Another stream's append that is brought here is none.
    let events = sample.events(1);
    log.append(&sample.stream("other"), after(0), &events).await.unwrap();
    let stolen = stored(&world, sequence + 1).await;
    let brought = world.publish("bad", stolen).await;
    let Err(ReadError::Corrupt(corruption)) = log.read(&bad, Revision(0)).await else {
        panic!("it was read")
    };
    assert_eq!(corruption.place, format!("{} sequence {brought}", world.subject("bad")));
    assert!(corruption.what.contains("belongs elsewhere"), "{corruption}");
    let (events, poison) = world.told(&sample.filter()).await;
    assert_eq!(poison.len(), 2);
    assert_eq!(events.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_are_missing_in_the_middle_are_found_out() {
    let world = World::start().await;
    let (log, sample) = (&world.log, &world.sample);
    // A stream of the same name in another log, of which only the end is brought here.
    let elsewhere =
        countersign_nats::NatsSettings { prefix: "other".to_owned(), ..world.server.settings() };
    let other = super::create(&elsewhere).await;
    let stream = sample.stream("k");
    for count in 0..3 {
        let event = NewEvent { payload: Bytes::from(vec![7; 10]), ..sample.event() };
        other.append(&stream, after(count), &[event]).await.unwrap();
    }
    let found = world.nats.jetstream().get_stream("other_log").await.unwrap();
    for sequence in [1, 3] {
        let message = found.get_raw_message(sequence).await.unwrap();
        world.publish("k", message.payload).await;
    }
    let mut events = log.read(&stream, Revision(0)).await.unwrap();
    assert!(events.try_next().await.unwrap().is_some());
    match events.try_next().await {
        Err(ReadError::Corrupt(corruption)) => {
            assert!(corruption.what.contains("revision 1 is missing"), "{corruption}");
        }
        other => panic!("{other:?}"),
    }
}

async fn stored(world: &World, sequence: u64) -> Bytes {
    let stream = world.nats.jetstream().get_stream("countersign_log").await.unwrap();
    stream.get_raw_message(sequence).await.unwrap().payload
}
