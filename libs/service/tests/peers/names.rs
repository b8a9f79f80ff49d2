//! Names that stand for replicas, which come and go.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use countersign_service::peers::{PeerAddresses, Resolve};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{
    peer::Peer,
    world::{Front, LIMIT, assert_outage, forwarding},
};

const OFTEN: Duration = Duration::from_millis(5);

/// What the name stands for now; `None` if it cannot be looked up.
#[derive(Debug, Default)]
struct Names {
    now: Mutex<Option<Vec<SocketAddr>>>,
    asked: watch::Sender<usize>,
}

#[tonic::async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        assert_eq!((host, port), ("audit.example", 7443));
        self.asked.send_modify(|times| *times += 1);
        self.now.lock().clone().ok_or_else(|| io::Error::other("the server of names is away"))
    }
}

impl Names {
    fn stand_for(&self, peers: &[&Peer]) {
        *self.now.lock() = Some(peers.iter().map(|peer| peer.address).collect());
    }

    /// Waits until names have been looked up afresh.
    async fn asked_again(&self) {
        let mut asked = self.asked.subscribe();
        let before = *asked.borrow();
        // When it is asked again, what it answered before has been taken in.
        asked.wait_for(|times| *times >= before + 2).await.unwrap();
    }
}

async fn front(names: &Arc<Names>) -> Front {
    let urls = ["http://audit.example:7443".to_owned()];
    let peers = PeerAddresses::parse([("audit", &urls)]).unwrap();
    let resolver = Arc::clone(names) as Arc<dyn Resolve>;
    let forwarding = forwarding(LIMIT).resolving(resolver, OFTEN);
    Front::start(&peers, LIMIT, &forwarding, None).await
}

#[tokio::test]
async fn a_name_stands_for_every_address_that_it_has_now() {
    let (a, b, c) = (Peer::start("a").await, Peer::start("b").await, Peer::start("c").await);
    let names = Arc::<Names>::default();
    names.stand_for(&[&a, &b]);
    let front = front(&names).await;
    for _ in 0..10 {
        front.read().await.unwrap();
    }
    assert_eq!((a.script.count(), b.script.count()), (5, 5));
    names.stand_for(&[&b, &c]);
    names.asked_again().await;
    for _ in 0..10 {
        front.read().await.unwrap();
    }
    assert_eq!((a.script.count(), b.script.count(), c.script.count()), (5, 10, 5));
}

#[tokio::test]
async fn an_outage_of_names_takes_no_replica_away() {
    let a = Peer::start("a").await;
    let names = Arc::<Names>::default();
    names.stand_for(&[&a]);
    let front = front(&names).await;
    assert_eq!(front.read().await.unwrap(), "a");
    for gone in [None, Some(Vec::new())] {
        *names.now.lock() = gone;
        names.asked_again().await;
        assert_eq!(front.read().await.unwrap(), "a");
    }
}

#[tokio::test]
async fn a_name_that_cannot_be_looked_up_is_an_outage_until_it_can() {
    let a = Peer::start("a").await;
    let names = Arc::<Names>::default();
    let front = front(&names).await;
    assert_outage(&front.read().await.unwrap_err());
    names.stand_for(&[&a]);
    names.asked_again().await;
    assert_eq!(front.read().await.unwrap(), "a");
}
