//! What the fold of a user's verifications knows.

use std::collections::VecDeque;

use countersign_core::{AuthenticatorId, ChallengeId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Allowed, Event, Ledger, Source, Throttle};
use crate::throttle::Closure;

/// How many closed challenges are remembered: enough to answer whoever still asks, and bounded.
const REMEMBERED_CLOSED: usize = 16;

/// A user's challenges, and a ledger for each authenticator.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    challenges: VecDeque<Challenge>,
    /// One for each authenticator that ever answered: a handful, so a list is smallest.
    ledgers: Vec<(AuthenticatorId, Ledger)>,
    /// The latest time that any event told of.
    latest: Timestamp,
}

/// One challenge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Challenge {
    /// Its id.
    pub id: ChallengeId,
    /// The application; may be empty.
    pub application_id: Box<str>,
    /// Who may answer, the preferred one first.
    pub allowed: Vec<Allowed>,
    /// When it was opened.
    pub issued_at: Timestamp,
    /// When it lapses.
    pub expires_at: Timestamp,
    /// Wrong answers that it still takes.
    pub attempts_left: u32,
    /// Where it stands in the log; [`Challenge::state_at`] tells lapsed ones apart.
    pub state: ChallengeState,
    /// What a right answer proved.
    pub proof: Option<Proof>,
    /// Where answers come from that do not say.
    pub source: Source,
}

/// Where a challenge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChallengeState {
    /// Awaits an answer.
    Pending,
    /// A right answer came.
    Verified,
    /// Its attempts were used up.
    Exhausted,
    /// Its time ran out.
    Expired,
    /// The platform gave it up.
    Canceled,
    /// Newer challenges pushed it out.
    Superseded,
}

/// What a verification proves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proof {
    /// The authenticator that answered.
    pub authenticator_id: AuthenticatorId,
    /// Its kind.
    pub kind: Box<str>,
    /// Authentication context class reached.
    pub acr: Box<str>,
    /// Authentication method references.
    pub amr: Vec<String>,
    /// When.
    pub verified_at: Timestamp,
}

impl Challenge {
    /// Returns where it stands at `now`: a pending one lapses by itself.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> ChallengeState {
        if self.state == ChallengeState::Pending && now >= self.expires_at {
            return ChallengeState::Expired;
        }
        self.state
    }

    /// Returns whether `authenticator` may answer.
    #[must_use]
    pub fn allows(&self, authenticator: AuthenticatorId) -> bool {
        self.allowed.iter().any(|allowed| allowed.authenticator_id == authenticator)
    }
}

impl State {
    /// Returns the challenges that are remembered: those that are open, the oldest first, and among them those that
    /// closed, in the order in which they did.
    pub fn challenges(&self) -> impl DoubleEndedIterator<Item = &Challenge> {
        self.challenges.iter()
    }

    /// Returns one challenge.
    #[must_use]
    pub fn find(&self, id: ChallengeId) -> Option<&Challenge> {
        // The one asked for is nearly always among the last.
        self.challenges.iter().rev().find(|challenge| challenge.id == id)
    }

    /// Returns the challenges that await an answer at `now`, oldest first.
    pub fn pending(&self, now: Timestamp) -> impl Iterator<Item = &Challenge> {
        self.challenges.iter().filter(move |c| c.state_at(now) == ChallengeState::Pending)
    }

    /// Returns the latest time that any event told of; the epoch if none did. It never goes back, though a clock may.
    #[must_use]
    pub const fn latest(&self) -> Timestamp {
        self.latest
    }

    /// Returns the ledger of `authenticator`, if anything was ever held against it or used up.
    #[must_use]
    pub fn ledger(&self, authenticator: AuthenticatorId) -> Option<&Ledger> {
        self.ledgers.iter().find(|(id, _)| *id == authenticator).map(|(_, ledger)| ledger)
    }

    /// Returns the closure that keeps `authenticator` from being tried by `source` at `now`.
    #[must_use]
    pub fn closure(
        &self,
        authenticator: AuthenticatorId,
        source: Source,
        now: Timestamp,
    ) -> Option<Closure> {
        self.ledger(authenticator)?.closure_to(source, now)
    }

