//! What a status tells.

use tonic::{Code, Status};

/// All that a status tells its receiver, but for what names the request: two that must look alike are equal in this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// The code.
    pub code: Code,
    /// The message.
    pub message: String,
    details: Vec<u8>,
    metadata: Vec<(String, Vec<u8>)>,
}

/// Metadata that differs from one request to the next.
const OWN: [&str; 2] = ["countersign-correlation-id", "date"];

impl Told {
    /// Returns what `status` tells.
    #[must_use]
    pub fn by(status: &Status) -> Self {
        let headers = status.metadata().clone().into_headers();
        let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let kept = headers.filter(|(name, _)| !OWN.contains(name));
        let mut metadata: Vec<_> =
            kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        metadata.sort();
        Self {
            code: status.code(),
            message: status.message().to_owned(),
            details: status.details().to_owned(),
            metadata,
        }
    }
}
