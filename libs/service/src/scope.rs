//! One request: who asks, under which ids, and how it becomes a command.

use std::sync::Arc;

use countersign_core::{RequestId, TenantId};
use countersign_eventsourcing::{Metadata, Request, StreamId};
use prost::Message;
use uuid::Uuid;

use crate::{ApiError, Foundation, Reason, caller::Caller, request_line::CorrelationId};

/// Names our command ids (RFC 9562 section 5.5); never changes, or repeats would not be found.
const COMMANDS: Uuid = Uuid::from_u128(0x6f1f_3a52_9c0b_4c7e_8d47_51d2_7c3a_90be);

/// One request.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Who asks.
    pub caller: Caller,
    /// Names the request across services.
    pub correlation_id: Uuid,
    /// W3C trace context; empty if there is none.
    pub traceparent: Arc<str>,
    /// The RPC, for example `VerifyChallenge`.
    pub method: &'static str,
}

impl Scope {
    /// Reads what the access layer and the caller put beside `request`.
    ///
    /// # Errors
    /// Says that the request did not pass the access layer, which is a defect.
    pub fn of<T>(
        request: &tonic::Request<T>,
        method: &'static str,
        foundation: &Foundation,
    ) -> Result<Self, ApiError> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| ApiError::new(Reason::Unauthenticated))?;
        let correlation_id = request.extensions().get::<CorrelationId>().map(|id| id.0);
        let traceparent = request.metadata().get("traceparent").and_then(|v| v.to_str().ok());
        Ok(Self {
            caller,
            correlation_id: correlation_id.unwrap_or_else(|| foundation.new_id()),
            traceparent: traceparent.filter(|text| is_traceparent(text)).unwrap_or("").into(),
            method,
        })
    }

    /// Returns the tenant that the caller acts on.
    ///
    /// # Errors
    /// Says that a caller of the platform named none.
    pub fn tenant(&self) -> Result<&TenantId, ApiError> {
        self.caller.tenant()
    }

    /// Makes the request of a command on `stream`. The same `request_id` always makes the same command id; an empty one
    /// makes a fresh one.
    ///
    /// # Errors
    /// Says what is wrong with `request_id`.
    pub fn command(
        &self,
        foundation: &Foundation,
        stream: &StreamId,
        request_id: &str,
        content: &impl Message,
    ) -> Result<Request, ApiError> {
        let (command_id, request_digest) = if request_id.is_empty() {
            (foundation.new_id(), 0)
        } else {
            let id = RequestId::parse(request_id)
                .map_err(|problem| ApiError::field("request_id", problem))?;
            let name = format!("{stream}\0{}\0{id}", self.method);
            let digest = foundation.vault.request_digest(self.method, &content.encode_to_vec());
            (Uuid::new_v5(&COMMANDS, name.as_bytes()), digest)
        };
        Ok(Request {
            command_id,
            metadata: Metadata {
                recorded_at: foundation.now(),
                correlation_id: self.correlation_id,
                causation_id: command_id,
                requester: Arc::clone(&self.caller.requester),
                traceparent: Arc::clone(&self.traceparent),
                request_digest,
            },
        })
    }
}

/// Returns whether `text` has the form of W3C Trace Context section 3.2, version 00.
fn is_traceparent(text: &str) -> bool {
    let lengths = [2, 32, 16, 2];
    let parts: Vec<_> = text.split('-').collect();
    let is_hex = |part: &&str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    parts.len() == lengths.len()
        && parts.iter().zip(lengths).all(|(part, length)| part.len() == length)
        && parts.iter().all(is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_traceparent_is_kept() {
        assert!(is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"));
        assert!(!is_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7"));
        assert!(!is_traceparent("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"));
        assert!(!is_traceparent("hello\nworld"));
    }
}
