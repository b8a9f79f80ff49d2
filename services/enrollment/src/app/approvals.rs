//! Dangerous acts: others are asked to agree, and what they agreed to is carried out once.

use std::{collections::BTreeMap, time::Duration};

use countersign_core::{ApprovalId, FieldProblem, TenantId, Timestamp, UserId};
use countersign_domain::approval::{
    ApprovalRequested, Command, DangerousAct, Rejection, Standing, Terms,
};
use countersign_eventsourcing::{EventLog, Metadata, ReadError, Request, Revision, StreamId};
use countersign_service::{ApiError, Foundation, Reason, Scope, User, approval_stream};
use futures_util::TryStreamExt as _;
use uuid::Uuid;

use super::seal_user_id;

/// Names requests for approval (RFC 9562 section 5.5); never changes, or a repeat would ask anew.
const ASKING: Uuid = Uuid::from_u128(0x0b6e_94d1_27c8_4f35_b1a0_6e53_c9f4_82d7);
/// Names the commands by which approvals are used; never changes, or a repeat would find its approval used by another.
const USING: Uuid = Uuid::from_u128(0xd3f0_5a17_8b42_4e96_9c7d_18e2_04ab_f563);

/// How long others have to agree, and then the requester to do it; the delay comes on top.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What a tag of what exactly was asked is for.
const PURPOSE: &str = "approval";

/// A request that may turn out to be a dangerous act.
pub(crate) struct Deed<'a> {
    pub(crate) scope: &'a Scope,
    pub(crate) tenant: TenantId,
    pub(crate) request: Request,
    /// The stream that it changes.
    pub(crate) stream: StreamId,
    /// Whether the caller named it, so that a repeat of it can be told.
    pub(crate) is_named: bool,
    /// What exactly is asked, as a message without its `request_id`.
    pub(crate) content: Vec<u8>,
    /// Whom it is about.
    pub(crate) about: Option<(User, UserId)>,
    /// What it is about, for people. No personal data.
    pub(crate) details: BTreeMap<String, String>,
}

impl Deed<'_> {
    /// Returns what stands for exactly this and nothing else. Others rely on it, so 64 bits would be too few.
    fn digest(&self, foundation: &Foundation) -> [u8; 32] {
        let statement = [self.scope.method.as_bytes(), b"\0", &self.content].concat();
        foundation.vault.tag(PURPOSE, &statement)
    }

    /// Makes the request of a command on the approval, which belongs to the same call.
    fn command(&self, command_id: Uuid, request_digest: u64) -> Request {
        let metadata =
            Metadata { causation_id: command_id, request_digest, ..self.request.metadata.clone() };
        Request { command_id, metadata }
    }
}

/// What an agreement allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agreement {
    /// The deed may be carried out.
    Holds,
    /// The deed has been carried out already: its stream may still tell what came of it.
    Spent,
}

/// Lets a deed that is `act` go on if others agreed to it, and uses their agreement up. Otherwise it asks them.
///
/// # Errors
/// Says that others must agree, or why their agreement does not hold.
pub(crate) async fn agreed(
    foundation: &Foundation,
    deed: &Deed<'_>,
    act: DangerousAct,
) -> Result<Agreement, ApiError> {
    let settings = foundation.existing_tenant(&deed.tenant).await?;
    let terms = settings.state.quorum().map_or_else(Terms::default, |quorum| quorum.terms);
    if let Some(id) = deed.scope.approval {
        return use_up(foundation, deed, id, terms).await;
    }
    let id = ask(foundation, deed, act, terms).await?;
    Err(ApiError::new(Reason::ApprovalRequired).with("approval_id", id.to_string()))
}

async fn use_up(
    foundation: &Foundation,
    deed: &Deed<'_>,
    id: ApprovalId,
    terms: Terms,
) -> Result<Agreement, ApiError> {
    if !deed.is_named {
        let why = "is required with an approval, so that a repeat finds what was done";
        return Err(ApiError::field("request_id", FieldProblem::Other(why)));
    }
    let now = foundation.now();
    let person = deed.scope.caller.person();
    let name = format!("{}\0{id}\0{person}", deed.request.command_id);
    let command_id = Uuid::new_v5(&USING, name.as_bytes());
    let request = deed.command(command_id, deed.request.metadata.request_digest);
    let (requester, digest) = (person.into(), deed.digest(foundation));
    let command = Command::Use { requester, digest, terms, now };
    let stream = approval_stream(&deed.tenant, id);
    let used = foundation.approvals.execute(&stream, &request, command).await;
    let used = used.map_err(|error| ApiError::from_execute(error, |why| rejected(why, now)))?;
    if !used.repeated {
        return Ok(Agreement::Holds);
    }
    // This very request used it before and was cut short, or is being carried out beside us. It may go on, unless it is done
    // already, which its stream tells even when it does not remember it as a command any more.
    if used.folded.state.asked().is_none_or(|asked| now >= asked.expires_at) {
        return Err(rejected(Rejection::Expired, now));
    }
    let is_done = is_carried_out(&*foundation.log, &deed.stream, deed.request.command_id).await?;
    Ok(if is_done { Agreement::Spent } else { Agreement::Holds })
}

/// Says that what an approval was given for has been done, and that nothing remembers what came of it.
pub(crate) fn spent() -> ApiError {
    rejected(Rejection::Used, Timestamp::default())
}

