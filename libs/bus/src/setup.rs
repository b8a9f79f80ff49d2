//! Making the streams of the bus, and opening what was made.

use std::{sync::Arc, time::Duration};

use async_nats::jetstream::{
    ErrorCode,
    context::GetStreamErrorKind,
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType, Stream},
};
use countersign_nats::Nats;

use crate::{BusError, DeadLetters, bus::Reports, consumer::ConsumerSettings, names::Names};

/// How long the bus keeps events unless told otherwise: as long as a consumer may be away without missing any.
pub const DEFAULT_MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long JetStream knows the id of a message again.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);

/// How often a stream has to be denied before it counts as missing: while JetStream elects a leader, it may not know.
const DENIALS: u32 = 3;

/// Pause between two looks for a stream.
const DENIAL_PAUSE: Duration = Duration::from_millis(300);

/// The bus on NATS: a stream of events, a stream of what was parked, and one of how far publishers have come. Cheap to
/// clone.
#[derive(Clone, Debug)]
pub struct NatsBus {
    pub(crate) nats: Nats,
    pub(crate) names: Arc<Names>,
    pub(crate) settings: ConsumerSettings,
    pub(crate) reports: Reports,
}

impl NatsBus {
    /// Makes the streams, or changes them to what is asked here if they are there, and opens them. Events are kept for
    /// `max_age`; the longest that any consumer may be away.
    ///
    /// # Errors
    /// Says that NATS cannot be reached or does not make them.
    pub async fn create(nats: Nats, max_age: Duration) -> Result<Self, BusError> {
        let names = Names::new(nats.prefix());
        for config in configs(&names, nats.replicas(), max_age) {
            let made = nats.jetstream().create_or_update_stream(config).await;
            made.map_err(BusError::unavailable)?;
        }
        Ok(Self::new(nats, names))
    }

    /// Opens the streams that [`create`](Self::create) made.
    ///
    /// # Errors
    /// Says that they were not made, or that NATS cannot be reached.
    pub async fn open(nats: Nats) -> Result<Self, BusError> {
        let names = Names::new(nats.prefix());
        for stream in [names.bus(), names.dead(), names.state()] {
            let mut denied = 0;
            while let Err(error) = nats.jetstream().get_stream(&stream).await {
                if !is_denial(&error.kind()) {
                    return Err(BusError::unavailable(error));
                }
                denied += 1;
                if denied == DENIALS {
                    return Err(BusError::Missing { stream });
                }
                tokio::time::sleep(DENIAL_PAUSE).await;
            }
        }
        Ok(Self::new(nats, names))
    }

    fn new(nats: Nats, names: Names) -> Self {
        let settings = ConsumerSettings::default();
        Self { nats, names: Arc::new(names), settings, reports: Reports::default() }
    }

    /// Changes how consumers work.
    #[must_use]
    pub fn with_consumers(self, settings: ConsumerSettings) -> Self {
        Self { settings, ..self }
    }

    /// Returns what was parked.
    #[must_use]
    pub fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(self.clone())
    }

    /// Returns a stream to ask, without asking whether it is there.
    pub(crate) async fn stream(&self, name: &str) -> Result<Stream<()>, BusError> {
        let stream = self.nats.jetstream().get_stream_no_info(name).await;
        stream.map_err(BusError::unavailable)
    }
}

fn is_denial(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn configs(names: &Names, replicas: usize, max_age: Duration) -> [Config; 3] {
    let kept = |name: String, subjects: Vec<String>| Config {
        name,
        subjects,
        retention: RetentionPolicy::Limits,
        discard: DiscardPolicy::Old,
        storage: StorageType::File,
        num_replicas: replicas,
        duplicate_window: DUPLICATE_WINDOW,
        allow_direct: true,
        max_messages: -1,
        max_messages_per_subject: -1,
        max_bytes: -1,
        ..Config::default()
    };
    // What is given out again stands in the stream of events, so that a consumer waits in one place for both.
    let bus = kept(names.bus(), vec![names.events(), names.retries()]);
    let state = kept(names.state(), vec![names.state() + ".>"]);
    [
        Config { max_age, duplicate_window: DUPLICATE_WINDOW.min(max_age), ..bus },
        kept(names.dead(), vec![names.dead() + ".>"]),
        Config { max_messages_per_subject: 1, ..state },
    ]
}
