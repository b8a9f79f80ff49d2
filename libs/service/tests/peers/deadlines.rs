//! Every call is answered in time, whatever its peers do.

use std::{net::SocketAddr, time::Duration};

use countersign_testkit::CuttableProxy;
use futures_util::future::join_all;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    time::{Instant, timeout},
};

use crate::{
    peer::{Peer, Turn},
    world::{Front, assert_outage},
};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_peer_is_told_less_than_the_caller_asked_for() {
    let a = Peer::start("a").await;
    let front = Front::to(&[a.address]).await;
    front.read_within(Some(SECOND)).await.unwrap();
    let asked = a.script.asked();
    let told = asked[0].get("grpc-timeout").unwrap().to_str().unwrap();
    let micros: u32 = told.strip_suffix('u').unwrap().parse().unwrap();
    assert!((1..=891_000).contains(&micros), "{told}");
}

#[tokio::test]
async fn without_a_deadline_a_peer_is_told_the_servers_limit() {
    let a = Peer::start("a").await;
    let front = Front::within(SECOND, &[a.address]).await;
    front.read().await.unwrap();
    let asked = a.script.asked();
    let told = asked[0].get("grpc-timeout").unwrap().to_str().unwrap();
    let micros: u32 = told.strip_suffix('u').unwrap().parse().unwrap();
    assert!((1..=900_000).contains(&micros), "{told}");
}

#[tokio::test]
async fn a_peer_that_does_not_answer_is_an_outage_before_the_deadline() {
    let a = Peer::start("a").await;
    let front = Front::to(&[a.address]).await;
    a.script.then(Turn::Hang);
    let began = Instant::now();
    assert_outage(&front.read_within(Some(SECOND)).await.unwrap_err());
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
}

#[tokio::test]
async fn without_a_deadline_the_servers_limit_counts() {
    let a = Peer::start("a").await;
    let front = Front::within(SECOND / 2, &[a.address]).await;
    a.script.then(Turn::Hang);
    assert_outage(&front.read().await.unwrap_err());
}

#[tokio::test]
async fn a_stalled_wire_is_an_outage_before_the_deadline() {
    let a = Peer::start("a").await;
    let wire = CuttableProxy::start(a.address).await;
    let front = Front::to(&[wire.address()]).await;
    assert_eq!(front.read().await.unwrap(), "a");
    wire.stall();
    let began = Instant::now();
    assert_outage(&front.read_within(Some(SECOND)).await.unwrap_err());
    assert!(began.elapsed() < SECOND, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_stalled_wire_is_noticed_and_another_replica_answers() {
    let (a, b) = (Peer::start("a").await, Peer::start("b").await);
    let wire = CuttableProxy::start(a.address).await;
    let front = Front::to(&[wire.address(), b.address]).await;
    assert_eq!(front.read().await.unwrap(), "a");
    assert_eq!(front.read().await.unwrap(), "b");
    wire.stall();
    let began = Instant::now();
    assert_eq!(front.read().await.unwrap(), "b", "its turn is the stalled one's");
    assert!(began.elapsed() > SECOND / 2, "it was asked first: {:?}", began.elapsed());
    let noticed = Instant::now();
    // Longer than its rest: nobody who calls has to find out whether it is well again.
    while noticed.elapsed() < SECOND {
        let began = Instant::now();
        assert_eq!(front.read().await.unwrap(), "b");
        assert!(began.elapsed() < SECOND, "nobody waits for it any more");
    }
}

/// An address at which connections never come about: the queue of those that wait to be accepted is full.
async fn swallowing() -> (TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) = timeout(SECOND / 5, TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
    }
    (listener, waiting)
}

#[tokio::test]
async fn calls_do_not_queue_for_a_connection_that_never_comes_about() {
    let (listener, _waiting) = swallowing().await;
    let a = Peer::start("a").await;
    let front = Front::to(&[listener.local_addr().unwrap(), a.address]).await;
    let began = Instant::now();
    // They may not be carried out twice: what never left goes elsewhere all the same.
    let calls = (0..16).map(|_| front.change(""));
    for answer in join_all(calls).await {
        assert_eq!(answer.unwrap(), "a");
    }
    assert_eq!(a.script.count(), 16);
    assert!(began.elapsed() < 3 * SECOND, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_cut_wire_is_an_outage_at_once_and_mended_by_itself() {
    let a = Peer::start("a").await;
    let mut wire = CuttableProxy::start(a.address).await;
    let front = Front::to(&[wire.address()]).await;
    assert_eq!(front.read().await.unwrap(), "a");
    wire.cut().await;
    assert_outage(&front.read_within(Some(SECOND)).await.unwrap_err());
    wire.mend();
    assert_eq!(front.read().await.unwrap(), "a");
}
