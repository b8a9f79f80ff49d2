//! Three servers: what one process was told is stored, every other one sees; losing the leader loses nothing.

use std::sync::atomic::{AtomicU64, Ordering};

use countersign_eventsourcing::{
    EventLog as _, Filter,
    contract::{Sample, after, read},
};
use countersign_nats::NatsSettings;
use countersign_testkit::NatsCluster;
use futures_util::future::join_all;

use super::{
    LONGEST_READ, append_until_stored, assert_unavailable, connect, create, next_event, open,
    within,
};

/// Returns the name of the server that leads the log.
async fn leader(settings: &NatsSettings) -> String {
    let nats = connect(settings).await;
    nats.ready(std::time::Duration::from_secs(5)).await.unwrap();
    let stream = nats.jetstream().get_stream("countersign_log").await.unwrap();
    stream.cached_info().cluster.clone().and_then(|cluster| cluster.leader).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_replica_was_told_is_stored_every_other_reads_at_once() {
    let cluster = NatsCluster::start().await;
    create(&cluster.settings()).await;
    let sample = Sample::new();
    let urls = cluster.servers().iter().map(|server| server.url());
    let logs = urls
        .map(async |url| open(&NatsSettings { servers: vec![url], ..cluster.settings() }).await);
    let logs = join_all(logs).await;
    // Many at once, so that some servers fall behind what their leader has acknowledged.
    let chase = async |number: usize| {
        let stream = sample.stream(&format!("k{number}"));
        for round in 0..40_u64 {
            let one_of_them = (number + usize::try_from(round).unwrap()) % 3;
            let writer = logs.get(one_of_them).unwrap();
            writer.append(&stream, after(round * 2), &sample.events(2)).await.unwrap();
            for reader in &logs {
                assert_eq!(read(reader, &stream, round * 2).await.len(), 2);
            }
            if round % 10 == 0 {
                for reader in &logs {
                    assert_eq!(read(reader, &stream, 0).await.len() as u64, round * 2 + 2);
                }
            }
        }
    };
    join_all((0..32).map(chase)).await;
    let heads = join_all(logs.iter().map(|log| log.head())).await;
    let last = join_all((0..32).map(async |number| {
        let events = read(&logs[0], &sample.stream(&format!("k{number}")), 0).await;
        events.last().map(|event| event.position)
    }));
    let last = last.await.into_iter().max().flatten();
    assert!(heads.into_iter().all(|head| head.unwrap() == last));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_killed_under_load_loses_nothing_and_holds_nobody_up() {
    const WRITERS: usize = 4;
    const BEFORE: u64 = 100;
    let mut cluster = NatsCluster::start().await;
    let settings = cluster.settings();
    let (log, sample) = (create(&settings).await, Sample::new());
    let mut items = log.follow(&sample.filter(), None).await.unwrap();
    let (acknowledged, killed_at) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
    let streams = (0..WRITERS).map(|number| sample.stream(&format!("k{number}")));
    let streams: Vec<_> = streams.collect();
    // Each goes on until it has appended some more after the kill.
    let write = async |stream| {
        let (mut count, mut after_kill, mut failures) = (0, 0, 0);
        while after_kill < 20 {
            let events = sample.events(1);
            let (_, failed) = append_until_stored(&log, stream, after(count), &events).await;
            failures += failed;
            count += 1;
            acknowledged.fetch_add(1, Ordering::Relaxed);
            after_kill += u64::from(killed_at.load(Ordering::Relaxed) != u64::MAX);
        }
        (count, failures)
    };
    let kill = async {
        let name = leader(&settings).await;
        while acknowledged.load(Ordering::Relaxed) < BEFORE {
            tokio::task::yield_now().await;
        }
        cluster.server_mut(&name).kill().await;
        killed_at.store(acknowledged.load(Ordering::Relaxed), Ordering::Relaxed);
    };
    let (written, ()) = tokio::join!(join_all(streams.iter().map(write)), kill);
    let total: u64 = written.iter().map(|(count, _)| count).sum();
    assert!(written.iter().any(|(_, failures)| *failures > 0), "the kill was not noticed");
    let mut told = Vec::new();
    while (told.len() as u64) < total {
        told.push(next_event(&mut items).await);
    }
    assert!(told.is_sorted_by(|a, b| a.position < b.position));
    for (stream, (count, _)) in streams.iter().zip(&written) {
        let stored = read(&log, stream, 0).await;
        assert_eq!(stored.len() as u64, *count);
        let of_stream = told.iter().filter(|event| event.stream == *stream).cloned();
        assert_eq!(of_stream.collect::<Vec<_>>(), stored);
    }
    // Who begins to follow may have to wait for the servers to elect who makes consumers.
    let mut again = loop {
        match within(LONGEST_READ, log.follow(&Filter::default(), None)).await {
            Ok(items) => break items,
            refused => assert_unavailable(refused),
        }
    };
    for event in told {
        assert_eq!(next_event(&mut again).await, event);
    }
}
