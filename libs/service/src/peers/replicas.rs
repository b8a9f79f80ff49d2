//! The replicas of one service: who they are now, and which one is called next.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use countersign_core::Chain;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::{
    address::PeerAddress,
    budget::Budget,
    replica::{Replica, UnderWay},
    resolve::Resolve,
    secure::PeerTls,
};

/// How long looking a name up may take.
const RESOLVE_WITHIN: Duration = Duration::from_secs(5);

/// How soon a name is looked up again as long as no replica is known.
const SOON: Duration = Duration::from_millis(500);

/// The replicas of one service.
#[derive(Debug)]
pub(super) struct Replicas {
    service: &'static str,
    tls: Option<PeerTls>,
    list: Mutex<Vec<Arc<Replica>>>,
    turn: AtomicUsize,
    /// Whether every name was looked up once.
    is_known: watch::Sender<bool>,
}

impl Replicas {
    /// Begins with the replicas whose addresses need no looking up.
    pub(super) fn new(
        service: &'static str,
        addresses: &[PeerAddress],
        tls: Option<PeerTls>,
    ) -> Self {
        let replicas = Self {
            service,
            tls,
            list: Mutex::default(),
            turn: AtomicUsize::new(0),
            is_known: watch::Sender::new(addresses.iter().all(|one| one.fixed().is_some())),
        };
        let fixed = addresses.iter().filter_map(|one| Some((one.fixed()?, one)));
        replicas.update(&fixed.collect::<Vec<_>>());
        replicas
    }

    /// Returns the service.
    pub(super) const fn service(&self) -> &'static str {
        self.service
    }

    /// Looks the names of `addresses` up, and again `every` so often. What is known of a name stays until something else
    /// is: an outage of DNS takes no replica away.
    pub(super) async fn follow(
        &self,
        addresses: &[PeerAddress],
        resolver: &dyn Resolve,
        every: Duration,
    ) {
        let mut names: Vec<_> = addresses
            .iter()
            .map(|address| Name { address, found: address.fixed().into_iter().collect() })
            .collect();
        while addresses.iter().any(|address| address.fixed().is_none()) {
            futures_util::future::join_all(names.iter_mut().map(|name| name.look_up(resolver)))
                .await;
            let found = names
                .iter()
                .flat_map(|name| name.found.iter().map(|address| (*address, name.address)));
            let is_empty = self.update(&found.collect::<Vec<_>>());
            self.is_known.send_replace(true);
            tokio::time::sleep(if is_empty { SOON.min(every) } else { every }).await;
        }
    }

    /// Makes the list that of `found`, keeping those that are in both. Returns whether nobody is left.
    fn update(&self, found: &[(SocketAddr, &PeerAddress)]) -> bool {
        let mut list = self.list.lock();
        let mut next: Vec<Arc<Replica>> = Vec::with_capacity(found.len());
        for (address, named) in found {
            if next.iter().any(|replica| replica.address() == *address) {
                continue;
            }
            let kept = list.iter().find(|replica| replica.address() == *address).cloned();
            let fresh =
                || Replica::new(self.service, *address, named, self.tls.as_ref()).map(Arc::new);
            match kept.map_or_else(fresh, Ok) {
                Ok(replica) => next.push(replica),
                Err(error) => {
                    let service = self.service;
                    tracing::warn!(service, %address, error = %Chain(&*error), "not an address");
                }
            }
        }
        *list = next;
        list.is_empty()
    }

    /// Chooses a replica and begins a call: not one that failed lately if there is another, nor one in `tried`; of those
    /// the one with the fewest calls under way, and among equals each in turn. `None` if there is none.
    pub(super) async fn enter(&self, tried: &[SocketAddr], budget: Budget) -> Option<UnderWay> {
        let mut is_known = self.is_known.subscribe();
        let known = tokio::time::timeout_at(budget.give_up_at(), is_known.wait_for(|known| *known));
        drop(known.await.ok()?.ok()?);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let list = self.list.lock();
        let count = list.len();
        let from = turn.checked_rem(count)?;
        let in_turn = list.iter().cycle().skip(from).take(count);
        let best = in_turn.min_by_key(|replica| {
            (replica.rests(), tried.contains(&replica.address()), replica.under_way())
        })?;
        Some(best.enter())
    }
}

/// A name and what it stood for when it was last looked up.
struct Name<'a> {
    address: &'a PeerAddress,
    found: Vec<SocketAddr>,
}

impl Name<'_> {
    async fn look_up(&mut self, resolver: &dyn Resolve) {
        if self.address.fixed().is_some() {
            return;
        }
        let (host, port) = (self.address.host(), self.address.port());
        let resolved = tokio::time::timeout(RESOLVE_WITHIN, resolver.resolve(host, port)).await;
        match resolved {
            Ok(Ok(found)) if !found.is_empty() => self.found = found,
            Ok(Ok(_)) => tracing::debug!(host, "the name stands for nobody now"),
            Ok(Err(error)) => tracing::debug!(host, %error, "the name cannot be looked up now"),
            Err(_) => tracing::debug!(host, "looking the name up takes too long"),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use tokio::time::Instant;

    use super::*;

    fn budget() -> Budget {
        Budget::of(&HeaderMap::new(), Duration::from_secs(1))
    }

    fn three() -> Replicas {
        let addresses =
            [1, 2, 3].map(|port| PeerAddress::parse(&format!("http://127.0.0.1:{port}")).unwrap());
        Replicas::new("audit", &addresses, None)
    }

    async fn port(replicas: &Replicas, tried: &[SocketAddr]) -> (u16, UnderWay) {
        let call = replicas.enter(tried, budget()).await.unwrap();
        (call.replica().address().port(), call)
    }

    #[tokio::test]
    async fn equals_take_turns() {
        let replicas = three();
        let mut ports = Vec::new();
        for _ in 0..6 {
            ports.push(port(&replicas, &[]).await.0);
        }
        assert_eq!(ports, [1, 2, 3, 1, 2, 3]);
    }

    #[tokio::test]
    async fn the_one_with_the_fewest_calls_under_way_is_next() {
        let replicas = three();
        let mut calls = Vec::new();
        for _ in 0..9 {
            calls.push(port(&replicas, &[]).await);
        }
        calls.retain(|(port, _)| *port != 2);
        for _ in 0..3 {
            let call = port(&replicas, &[]).await;
            assert_eq!(call.0, 2);
            calls.push(call);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_that_failed_lately_are_called_only_if_there_is_nobody_else() {
        let replicas = three();
        let mut tried = Vec::new();
        for left in [3, 2, 1] {
            let call = replicas.enter(&tried, budget()).await.unwrap();
            call.failed();
            tried.push(call.replica().address());
            assert_eq!(tried.len(), 4 - left);
        }
        tried.sort();
        tried.dedup();
        assert_eq!(tried.len(), 3, "each was tried once");
        assert!(replicas.enter(&tried, budget()).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_replica_there_is_nobody_to_call() {
        assert!(Replicas::new("audit", &[], None).enter(&[], budget()).await.is_none());
        let named = [PeerAddress::parse("http://audit:1").unwrap()];
        let began = Instant::now();
        assert!(Replicas::new("audit", &named, None).enter(&[], budget()).await.is_none());
        assert_eq!(began.elapsed(), Duration::from_millis(900), "it waits to know the name");
    }
}