    /// Returns whether `challenge` was opened from a source that has proved itself by an authenticator that may answer.
    pub(super) fn is_from_proven(&self, challenge: &Challenge, now: Timestamp) -> bool {
        let ledgers = challenge.allowed.iter().map(|allowed| self.ledger(allowed.authenticator_id));
        ledgers.flatten().any(|ledger| ledger.is_proven(challenge.source, now))
    }

    /// Returns the authenticators that take no attempts at `now`, be it only from some sources.
    pub fn throttled(&self, now: Timestamp) -> impl Iterator<Item = (AuthenticatorId, Throttle)> {
        self.ledgers.iter().filter_map(move |(id, ledger)| Some((*id, ledger.throttle(now)?)))
    }

    /// Changes the ledger of `authenticator`, a clean one if there was none.
    fn change_ledger(&mut self, authenticator: AuthenticatorId, change: impl FnOnce(&mut Ledger)) {
        match self.ledgers.iter_mut().find(|(id, _)| *id == authenticator) {
            Some((_, ledger)) => change(ledger),
            None => {
                let mut ledger = Ledger::default();
                change(&mut ledger);
                self.ledgers.reserve_exact(1);
                self.ledgers.push((authenticator, ledger));
            }
        }
    }

    fn change(&mut self, id: ChallengeId, change: impl FnOnce(&mut Challenge)) {
        if let Some(challenge) = self.challenges.iter_mut().rev().find(|c| c.id == id) {
            change(challenge);
        }
    }

    fn close(&mut self, id: ChallengeId, state: ChallengeState) {
        if let Some(place) = self.challenges.iter().rposition(|c| c.id == id)
            && let Some(challenge) = self.challenges.remove(place)
        {
            // To the end: what closed longest ago is forgotten first, and never what has just closed, however long it
            // was open.
            self.challenges.push_back(Challenge { state, ..challenge });
        }
        let closed = |c: &Challenge| c.state != ChallengeState::Pending;
        if self.challenges.iter().filter(|c| closed(c)).count() > REMEMBERED_CLOSED
            && let Some(first_closed) = self.challenges.iter().position(closed)
        {
            self.challenges.remove(first_closed);
        }
    }

    pub(super) fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::ChallengeIssued(event) => {
                self.latest = self.latest.max(event.issued_at);
                self.challenges.push_back(Challenge {
                    id: event.challenge_id,
                    application_id: event.application_id.clone(),
                    allowed: event.allowed.clone(),
                    issued_at: event.issued_at,
                    expires_at: event.expires_at,
                    attempts_left: event.max_attempts,
                    state: ChallengeState::Pending,
                    proof: None,
                    source: event.source,
                });
            }
            Event::ChallengeVerified(event) => {
                self.latest = self.latest.max(event.verified_at);
                self.change_ledger(event.authenticator_id, |ledger| ledger.verify(event));
                self.change(event.challenge_id, |challenge| {
                    challenge.proof = Some(Proof {
                        authenticator_id: event.authenticator_id,
                        kind: event.kind.clone(),
                        acr: event.acr.clone(),
                        amr: event.amr.clone(),
                        verified_at: event.verified_at,
                    });
                });
                self.close(event.challenge_id, ChallengeState::Verified);
            }
            Event::AttemptFailed(event) => {
                self.latest = self.latest.max(event.failed_at);
                self.change_ledger(event.authenticator_id, |ledger| ledger.fail(event));
                self.change(event.challenge_id, |c| c.attempts_left = event.attempts_left);
            }
            Event::ChallengeExhausted(event) => {
                self.close(event.challenge_id, ChallengeState::Exhausted);
            }
            Event::ChallengeExpired(event) => {
                self.close(event.challenge_id, ChallengeState::Expired);
            }
            Event::ChallengeCanceled(event) => {
                self.close(event.challenge_id, ChallengeState::Canceled);
            }
            Event::ChallengeSuperseded(event) => {
                self.close(event.challenge_id, ChallengeState::Superseded);
            }
            Event::AuthenticatorThrottled(event) => {
                self.change_ledger(event.authenticator_id, |ledger| ledger.close(event));
            }
            Event::ThrottleReleased(event) => {
                self.change_ledger(event.authenticator_id, Ledger::release);
            }
        }
        self
    }
}
