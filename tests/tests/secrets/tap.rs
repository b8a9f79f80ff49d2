//! All that goes through NATS, as a stranger who was let in hears it.

use std::sync::Arc;

use countersign_testkit::NatsServer;
use futures_util::StreamExt as _;
use parking_lot::Mutex;

/// Listens until it is dropped.
#[derive(Debug)]
pub(crate) struct Tap {
    heard: Arc<Mutex<Vec<u8>>>,
    listening: Vec<tokio::task::JoinHandle<()>>,
}

impl Tap {
    /// Listens to every subject of `server`, and to those of JetStream itself.
    pub(crate) async fn on(server: &NatsServer) -> Self {
        let nats = server.connect().await;
        let heard = Arc::new(Mutex::new(Vec::new()));
        let mut listening = Vec::new();
        for subjects in [">", "$JS.>"] {
            let mut messages = nats.client().subscribe(subjects).await.unwrap();
            let heard = Arc::clone(&heard);
            listening.push(tokio::spawn(async move {
                while let Some(message) = messages.next().await {
                    let mut heard = heard.lock();
                    heard.extend_from_slice(message.subject.as_bytes());
                    heard.extend_from_slice(format!("\n{:?}\n", message.headers).as_bytes());
                    heard.extend_from_slice(&message.payload);
                    heard.push(b'\n');
                }
            }));
        }
        nats.client().flush().await.unwrap();
        Self { heard, listening }
    }

    /// Returns all that was heard until now.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().clone()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        for listening in &self.listening {
            listening.abort();
        }
    }
}
