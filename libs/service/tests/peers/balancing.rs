//! Which replica is called.

use countersign_proto::audit::GetStateAsOfRequest;

use crate::{
    peer::{Peer, Turn},
    world::Front,
};

#[tokio::test]
async fn calls_go_round_the_replicas() {
    let (a, b) = (Peer::start("a").await, Peer::start("b").await);
    let front = Front::to(&[a.address, b.address]).await;
    for _ in 0..10 {
        front.read().await.unwrap();
    }
    assert_eq!((a.script.count(), b.script.count()), (5, 5));
}

#[tokio::test]
async fn a_replica_that_is_busy_is_called_less() {
    let (a, b) = (Peer::start("a").await, Peer::start("b").await);
    let front = Front::to(&[a.address, b.address]).await;
    a.script.then(Turn::Hang);
    let mut audit = front.audit();
    let busy =
        tokio::spawn(async move { audit.get_state_as_of(GetStateAsOfRequest::default()).await });
    a.script.was_asked(1).await;
    for _ in 0..10 {
        assert_eq!(front.read().await.unwrap(), "b");
    }
    busy.abort();
}
