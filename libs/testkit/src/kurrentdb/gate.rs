//! The way into the double: a port that can be shut, and connections that can be broken, without its noticing.

use std::io;

use parking_lot::Mutex;
use tokio::{
    io::{DuplexStream, copy_bidirectional, duplex},
    net::TcpListener,
    sync::mpsc,
    task::AbortHandle,
};

/// How many bytes may be under way on one connection.
const BUFFER: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Gate {
    port: u16,
    inward: mpsc::UnboundedSender<io::Result<DuplexStream>>,
    listening: Mutex<Option<AbortHandle>>,
    connections: Mutex<Vec<AbortHandle>>,
}

impl Gate {
    pub(super) fn new(port: u16, inward: mpsc::UnboundedSender<io::Result<DuplexStream>>) -> Self {
        Self { port, inward, listening: Mutex::default(), connections: Mutex::default() }
    }

    pub(super) const fn port(&self) -> u16 {
        self.port
    }

    /// Listens, if it does not yet.
    pub(super) async fn open(self: &std::sync::Arc<Self>) {
        if self.listening.lock().is_some() {
            return;
        }
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await;
        let listener = listener.expect("the port is free");
        let gate = std::sync::Arc::downgrade(self);
        let task = tokio::spawn(async move {
            while let Ok((mut outside, _)) = listener.accept().await {
                let Some(gate) = gate.upgrade() else { return };
                // What the client sends in small pieces is the client's affair; the answers are not held up.
                if outside.set_nodelay(true).is_err() {
                    continue;
                }
                let (mut near, far) = duplex(BUFFER);
                if gate.inward.send(Ok(far)).is_err() {
                    return;
                }
                let copying = tokio::spawn(async move {
                    // However it ends, the connection is over.
                    drop(copy_bidirectional(&mut outside, &mut near).await);
                });
                let mut connections = gate.connections.lock();
                connections.retain(|connection| !connection.is_finished());
                connections.push(copying.abort_handle());
            }
        });
        *self.listening.lock() = Some(task.abort_handle());
    }

    /// Refuses new connections and breaks those that are open.
    pub(super) async fn shut(&self) {
        let listening = self.listening.lock().take();
        if let Some(listening) = listening {
            listening.abort();
            // Until the listener is dropped, the system still takes connections for it.
            while !listening.is_finished() {
                tokio::task::yield_now().await;
            }
        }
        self.break_connections();
    }

    pub(super) fn break_connections(&self) {
        for connection in self.connections.lock().drain(..) {
            connection.abort();
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Some(listening) = self.listening.lock().take() {
            listening.abort();
        }
        self.break_connections();
    }
}
