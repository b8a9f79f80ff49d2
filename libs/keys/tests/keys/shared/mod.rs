//! Keys that replicas share, over a real NATS.

mod away;
mod copy;
mod directory;
mod erasing;
mod exchange;
mod replicas;
mod rotation;
mod verify;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use async_nats::jetstream::message::StreamMessage;
use countersign_core::UserKey;
use countersign_keys::{OpenError, SharedKeys};
use countersign_nats::Nats;
use countersign_testkit::NatsServer;

use crate::support::Keys;

pub(crate) const FIELD: &str = "authenticator.record";
const STREAM: &str = "countersign_keys";

/// A NATS, and a directory that all replicas have.
pub(crate) struct World {
    pub(crate) server: NatsServer,
    pub(crate) nats: Nats,
    pub(crate) keys: Keys,
}

impl World {
    /// Nothing yet.
    pub(crate) async fn none() -> Self {
        let server = NatsServer::start().await;
        Self { nats: server.connect().await, server, keys: Keys::none() }
    }

    /// What `countersign init` makes.
    pub(crate) async fn made() -> Self {
        let world = Self::none().await;
        world.create().await.unwrap();
        world
    }

    pub(crate) fn directory(&self) -> PathBuf {
        self.keys.directory()
    }

    pub(crate) async fn create(&self) -> Result<SharedKeys, OpenError> {
        SharedKeys::create(&self.directory(), &self.nats, self.keys.rng()).await
    }

    pub(crate) async fn try_open(&self) -> Result<SharedKeys, OpenError> {
        SharedKeys::open(&self.directory(), &self.nats, self.keys.rng()).await
    }

    /// Opens the keys as one more replica with a connection of its own.
    pub(crate) async fn replica(&self) -> SharedKeys {
        let nats = self.server.connect().await;
        SharedKeys::open(&self.directory(), &nats, self.keys.rng()).await.unwrap()
    }

    /// Returns the message with that sequence.
    async fn message(&self, sequence: u64) -> Option<StreamMessage> {
        let stream = self.nats.jetstream().get_stream(STREAM).await.unwrap();
        stream.get_raw_message(sequence).await.ok()
    }

    async fn count(&self) -> u64 {
        let stream = self.nats.jetstream().get_stream(STREAM).await.unwrap();
        stream.cached_info().state.messages
    }

    /// Puts any bytes in the place of a user's next message.
    pub(crate) async fn put(&self, user: UserKey, bytes: Vec<u8>) {
        let sent = self.nats.jetstream().publish(format!("{STREAM}.{user}"), bytes.into()).await;
        sent.unwrap().await.unwrap();
    }
}

/// Makes of a key's message the one that says that it was erased.
pub(crate) fn marker(key: &[u8]) -> Vec<u8> {
    let mut bytes = key.to_vec();
    bytes[0] = 0xC3;
    bytes[44..188].fill(0);
    bytes
}

/// Waits for what must happen soon.
pub(crate) async fn soon(mut happened: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !happened().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
}

/// Returns whether any 16 bytes of `secret` in a row are in any file below `directory`.
fn any_trace(directory: &Path, secret: &[u8]) -> bool {
    std::fs::read_dir(directory).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return any_trace(&path, secret);
        }
        // A file that went away meanwhile holds nothing.
        let bytes = std::fs::read(path).unwrap_or_default();
        secret.windows(16).any(|part| bytes.windows(16).any(|found| found == part))
    })
}
