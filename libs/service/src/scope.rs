//! One request: who asks, under which ids, and how it becomes a command.

use std::sync::Arc;

use countersign_core::{ApprovalId, RequestId, TenantId, UserId};
use countersign_eventsourcing::{Metadata, Request, StreamId};
use prost::Message;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    ApiError, Foundation, Reason, User,
    caller::{Caller, Touch},
    limits::UserBudget,
    request_line::CorrelationId,
};

/// Names our command ids (RFC 9562 section 5.5); never changes, or repeats would not be found.
const COMMANDS: Uuid = Uuid::from_u128(0x6f1f_3a52_9c0b_4c7e_8d47_51d2_7c3a_90be);

/// Metadata by which a caller says that others agreed to what it asks for.
pub const APPROVAL_METADATA: &str = "countersign-approval";

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
    /// How often things may be begun for users; absent where nothing counts.
    budget: Option<UserBudget>,
    /// The request for approval under which others agreed to it, as the caller says.
    pub approval: Option<ApprovalId>,
}

impl Scope {
    /// Reads what the access layer and the caller put beside `request`.
    ///
    /// # Errors
    /// Says that the request did not pass the access layer, which is a defect, or that it names no approval where it should.
    pub fn of<T>(
        request: &tonic::Request<T>,
        method: &'static str,
        foundation: &Foundation,
    ) -> Result<Self, ApiError> {
        let caller = request.extensions().get::<Caller>().cloned();
        let caller = caller.ok_or_else(|| ApiError::new(Reason::Unauthenticated))?;
        let correlation_id = request.extensions().get::<CorrelationId>().map(|id| id.0);
        let approval = request.metadata().get(APPROVAL_METADATA).map(|value| {
            ApprovalId::parse(value.to_str().unwrap_or_default())
                .map_err(|problem| ApiError::field(APPROVAL_METADATA, problem))
        });
        let traceparent = request.metadata().get("traceparent").and_then(|v| v.to_str().ok());
        Ok(Self {
            caller,
            correlation_id: correlation_id.unwrap_or_else(|| foundation.new_id()),
            traceparent: traceparent.filter(|text| is_traceparent(text)).unwrap_or("").into(),
            method,
            budget: request.extensions().get::<UserBudget>().cloned(),
            approval: approval.transpose()?,
        })
    }

    /// Returns the tenant that the caller acts on.
    ///
    /// # Errors
    /// Says that a caller of the platform named none.
    pub fn tenant(&self) -> Result<&TenantId, ApiError> {
        self.caller.tenant()
    }

    /// Names the user that a request is about, in the caller's tenant, if the caller may act on them.
    ///
    /// # Errors
    /// Says that it may not, in the words of every denial, that a caller of the platform named no tenant, or that where the
    /// user is placed cannot be read.
    pub async fn user(
        &self,
        foundation: &Foundation,
        user_id: &UserId,
        touch: Touch,
    ) -> Result<User, ApiError> {
        let user = foundation.user(self.tenant()?, user_id);
        self.caller.check_user(user_id)?;
        if self.caller.is_confined_by_placement() {
            let stream = user.authenticators();
            // Apart, so that who is not confined does not carry it along.
            let known = Box::pin(foundation.authenticators.load(&stream)).await?;
            self.caller.check_placement(known.state.placement(), touch)?;
        }
        Ok(user)
    }

    /// Charges `user` for one thing that is begun from `network`, if that is known.
    ///
    /// # Errors
    /// Says that too many were begun, and when the next may be.
    pub fn begin(&self, user: &User, network: Option<&str>) -> Result<(), ApiError> {
        self.budget.as_ref().map_or(Ok(()), |budget| budget.check(user, network))
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
            // It may hold a code.
            let content = Zeroizing::new(content.encode_to_vec());
            let digest = foundation.vault.request_digest(self.method, &content);
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
pub(crate) fn is_traceparent(text: &str) -> bool {
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
