//! What the stream of data keys is like, and whose it is.

use std::{collections::HashMap, path::Path, sync::Arc};

use async_nats::jetstream::{
    ErrorCode,
    context::{CreateStreamErrorKind, GetStreamErrorKind},
    stream::{Config, DiscardPolicy, RetentionPolicy, StorageType},
};
use countersign_core::Timestamp;
use countersign_nats::NatsAway;
use data_encoding::HEXLOWER;

use super::stream::KeyStream;
use crate::{
    KeyEncryption, KeyProblem, OpenError,
    ring::{KEK, KeyRing},
    store::ID_LEN,
};

/// Metadata: the random id of the store.
const ID: &str = "countersign-keys-id";
/// Metadata: the id, wrapped, so that only who has the key-encryption key takes the stream for its own.
const PROOF: &str = "countersign-keys-proof";
const PROOF_FOR: &[u8] = b"countersign keys stream\0";
/// Metadata: since when the version of the key-encryption key that wraps the proof wraps keys, in seconds since 1970.
const SINCE: &str = "countersign-keys-since";

/// Whose the stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamSetup {
    pub(crate) id: [u8; ID_LEN],
    /// The version that wraps it is the one under which all replicas wrap keys.
    proof: Vec<u8>,
    pub(crate) since: Timestamp,
}

impl StreamSetup {
    pub(crate) fn new(
        id: [u8; ID_LEN],
        kek: &dyn KeyEncryption,
        since: Timestamp,
    ) -> Result<Self, OpenError> {
        Ok(Self { id, proof: kek.wrap(PROOF_FOR, &id)?, since })
    }

    /// Returns the version of the ring that wraps keys in the stream; `None` if the stream belongs to another ring.
    pub(crate) fn wrapping(&self, ring: &KeyRing) -> Option<u32> {
        let (version, id) = ring.unwrap_and_tell(PROOF_FOR, &self.proof).ok()?;
        (id.expose() == self.id).then_some(version)
    }

    /// Looks whether the stream belongs to the ring in `directory`, and lets that version of it wrap that wraps there.
    pub(crate) fn check(
        &self,
        stream: &KeyStream,
        directory: &Path,
        ring: &KeyRing,
    ) -> Result<u32, OpenError> {
        let version = self.wrapping(ring).ok_or_else(|| OpenError::Foreign {
            path: stream.place().into(),
            kek: KEK.path(directory),
        })?;
        ring.wrap_under(version);
        Ok(version)
    }

    fn metadata(&self) -> [(String, String); 3] {
        [
            (ID.to_owned(), HEXLOWER.encode(&self.id)),
            (PROOF.to_owned(), HEXLOWER.encode(&self.proof)),
            (SINCE.to_owned(), self.since.unix_seconds().to_string()),
        ]
    }
}

impl KeyStream {
    /// Names the stream for people.
    pub(crate) fn place(&self) -> String {
        format!("stream {} in NATS", self.name)
    }

    fn config(&self, setup: &StreamSetup) -> Config {
        Config {
            name: self.name.clone(),
            description: Some("users' data keys, wrapped".to_owned()),
            subjects: vec![format!("{}.*", self.name)],
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            num_replicas: self.nats.replicas(),
            max_messages: -1,
            max_messages_per_subject: -1,
            max_bytes: -1,
            discard: DiscardPolicy::New,
            // Keys are removed one by one, and only so; and only the leader knows what is there.
            deny_delete: false,
            deny_purge: true,
            allow_direct: false,
            metadata: HashMap::from(setup.metadata()),
            ..Config::default()
        }
    }

    /// Reads whose the stream is; `None` if there is no stream.
    pub(crate) async fn setup(&self) -> Result<Option<StreamSetup>, OpenError> {
        self.ready().await?;
        let found = match self.nats.jetstream().get_stream(&self.name).await {
            Ok(found) => found,
            Err(error) => {
                return if let GetStreamErrorKind::JetStream(refused) = error.kind()
                    && refused.error_code() == ErrorCode::STREAM_NOT_FOUND
                {
                    Ok(None)
                } else {
                    Err(OpenError::Unavailable(Arc::new(NatsAway::new(error))))
                };
            }
        };
        let config = &found.cached_info().config;
        let damaged = |what| OpenError::Damaged(KeyProblem::new(self.place(), what));
        if let Some(what) = unfit(config) {
            return Err(damaged(what));
        }
        let bytes = |name| HEXLOWER.decode(config.metadata.get(name)?.as_bytes()).ok();
        let setup = (|| {
            let id = <[u8; ID_LEN]>::try_from(bytes(ID)?).ok()?;
            // Streams of releases that did not rotate have no such time.
            let since = config.metadata.get(SINCE).map_or(Some(0), |since| since.parse().ok())?;
            let since = Timestamp::from_unix_seconds(since);
            Some(StreamSetup { id, proof: bytes(PROOF)?, since })
        })();
        setup.map(Some).ok_or_else(|| damaged("its metadata do not say whose it is"))
    }

    /// Makes the stream, unless somebody was faster; returns whose it then is.
    pub(crate) async fn make(&self, setup: &StreamSetup) -> Result<StreamSetup, OpenError> {
        self.ready().await?;
        let unavailable = |what| OpenError::Unavailable(Arc::new(NatsAway::new(what)));
        match self.nats.jetstream().create_stream(self.config(setup)).await {
            Ok(_) => Ok(setup.clone()),
            Err(error) => {
                if let CreateStreamErrorKind::JetStream(refused) = error.kind()
                    && refused.error_code() == ErrorCode::STREAM_NAME_EXIST
                {
                    let made = self.setup().await?;
                    made.ok_or_else(|| unavailable("the stream came and went".to_owned()))
                } else {
                    Err(unavailable(error.to_string()))
                }
            }
        }
    }

    /// Makes known to all replicas which version wraps from here on.
    pub(crate) async fn update(&self, setup: &StreamSetup) -> Result<(), OpenError> {
        self.ready().await?;
        let unavailable = |error: String| OpenError::Unavailable(Arc::new(NatsAway::new(error)));
        let found = self.nats.jetstream().get_stream(&self.name).await;
        let found = found.map_err(|error| unavailable(error.to_string()))?;
        let mut config = found.cached_info().config.clone();
        config.metadata.extend(setup.metadata());
        let updated = self.nats.jetstream().update_stream(config).await;
        updated.map(drop).map_err(|error| unavailable(error.to_string()))
    }

    /// Returns whether no user ever had a key.
    pub(crate) async fn is_unused(&self) -> Result<bool, OpenError> {
        self.ready().await?;
        let found = self.nats.jetstream().get_stream(&self.name).await;
        let found =
            found.map_err(|error| OpenError::Unavailable(Arc::new(NatsAway::new(error))))?;
        Ok(found.cached_info().state.last_sequence == 0)
    }
}

/// Says what makes a stream unfit to keep keys and to erase them.
fn unfit(config: &Config) -> Option<&'static str> {
    let limited = [config.max_messages, config.max_messages_per_subject, config.max_bytes];
    if limited.into_iter().any(|limit| limit > 0) || !config.max_age.is_zero() {
        Some("its limits let it drop keys: take them away")
    } else if config.retention != RetentionPolicy::Limits {
        Some("it drops keys once they are read: its retention must be by limits")
    } else if config.storage != StorageType::File {
        Some("it is kept in memory: it must be kept in files")
    } else if config.deny_delete || config.sealed {
        Some("it lets nothing be deleted: users could not be erased")
    } else {
        None
    }
}
