//! What can happen to a request for approval.

use std::collections::BTreeMap;

use countersign_core::{ApprovalId, Timestamp};
use countersign_crypto::Sealed;
use serde::{Deserialize, Serialize};

use super::{DangerousAct, Terms};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// See [`ApprovalRequested`].
    ApprovalRequested(ApprovalRequested),
    /// See [`ApprovalGiven`].
    ApprovalGiven(ApprovalGiven),
    /// See [`ApprovalDeclined`].
    ApprovalDeclined(ApprovalDeclined),
    /// See [`ApprovalWithdrawn`].
    ApprovalWithdrawn(ApprovalWithdrawn),
    /// See [`ApprovalUsed`].
    ApprovalUsed(ApprovalUsed),
}

/// Somebody asked for a dangerous act; it was not carried out, and others are asked to agree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ApprovalRequested {
    /// The request for approval.
    pub approval_id: ApprovalId,
    /// What kind of act it is.
    pub act: DangerousAct,
    /// The RPC that was called.
    pub method: Box<str>,
    /// A keyed hash of what exactly was asked for. Only the same may be done.
    pub digest: [u8; 32],
    /// Who asked. Only they may do it.
    pub requester: Box<str>,
    /// The platform's own id of the user whom it is about.
    pub user_id: Option<Sealed>,
    /// What it is about, for people. No personal data.
    pub details: BTreeMap<String, String>,
    /// What the agreement takes.
    pub terms: Terms,
    /// When.
    pub requested_at: Timestamp,
    /// From when on it is worth nothing.
    pub expires_at: Timestamp,
}

/// Somebody else agreed.
#[derive(Clone, Debug, PartialEq)]
pub struct ApprovalGiven {
    /// The request for approval.
    pub approval_id: ApprovalId,
    /// Who agreed.
    pub approver: Box<str>,
    /// When.
    pub given_at: Timestamp,
}

/// Somebody else objected, which ends it.
#[derive(Clone, Debug, PartialEq)]
pub struct ApprovalDeclined {
    /// The request for approval.
    pub approval_id: ApprovalId,
    /// Who objected.
    pub decliner: Box<str>,
    /// Why.
    pub reason: String,
    /// When.
    pub declined_at: Timestamp,
}

/// Whoever asked does not want it any more.
#[derive(Clone, Debug, PartialEq)]
pub struct ApprovalWithdrawn {
    /// The request for approval.
    pub approval_id: ApprovalId,
    /// When.
    pub withdrawn_at: Timestamp,
}

/// The act is now carried out, this once.
#[derive(Clone, Debug, PartialEq)]
pub struct ApprovalUsed {
    /// The request for approval.
    pub approval_id: ApprovalId,
    /// When.
    pub used_at: Timestamp,
}
