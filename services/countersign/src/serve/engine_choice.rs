//! Which engine keeps the event log, as settings say it.

use serde::Deserialize;

/// What keeps the event log.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum EngineChoice {
    /// A directory of one process that serves everything.
    Embedded,
    /// A log that any number of processes share.
    Shared(SharedEngine),
}

/// What keeps a log that processes share.
#[derive(Clone, PartialEq, Eq)]
pub enum SharedEngine {
    /// NATS JetStream.
    JetStream,
    /// KurrentDB at a connection string, which may hold a password.
    KurrentDb(String),
}

impl std::fmt::Debug for SharedEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl SharedEngine {
    const fn name(&self) -> &'static str {
        match self {
            Self::JetStream => "jetstream",
            Self::KurrentDb(_) => "kurrentdb",
        }
    }
}

impl EngineChoice {
    /// Returns the engine's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Shared(engine) => engine.name(),
        }
    }
}

impl std::fmt::Debug for EngineChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl TryFrom<String> for EngineChoice {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let schemes = ["kurrentdb://", "kurrentdb+discover://", "esdb://", "esdb+discover://"];
        match text.as_str() {
            "embedded" => Ok(Self::Embedded),
            "jetstream" => Ok(Self::Shared(SharedEngine::JetStream)),
            _ if schemes.iter().any(|scheme| text.starts_with(scheme)) => {
                Ok(Self::Shared(SharedEngine::KurrentDb(text)))
            }
            _ => Err("must be embedded, jetstream or a connection string such as \
                      kurrentdb://host:2113?tls=false"
                .to_owned()),
        }
    }
}
