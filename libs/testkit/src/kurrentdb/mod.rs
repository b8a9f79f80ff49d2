//! A double of KurrentDB at the wire: a server at a port of its own that speaks the public protocol
//! (`proto/kurrentdb`), so that the real client crate runs against it unmodified, and that fails on demand.
//!
//! It keeps what clients send in the memory log of the event-log engines, byte for byte, and ends with its handle. It does
//! what an adapter for an event log needs: appends in calls and in sessions with expected revisions and repeats by event
//! id; reads of a stream and of `$all` in both directions; filtered subscriptions to `$all` with confirmation, checkpoints
//! and "caught up"; gossip and the list of features, which clients ask for when they connect.
//!
//! It is no KurrentDB. Left out are clusters (it is one node and the leader, except where [`Faults`] make it say
//! otherwise), disks, links and projections, persistent subscriptions, subscriptions to one stream, deletion and
//! scavenging, stream metadata (and so truncation and maximum ages), users, access control, TLS, appends that come in
//! several messages of a session, and the times at which events were created. What matters was compared with the server's
//! public source; an engine is only known to work once its contract has also run against a real server.

mod append;
mod convert;
mod faults;
mod gate;
mod read;
mod service;
mod store;
mod wire;

use std::sync::Arc;

use bytes::Bytes;
use tokio::{sync::mpsc, task::AbortHandle};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::transport::Server;
use uuid::Uuid;

use self::{
    gate::Gate,
    service::Service,
    store::{Expected, Store, WireEvent},
    wire::{
        gossip::gossip_server::GossipServer, server_features::server_features_server as features,
        streams::streams_server::StreamsServer,
    },
};
use crate::{ReservedPort, reserve_ports};

pub use faults::Faults;

/// Greatest message that is taken: the server's own limit for appends is far below it.
const LARGEST_MESSAGE: usize = 16 * 1024 * 1024;

/// An event as a client sent it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its type.
    pub event_type: String,
    /// What its data is said to be.
    pub content_type: String,
    /// Its data.
    pub data: Bytes,
    /// Its custom metadata.
    pub metadata: Bytes,
}

/// A double that runs until its handle is dropped.
#[derive(Debug)]
pub struct KurrentDb {
    store: Store,
    faults: Faults,
    gate: Arc<Gate>,
    serving: AbortHandle,
    _reserved: ReservedPort,
}

impl KurrentDb {
    /// Starts one without events.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start() -> Self {
        let [reserved] = reserve_ports();
        let port = reserved.number();
        let (inward, connections) = mpsc::unbounded_channel();
        let gate = Arc::new(Gate::new(port, inward));
        let store = Store::default();
        let faults = Faults::new(Arc::clone(&gate), port);
        let service = Service { store: store.clone(), faults: faults.clone(), port };
        let streams =
            StreamsServer::new(service.clone()).max_decoding_message_size(LARGEST_MESSAGE);
        let server = Server::builder()
            .add_service(streams)
            .add_service(GossipServer::new(service.clone()))
            .add_service(features::ServerFeaturesServer::new(service));
        let serving = tokio::spawn(async move {
            let connections = UnboundedReceiverStream::new(connections);
            server.serve_with_incoming(connections).await.expect("the double serves");
        });
        gate.open().await;
        Self { store, faults, gate, serving: serving.abort_handle(), _reserved: reserved }
    }

    /// Returns the connection string.
    #[must_use]
    pub fn url(&self) -> String {
        format!("kurrentdb://127.0.0.1:{}?tls=false", self.gate.port())
    }

    /// Returns the port at which it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.gate.port()
    }

    /// Returns what makes it fail.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Goes away: breaks every connection and refuses new ones. What it keeps, it keeps.
    pub async fn stop(&self) {
        self.gate.shut().await;
    }

    /// Comes back at the same port.
    ///
    /// # Panics
    /// If somebody else has taken the port.
    pub async fn start_again(&self) {
        self.gate.open().await;
    }

    /// Appends an event of somebody else to `stream`, whatever is there, and returns its id.
    ///
    /// # Panics
    /// If it is larger than the double takes.
    pub async fn put(&self, stream: &str, event_type: &str, data: &[u8], metadata: &[u8]) -> Uuid {
        let name = Bytes::copy_from_slice(stream.as_bytes());
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, &self.next_number().await.to_be_bytes());
        let event = WireEvent {
            id: Some(wire::Uuid::of(id)),
            metadata: [
                ("type".to_owned(), event_type.to_owned()),
                ("content-type".to_owned(), "application/octet-stream".to_owned()),
            ]
            .into(),
            custom_metadata: Bytes::copy_from_slice(metadata),
            data: Bytes::copy_from_slice(data),
            ..WireEvent::default()
        };
        self.store.append(&name, Expected::Any, vec![event]).await.expect("it is small enough");
        id
    }

    /// Returns the events of `stream` as a client sent them.
    pub async fn stored(&self, stream: &str) -> Vec<StoredEvent> {
        let events = self.store.stream(&Bytes::copy_from_slice(stream.as_bytes()), 0).await;
        let stored = events.into_iter().map(|mut event| StoredEvent {
            event_type: event.metadata.remove("type").unwrap_or_default(),
            content_type: event.metadata.remove("content-type").unwrap_or_default(),
            data: event.data,
            metadata: event.custom_metadata,
        });
        stored.collect()
    }

    /// Returns a number that no event put here before had.
    async fn next_number(&self) -> u64 {
        self.store.head().await.map_or(0, |head| head + 1)
    }
}

impl Drop for KurrentDb {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
