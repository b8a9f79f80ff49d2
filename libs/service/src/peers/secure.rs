//! TLS to peers: whom we expect at an address, and what we show them.

use std::{collections::BTreeMap, fmt};

use countersign_tls::{ClientTls, ConnectError, Connector, ExpectedPeer, SpiffeId};

use super::address::PeerAddress;

/// TLS to peers.
#[derive(Clone)]
pub struct PeerTls {
    client: ClientTls,
    /// By service; whoever's certificate names the host of the address, where there is none.
    expected: BTreeMap<String, SpiffeId>,
}

impl fmt::Debug for PeerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerTls").field("expected", &self.expected).finish_non_exhaustive()
    }
}

impl PeerTls {
    /// Speaks TLS by `client`, and expects the processes of a service to have its SPIFFE id in `expected`, or else the name
    /// by which they are called.
    #[must_use]
    pub const fn new(client: ClientTls, expected: BTreeMap<String, SpiffeId>) -> Self {
        Self { client, expected }
    }

    /// Returns what opens connections to a process of `service` at `address`.
    ///
    /// # Errors
    /// Says that nobody can be called what the address says.
    pub(super) fn connector(
        &self,
        service: &str,
        address: &PeerAddress,
    ) -> Result<Connector, ConnectError> {
        let expected = match self.expected.get(service) {
            Some(id) => ExpectedPeer::Spiffe(id.clone()),
            None => ExpectedPeer::named(address.host())?,
        };
        Ok(self.client.connector(expected))
    }
}
