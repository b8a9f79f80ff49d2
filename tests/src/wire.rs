//! Wires between processes that tests cut, stall and mend.

use std::{collections::BTreeMap, net::SocketAddr};

use countersign::serve::ServiceName;
use countersign_testkit::CuttableProxy;

use crate::cluster::Ground;

/// A wire with a proxy in it. It is the same for all replicas at its near end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wire {
    /// From a service to NATS, of which there is one server.
    Nats(ServiceName),
    /// From a service to KurrentDB.
    KurrentDb(ServiceName),
    /// From a service to one replica of another.
    Peer(ServiceName, ServiceName, usize),
}

impl Wire {
    /// Returns the service at the near end.
    #[must_use]
    pub const fn service(self) -> ServiceName {
        match self {
            Self::Nats(service) | Self::KurrentDb(service) | Self::Peer(service, ..) => service,
        }
    }

    /// Returns where the wire leads.
    fn end(self, ground: &Ground, addresses: &BTreeMap<ServiceName, Vec<String>>) -> SocketAddr {
        match (self, ground) {
            (Self::Nats(_), Ground::JetStream(nats) | Ground::KurrentDb(_, nats)) => nats.address(),
            (Self::KurrentDb(_), Ground::KurrentDb(double, _)) => {
                SocketAddr::from(([127, 0, 0, 1], double.port()))
            }
            (Self::Peer(_, to, number), _) => {
                addresses.get(&to).and_then(|of| of.get(number)).unwrap().parse().unwrap()
            }
            (Self::Nats(_) | Self::KurrentDb(_), _) => panic!("{self:?} leads nowhere"),
        }
    }
}

/// The proxies of a cluster.
#[derive(Debug, Default)]
pub(crate) struct Wires(BTreeMap<Wire, CuttableProxy>);

impl Wires {
    /// Puts a proxy into each of `wires`.
    pub(crate) async fn start(
        wires: &[Wire],
        ground: &Ground,
        addresses: &BTreeMap<ServiceName, Vec<String>>,
    ) -> Self {
        let mut proxies = BTreeMap::new();
        for &wire in wires {
            proxies.insert(wire, CuttableProxy::start(wire.end(ground, addresses)).await);
        }
        Self(proxies)
    }

    /// Returns the proxy in a wire.
    pub(crate) fn get_mut(&mut self, wire: Wire) -> Option<&mut CuttableProxy> {
        self.0.get_mut(&wire)
    }

    /// Returns where `service` finds NATS, if a proxy stands before it, as a variable of the environment; and KurrentDB.
    pub(crate) fn settings(
        &self,
        service: ServiceName,
    ) -> impl Iterator<Item = (&'static str, String)> {
        let nats = self.0.get(&Wire::Nats(service));
        let nats = nats.map(|proxy| ("COUNTERSIGN_NATS", format!("nats://{}", proxy.address())));
        let kurrentdb = self.0.get(&Wire::KurrentDb(service)).map(|proxy| {
            ("COUNTERSIGN_EVENT_LOG", format!("kurrentdb://{}?tls=false", proxy.address()))
        });
        nats.into_iter().chain(kurrentdb)
    }

    /// Returns where `from` finds a replica of another service, if a proxy stands before it.
    pub(crate) fn peer(&self, from: ServiceName, to: ServiceName, number: usize) -> Option<String> {
        self.0.get(&Wire::Peer(from, to, number)).map(|proxy| proxy.address().to_string())
    }
}
