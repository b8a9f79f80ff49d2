//! The connection to NATS that the log, the bus and the data-key store share: how it is opened, how long its answers may
//! take, and what it says while it is away.

#![forbid(unsafe_code)]

use std::{fmt, path::PathBuf, time::Duration};

use async_nats::{Client, ConnectOptions, Event, connection::State, jetstream};

/// How long a request to JetStream may take before it counts as unanswered. A leader that was lost is replaced within some
/// seconds; whoever waits for it does so by asking again.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// How long opening a connection to one server may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a silent connection is asked whether anyone is still there; after three unanswered ones it is given up.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// Longest pause between two attempts to connect again.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// How often a caller that waits for the connection looks again.
const READY_PAUSE: Duration = Duration::from_millis(20);

/// Where NATS is, and what is kept there under which name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatsSettings {
    /// Addresses such as `nats://nats-0.nats:4222`; any one that answers will do.
    pub servers: Vec<String>,
    /// A credentials file (`.creds`) of whoever may use them; `None` if they ask for none.
    pub credentials: Option<PathBuf>,
    /// On how many servers each stream is kept, 1 to 5. Used when streams are made.
    pub replicas: u8,
    /// Begins the names of all streams and subjects: installations with different prefixes share a NATS without meeting.
    pub prefix: String,
}

impl Default for NatsSettings {
    fn default() -> Self {
        Self {
            servers: vec!["nats://127.0.0.1:4222".to_owned()],
            credentials: None,
            replicas: 1,
            prefix: "countersign".to_owned(),
        }
    }
}

/// NATS does not answer.
#[derive(Clone, Debug, thiserror::Error)]
#[error("no NATS server answers: {what}")]
pub struct NatsAway {
    what: String,
}

impl NatsAway {
    /// Says why.
    #[must_use]
    pub fn new(what: impl fmt::Display) -> Self {
        Self { what: what.to_string() }
    }
}

/// A connection to NATS that comes back by itself. Cheap to clone.
#[derive(Clone)]
pub struct Nats {
    client: Client,
    jetstream: jetstream::Context,
    prefix: String,
    replicas: u8,
}

impl fmt::Debug for Nats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Nats").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl Nats {
    /// Opens a connection, and keeps trying in the background if no server answers yet: see [`ready`](Self::ready).
    ///
    /// # Errors
    /// Says that an address or the credentials cannot be used.
    pub async fn connect(settings: &NatsSettings) -> Result<Self, NatsAway> {
        // KurrentDB's client compiles another kind in beside it, and then a choice must be made before TLS is spoken. An
        // error says that it was made already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let options = match &settings.credentials {
            Some(path) => {
                let read = ConnectOptions::with_credentials_file(path).await;
                read.map_err(|error| NatsAway::new(format!("{}: {error}", path.display())))?
            }
            None => ConnectOptions::new(),
        };
        let options = options
            .name("countersign")
            .connection_timeout(CONNECT_TIMEOUT)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .ping_interval(PING_INTERVAL)
            .retry_on_initial_connect()
            .reconnect_delay_callback(|attempt| {
                let pause =
                    Duration::from_millis(20) * u32::try_from(attempt).unwrap_or(25).min(25);
                pause.min(LONGEST_PAUSE)
            })
            .event_callback(async |event| match event {
                Event::Connected => tracing::info!("connected to NATS"),
                Event::Disconnected => tracing::warn!("NATS went away; connecting again"),
                // Such as that it does not let us in.
                event @ (Event::SlowConsumer(_) | Event::ServerError(_)) => {
                    tracing::warn!(%event, "NATS complains");
                }
                // Every failed attempt to connect again is one: there are many while NATS is away.
                event @ (Event::LameDuckMode
                | Event::Draining
                | Event::Closed
                | Event::ClientError(_)) => tracing::debug!(%event, "NATS"),
            });
        let connected = async_nats::connect_with_options(&settings.servers, options).await;
        let client = connected.map_err(NatsAway::new)?;
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(REQUEST_TIMEOUT);
        Ok(Self {
            client,
            jetstream,
            prefix: settings.prefix.clone(),
            replicas: settings.replicas.clamp(1, 5),
        })
    }

    /// Waits until a server answers, at most for `within`. Nothing should be sent before: the client would keep it, and
    /// send it when nobody waits for the answer any more.
    ///
    /// # Errors
    /// Says that none did.
    pub async fn ready(&self, within: Duration) -> Result<(), NatsAway> {
        if self.is_connected() {
            return Ok(());
        }
        let connected = async {
            while !self.is_connected() {
                tokio::time::sleep(READY_PAUSE).await;
            }
        };
        let waited = tokio::time::timeout(within, connected).await;
        waited.map_err(|_| NatsAway::new(format!("not connected within {} ms", within.as_millis())))
    }

    /// Returns whether a server answers as far as is known.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Returns the client itself.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Returns JetStream over it.
    #[must_use]
    pub const fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    /// Returns what the names of this installation's streams and subjects begin with.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns on how many servers new streams are kept.
    #[must_use]
    pub const fn replicas(&self) -> usize {
        self.replicas as usize
    }
}
