//! A request for approval: a dangerous act that one asked for, and that others must agree to before it is carried out.
//!
//! ```text
//!   Request              Give (enough)          the delay passes        Use
//!  ─────────▶ pending ─────────────────▶ waiting ───────────────▶ ready ─────▶ used
//!                │                          │                       │
//!                └──────────────────────────┴───────────────────────┴─▶ declined, withdrawn, expired
//! ```
//!
//! One append of `ApprovalUsed` decides that the act is carried out, and so it is at most once.

mod act;
mod convert;
mod event;
mod state;

use countersign_core::Timestamp;
use countersign_eventsourcing::Decider;

pub use act::{DangerousAct, Terms};
pub use event::{
    ApprovalDeclined, ApprovalGiven, ApprovalRequested, ApprovalUsed, ApprovalWithdrawn, Event,
};
pub use state::{End, Given, Standing, State};

/// How many agreements are kept: beyond any terms.
const MAX_GIVEN: usize = 32;

/// The decider of stream `approvals-{tenant}.{approval_id}`.
#[derive(Clone, Copy, Debug)]
pub struct Approval;

/// What may be asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// Asks others to agree. Does nothing if they were asked.
    Request(Box<ApprovalRequested>),
    /// Agrees.
    Give {
        /// Who.
        approver: Box<str>,
        /// The present instant.
        now: Timestamp,
    },
    /// Objects.
    Decline {
        /// Who.
        decliner: Box<str>,
        /// Why.
        reason: String,
        /// The present instant.
        now: Timestamp,
    },
    /// Takes the request back.
    Withdraw {
        /// Who.
        requester: Box<str>,
        /// The present instant.
        now: Timestamp,
    },
    /// Lets the act be carried out, this once.
    Use {
        /// Who means to carry it out.
        requester: Box<str>,
        /// A keyed hash of what they are about to do.
        digest: [u8; 32],
        /// What the tenant's agreements take today.
        terms: Terms,
        /// The present instant.
        now: Timestamp,
    },
}

/// Why a command is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Nobody asked for such an approval.
    #[error("there is no such request for approval")]
    NotFound,
    /// Whoever asked neither agrees nor objects.
    #[error("nobody decides on their own request; withdraw it if it is not wanted any more")]
    OwnRequest,
    /// Too few agree as yet.
    #[error("more administrators must approve")]
    Pending,
    /// Enough agree, and the delay has not passed.
    #[error("enough administrators approve, and the delay has not passed yet")]
    Waiting {
        /// When it will have.
        until: Timestamp,
    },
    /// Somebody objected.
    #[error("an administrator declined it")]
    Declined,
    /// Whoever asked took it back.
    #[error("whoever asked for it has withdrawn it")]
    Withdrawn,
    /// The act was carried out.
    #[error("it was used")]
    Used,
    /// Its time ran out.
    #[error("it has expired")]
    Expired,
    /// What is about to be done, or by whom, is not what was agreed to.
    #[error("it was given for another request, or to another caller")]
    Mismatch,
}

impl Decider for Approval {
    const CATEGORY: &'static str = "approvals";
    type State = State;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(state: &State, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Request(_) if state.asked().is_some() => Ok(vec![]),
            Command::Request(asked) => Ok(vec![Event::ApprovalRequested(*asked)]),
            Command::Give { approver, now } => give(state, approver, now),
            Command::Decline { decliner, reason, now } => {
                let asked = state.open(now)?;
                if asked.requester == decliner {
                    return Err(Rejection::OwnRequest);
                }
                Ok(vec![Event::ApprovalDeclined(ApprovalDeclined {
                    approval_id: asked.approval_id,
                    decliner,
                    reason,
                    declined_at: now,
                })])
            }
            Command::Withdraw { requester, now } => withdraw(state, &requester, now),
            Command::Use { requester, digest, terms, now } => {
                carry_out(state, &requester, &digest, terms, now)
            }
        }
    }

    fn evolve(state: State, event: &Event) -> State {
        state.evolve(event)
    }
}

fn give(state: &State, approver: Box<str>, now: Timestamp) -> Result<Vec<Event>, Rejection> {
    let asked = state.open(now)?;
    if asked.requester == approver {
        return Err(Rejection::OwnRequest);
    }
    let is_there = state.given().iter().any(|given| given.approver == approver);
    if is_there || state.given().len() >= MAX_GIVEN {
        return Ok(vec![]);
    }
    let approval_id = asked.approval_id;
    Ok(vec![Event::ApprovalGiven(ApprovalGiven { approval_id, approver, given_at: now })])
}

fn withdraw(state: &State, requester: &str, now: Timestamp) -> Result<Vec<Event>, Rejection> {
    // To anybody else it is not there: it need not be theirs to know.
    let own = state.asked().is_some_and(|asked| &*asked.requester == requester);
    if !own {
        return Err(Rejection::NotFound);
    }
    match state.open(now) {
        Err(Rejection::Withdrawn) => Ok(vec![]),
        Err(rejection) => Err(rejection),
        Ok(asked) => Ok(vec![Event::ApprovalWithdrawn(ApprovalWithdrawn {
            approval_id: asked.approval_id,
            withdrawn_at: now,
        })]),
    }
}

fn carry_out(
    state: &State,
    requester: &str,
    digest: &[u8; 32],
    terms: Terms,
    now: Timestamp,
) -> Result<Vec<Event>, Rejection> {
    let asked = state.asked().ok_or(Rejection::NotFound)?;
    if &*asked.requester != requester || asked.digest != *digest {
        return Err(Rejection::Mismatch);
    }
    match state.standing(now, terms) {
        None => Err(Rejection::NotFound),
        Some(Standing::Pending) => Err(Rejection::Pending),
        Some(Standing::Waiting { until }) => Err(Rejection::Waiting { until }),
        Some(Standing::Used) => Err(Rejection::Used),
        Some(Standing::Declined) => Err(Rejection::Declined),
        Some(Standing::Withdrawn) => Err(Rejection::Withdrawn),
        Some(Standing::Expired) => Err(Rejection::Expired),
        Some(Standing::Ready) => {
            let approval_id = asked.approval_id;
            Ok(vec![Event::ApprovalUsed(ApprovalUsed { approval_id, used_at: now })])
        }
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod scenarios;
