//! An append whose answer is lost may have been stored. Whoever repeats it finds it, and it is there once.

use countersign_eventsourcing::{
    AppendError, EventLog as _, Revision,
    contract::{Sample, after, read},
};
use countersign_nats::NatsSettings;
use countersign_testkit::{CuttableProxy, NatsServer};

use super::{
    LONGEST_APPEND, LONGEST_READ, append_until_stored, assert_unavailable, create, next_event,
    open, within,
};

/// Puts a wire in front of a server, and returns it with the settings that lead through it.
async fn wire_to(server: &NatsServer) -> (CuttableProxy, NatsSettings) {
    let wire = CuttableProxy::start(server.address()).await;
    let servers = vec![format!("nats://{}", wire.address())];
    (wire, NatsSettings { servers, ..NatsSettings::default() })
}

/// Ends all connections, with what is still on its way, and lets new ones pass everything.
async fn heal(wire: &mut CuttableProxy) {
    wire.cut().await;
    wire.mend();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_append_whose_answer_was_lost_is_found_again_and_there_once() {
    let server = NatsServer::start().await;
    let (mut wire, settings) = wire_to(&server).await;
    let (log, witness) = (create(&settings).await, open(&server.settings()).await);
    let sample = Sample::new();
    let stream = sample.stream("k");
    log.append(&stream, after(0), &sample.events(2)).await.unwrap();
    let events = sample.events(3);
    wire.lose_answers();
    let lost = within(LONGEST_APPEND, log.append(&stream, after(2), &events)).await;
    assert!(matches!(lost, Err(AppendError::Unknown(_))), "{lost:?}");
    // It was stored all the same, as another process sees.
    let stored = read(&witness, &stream, 2).await;
    assert_eq!(stored.len(), 3);
    heal(&mut wire).await;
    let (again, _) = append_until_stored(&log, &stream, after(2), &events).await;
    let last = stored.last().unwrap();
    assert_eq!((again.last_revision, again.position), (last.revision, last.position));
    assert_eq!(witness.append(&stream, after(2), &events).await.unwrap(), again);
    assert_eq!(read(&witness, &stream, 0).await.len(), 5);
    assert_eq!(read(&log, &stream, 0).await, read(&witness, &stream, 0).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_questions_and_never_answers_holds_nobody_up() {
    let server = NatsServer::start().await;
    let (wire, settings) = wire_to(&server).await;
    let log = create(&settings).await;
    let sample = Sample::new();
    let stream = sample.stream("k");
    log.append(&stream, after(0), &sample.events(1)).await.unwrap();
    wire.stall();
    let (known, unknown) = (sample.events(1), sample.events(1));
    let elsewhere = sample.stream("other");
    let appends = async {
        tokio::join!(
            within(LONGEST_APPEND, log.append(&stream, after(1), &known)),
            within(LONGEST_APPEND, log.append(&elsewhere, after(1), &unknown)),
        )
    };
    let reads = async {
        assert_unavailable(within(LONGEST_READ, log.read(&stream, Revision(0))).await);
        assert_unavailable(within(LONGEST_READ, log.follow(&sample.filter(), None)).await);
        assert_unavailable(within(LONGEST_READ, log.head()).await);
    };
    let ((sent, asked), ()) = tokio::join!(appends, reads);
    assert!(matches!(sent, Err(AppendError::Unknown(_))), "{sent:?}");
    // Where the stream stood had to be asked first, so that nothing was sent.
    assert!(matches!(asked, Err(AppendError::Unavailable(_))), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_misses_nothing_that_was_lost_on_its_way() {
    let server = NatsServer::start().await;
    let (mut wire, settings) = wire_to(&server).await;
    let (log, witness) = (create(&settings).await, open(&server.settings()).await);
    let sample = Sample::new();
    let stream = sample.stream("k");
    witness.append(&stream, after(0), &sample.events(1)).await.unwrap();
    let mut items = log.follow(&sample.filter(), None).await.unwrap();
    let mut told = vec![next_event(&mut items).await];
    // The consumer has delivered these, as far as the server knows.
    wire.lose_answers();
    for count in 1..50 {
        witness.append(&stream, after(count), &sample.events(1)).await.unwrap();
    }
    heal(&mut wire).await;
    while told.len() < 50 {
        told.push(next_event(&mut items).await);
    }
    assert_eq!(told, read(&witness, &stream, 0).await);
    witness.append(&stream, after(50), &sample.events(1)).await.unwrap();
    assert_eq!(next_event(&mut items).await.revision, Revision(50));
}