/// Returns whether a command has left events in a stream, be it long ago.
async fn is_carried_out(
    log: &dyn EventLog,
    stream: &StreamId,
    command_id: Uuid,
) -> Result<bool, ReadError> {
    let mut events = log.read(stream, Revision::START).await?;
    while let Some(recorded) = events.try_next().await? {
        if recorded.event.metadata.causation_id == command_id {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Finds the open request for approval of a deed, or makes one.
async fn ask(
    foundation: &Foundation,
    deed: &Deed<'_>,
    act: DangerousAct,
    terms: Terms,
) -> Result<ApprovalId, ApiError> {
    let digest = deed.digest(foundation);
    let person = deed.scope.caller.person();
    let id_of = |round: u32| {
        let name = [deed.tenant.as_str(), "\0", person, "\0", &round.to_string(), "\0"].concat();
        ApprovalId::new(Uuid::new_v5(&ASKING, &[name.as_bytes(), &digest].concat()))
    };
    let now = foundation.now();
    let rounds = rounds(foundation, &deed.tenant, id_of).await?;
    if let Some(last) = rounds.checked_sub(1).map(id_of)
        && is_open(foundation, &deed.tenant, last, now).await?
    {
        return Ok(last);
    }
    let approval_id = id_of(rounds);
    let user_id = match &deed.about {
        Some((user, user_id)) => Some(seal_user_id(foundation, user, user_id).await?),
        None => None,
    };
    let asked = Box::new(ApprovalRequested {
        approval_id,
        act,
        method: deed.scope.method.into(),
        digest,
        requester: person.into(),
        user_id,
        details: deed.details.clone(),
        terms,
        requested_at: now,
        expires_at: now.plus(terms.delay).plus(LIFETIME),
    });
    // The same whoever asks it first, so that they do not ask twice.
    let request = deed.command(Uuid::new_v5(&ASKING, approval_id.uuid().as_bytes()), 0);
    let stream = approval_stream(&deed.tenant, approval_id);
    let requested = foundation.approvals.execute(&stream, &request, Command::Request(asked)).await;
    requested.map_err(|error| ApiError::from_execute(error, |why| rejected(why, now)))?;
    let (requester, act) = (person, act.as_str());
    tracing::info!(tenant = %deed.tenant, requester, act, %approval_id, "others are asked to approve");
    Ok(approval_id)
}

/// Returns how often the same was asked before. Each round has an id of its own, so that nothing said in one counts in the
/// next; a round begins only where the one before is there, so they are counted by bisection.
async fn rounds(
    foundation: &Foundation,
    tenant: &TenantId,
    id_of: impl Fn(u32) -> ApprovalId,
) -> Result<u32, ApiError> {
    let is_there = async |round: u32| {
        let stream = approval_stream(tenant, id_of(round));
        foundation.approvals.load(&stream).await.map(|folded| folded.state.asked().is_some())
    };
    // Of those below `low` each is there; the one at `high` is not.
    let (mut low, mut high) = (0u32, 0u32);
    while is_there(high).await? {
        low = high + 1;
        high = high * 2 + 1;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if is_there(middle).await? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

async fn is_open(
    foundation: &Foundation,
    tenant: &TenantId,
    id: ApprovalId,
    now: Timestamp,
) -> Result<bool, ReadError> {
    let folded = foundation.approvals.load(&approval_stream(tenant, id)).await?;
    let standing = folded.state.standing(now, Terms::default());
    Ok(matches!(standing, Some(Standing::Pending | Standing::Waiting { .. } | Standing::Ready)))
}

/// Translates why a command on an approval is not allowed.
pub(crate) fn rejected(rejection: Rejection, now: Timestamp) -> ApiError {
    let (reason, state) = match rejection {
        Rejection::NotFound => (Reason::ApprovalNotFound, None),
        Rejection::OwnRequest => (Reason::ApprovalOwnRequest, None),
        Rejection::Pending | Rejection::Waiting { .. } => (Reason::ApprovalPending, None),
        Rejection::Declined => (Reason::ApprovalDeclined, None),
        Rejection::Expired => (Reason::ApprovalExpired, None),
        Rejection::Mismatch => (Reason::ApprovalMismatch, None),
        Rejection::Used => (Reason::ApprovalClosed, Some("used")),
        Rejection::Withdrawn => (Reason::ApprovalClosed, Some("withdrawn")),
    };
    let error = ApiError::with_message(reason, rejection.to_string());
    let error = if let Rejection::Waiting { until } = rejection {
        error.retry_after(until.since(now))
    } else {
        error
    };
    match state {
        Some(state) => error.with("state", state),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rejection_has_its_reason_and_only_the_delay_says_when_to_come_back() {
        let at = Timestamp::from_unix_seconds;
        for (rejection, reason, wait) in [
            (Rejection::NotFound, "APPROVAL_NOT_FOUND", None),
            (Rejection::OwnRequest, "APPROVAL_OWN_REQUEST", None),
            (Rejection::Pending, "APPROVAL_PENDING", None),
            (Rejection::Waiting { until: at(70) }, "APPROVAL_PENDING", Some(60)),
            (Rejection::Declined, "APPROVAL_DECLINED", None),
            (Rejection::Expired, "APPROVAL_EXPIRED", None),
            (Rejection::Mismatch, "APPROVAL_MISMATCH", None),
            (Rejection::Used, "APPROVAL_CLOSED", None),
            (Rejection::Withdrawn, "APPROVAL_CLOSED", None),
        ] {
            let error = rejected(rejection, at(10));
            assert_eq!(error.reason.as_str(), reason);
            assert_eq!(error.retry_after, wait.map(Duration::from_secs));
        }
    }
}
