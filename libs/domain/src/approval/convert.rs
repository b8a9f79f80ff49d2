//! Translation of events between domain words and the stored schema.

use std::time::Duration;

use countersign_core::ApprovalId;
use countersign_proto::event as wire;

use super::{
    Approval, ApprovalDeclined, ApprovalGiven, ApprovalRequested, ApprovalUsed, ApprovalWithdrawn,
    DangerousAct, Event, Terms,
};
use crate::wire::{
    BadPayload, event_codec, required_sealed, required_timestamp, sealed_to_wire, timestamp_to_wire,
};

event_codec!(Approval, state version 1, {
    ApprovalRequested v 1,
    ApprovalGiven v 1,
    ApprovalDeclined v 1,
    ApprovalWithdrawn v 1,
    ApprovalUsed v 1,
});

fn approval_id(text: &str) -> Result<ApprovalId, BadPayload> {
    ApprovalId::parse(text).map_err(|_| BadPayload::field("approval_id"))
}

impl From<&ApprovalRequested> for wire::ApprovalRequested {
    fn from(event: &ApprovalRequested) -> Self {
        Self {
            approval_id: event.approval_id.to_string(),
            act: event.act.to_wire().into(),
            method: event.method.to_string(),
            digest: event.digest.to_vec().into(),
            requester: event.requester.to_string(),
            user_id: event.user_id.as_ref().map(sealed_to_wire),
            details: event.details.clone(),
            approvers: event.terms.approvers,
            delay_ms: u64::try_from(event.terms.delay.as_millis()).unwrap_or(u64::MAX),
            requested_at: Some(timestamp_to_wire(event.requested_at)),
            expires_at: Some(timestamp_to_wire(event.expires_at)),
        }
    }
}

impl TryFrom<wire::ApprovalRequested> for ApprovalRequested {
    type Error = BadPayload;

    fn try_from(event: wire::ApprovalRequested) -> Result<Self, BadPayload> {
        let digest = <[u8; 32]>::try_from(&*event.digest);
        Ok(Self {
            approval_id: approval_id(&event.approval_id)?,
            act: DangerousAct::from_wire(event.act(), "act")?,
            digest: digest.map_err(|_| BadPayload::field("digest"))?,
            user_id: event
                .user_id
                .map(|sealed| required_sealed(Some(sealed), "user_id"))
                .transpose()?,
            terms: Terms {
                approvers: event.approvers,
                delay: Duration::from_millis(event.delay_ms),
            },
            requested_at: required_timestamp(event.requested_at.as_ref(), "requested_at")?,
            expires_at: required_timestamp(event.expires_at.as_ref(), "expires_at")?,
            method: event.method.into(),
            requester: event.requester.into(),
            details: event.details,
        })
    }
}

impl From<&ApprovalGiven> for wire::ApprovalGiven {
    fn from(event: &ApprovalGiven) -> Self {
        Self {
            approval_id: event.approval_id.to_string(),
            approver: event.approver.to_string(),
            given_at: Some(timestamp_to_wire(event.given_at)),
        }
    }
}

impl TryFrom<wire::ApprovalGiven> for ApprovalGiven {
    type Error = BadPayload;

    fn try_from(event: wire::ApprovalGiven) -> Result<Self, BadPayload> {
        Ok(Self {
            approval_id: approval_id(&event.approval_id)?,
            given_at: required_timestamp(event.given_at.as_ref(), "given_at")?,
            approver: event.approver.into(),
        })
    }
}

impl From<&ApprovalDeclined> for wire::ApprovalDeclined {
    fn from(event: &ApprovalDeclined) -> Self {
        Self {
            approval_id: event.approval_id.to_string(),
            decliner: event.decliner.to_string(),
            reason: event.reason.clone(),
            declined_at: Some(timestamp_to_wire(event.declined_at)),
        }
    }
}

impl TryFrom<wire::ApprovalDeclined> for ApprovalDeclined {
    type Error = BadPayload;

    fn try_from(event: wire::ApprovalDeclined) -> Result<Self, BadPayload> {
        Ok(Self {
            approval_id: approval_id(&event.approval_id)?,
            declined_at: required_timestamp(event.declined_at.as_ref(), "declined_at")?,
            decliner: event.decliner.into(),
            reason: event.reason,
        })
    }
}

impl From<&ApprovalWithdrawn> for wire::ApprovalWithdrawn {
    fn from(event: &ApprovalWithdrawn) -> Self {
        Self {
            approval_id: event.approval_id.to_string(),
            withdrawn_at: Some(timestamp_to_wire(event.withdrawn_at)),
        }
    }
}

impl TryFrom<wire::ApprovalWithdrawn> for ApprovalWithdrawn {
    type Error = BadPayload;

    fn try_from(event: wire::ApprovalWithdrawn) -> Result<Self, BadPayload> {
        Ok(Self {
            approval_id: approval_id(&event.approval_id)?,
            withdrawn_at: required_timestamp(event.withdrawn_at.as_ref(), "withdrawn_at")?,
        })
    }
}

impl From<&ApprovalUsed> for wire::ApprovalUsed {
    fn from(event: &ApprovalUsed) -> Self {
        Self {
            approval_id: event.approval_id.to_string(),
            used_at: Some(timestamp_to_wire(event.used_at)),
        }
    }
}

impl TryFrom<wire::ApprovalUsed> for ApprovalUsed {
    type Error = BadPayload;

    fn try_from(event: wire::ApprovalUsed) -> Result<Self, BadPayload> {
        Ok(Self {
            approval_id: approval_id(&event.approval_id)?,
            used_at: required_timestamp(event.used_at.as_ref(), "used_at")?,
        })
    }
}
