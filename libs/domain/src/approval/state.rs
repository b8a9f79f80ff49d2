//! What the fold of a request for approval knows.

use countersign_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ApprovalRequested, Event, Rejection, Terms};

/// A request for approval.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    asked: Option<Box<ApprovalRequested>>,
    given: Vec<Given>,
    end: Option<End>,
}

/// One agreement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Who agreed.
    pub approver: Box<str>,
    /// When.
    pub at: Timestamp,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// The act was carried out.
    Used,
    /// Somebody objected.
    Declined {
        /// Who.
        decliner: Box<str>,
        /// Why.
        reason: String,
    },
    /// Whoever asked took it back.
    Withdrawn,
}

/// Where it stands at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// More must agree.
    Pending,
    /// Enough agree, and the delay has not passed.
    Waiting {
        /// When it will have.
        until: Timestamp,
    },
    /// The act may be done.
    Ready,
    /// The act was done.
    Used,
    /// Somebody objected.
    Declined,
    /// Whoever asked took it back.
    Withdrawn,
    /// Its time ran out.
    Expired,
}

impl State {
    /// Returns what was asked for; `None` if nothing was.
    #[must_use]
    pub fn asked(&self) -> Option<&ApprovalRequested> {
        self.asked.as_deref()
    }

    /// Returns who agreed, in order.
    #[must_use]
    pub fn given(&self) -> &[Given] {
        &self.given
    }

    /// Returns how it ended.
    #[must_use]
    pub const fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// Returns from when on the act may be done by `terms`; `None` while too few agree.
    #[must_use]
    pub fn ready_at(&self, terms: Terms) -> Option<Timestamp> {
        let asked = self.asked.as_deref()?;
        let needed = usize::try_from(terms.approvers).unwrap_or(usize::MAX);
        let enough = self.given.get(..needed)?;
        // Clocks jump: the delay counts from the latest that any of them said.
        let last = enough.iter().map(|given| given.at).max().unwrap_or(asked.requested_at);
        Some(last.plus(terms.delay))
    }

    /// Returns where it stands at `now`, by its own terms and `today`'s, whichever are stricter; `None` if nothing was asked.
    #[must_use]
    pub fn standing(&self, now: Timestamp, today: Terms) -> Option<Standing> {
        let asked = self.asked.as_deref()?;
        Some(match self.end {
            Some(End::Used) => Standing::Used,
            Some(End::Declined { .. }) => Standing::Declined,
            Some(End::Withdrawn) => Standing::Withdrawn,
            None if now >= asked.expires_at => Standing::Expired,
            None => match self.ready_at(asked.terms.and(today)) {
                None => Standing::Pending,
                Some(until) if now < until => Standing::Waiting { until },
                Some(_) => Standing::Ready,
            },
        })
    }

    /// Returns what was asked for if it is neither over nor too late.
    pub(super) fn open(&self, now: Timestamp) -> Result<&ApprovalRequested, Rejection> {
        let asked = self.asked.as_deref().ok_or(Rejection::NotFound)?;
        match self.standing(now, Terms::default()) {
            None => Err(Rejection::NotFound),
            Some(Standing::Pending | Standing::Waiting { .. } | Standing::Ready) => Ok(asked),
            Some(Standing::Used) => Err(Rejection::Used),
            Some(Standing::Declined) => Err(Rejection::Declined),
            Some(Standing::Withdrawn) => Err(Rejection::Withdrawn),
            Some(Standing::Expired) => Err(Rejection::Expired),
        }
    }

    pub(super) fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::ApprovalRequested(event) => {
                self.asked.get_or_insert_with(|| Box::new(event.clone()));
            }
            Event::ApprovalGiven(event) => {
                self.given.push(Given { approver: event.approver.clone(), at: event.given_at });
            }
            Event::ApprovalDeclined(event) => self.close(End::Declined {
                decliner: event.decliner.clone(),
                reason: event.reason.clone(),
            }),
            Event::ApprovalWithdrawn(_) => self.close(End::Withdrawn),
            Event::ApprovalUsed(_) => self.close(End::Used),
        }
        self
    }

    fn close(&mut self, end: End) {
        self.end.get_or_insert(end);
    }
}
