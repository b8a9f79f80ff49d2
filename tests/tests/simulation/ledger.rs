//! The plain model: what the log says, folded by code that shares nothing with the aggregates' own, and what the next
//! answer must be by it. What must never be in the log is found here.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::Timestamp;
use countersign_domain::{
    delivery::{self, Delivery},
    user_authenticators::{self, UserAuthenticators},
    user_challenges::{self, Consumed, UserChallenges},
};
use countersign_eventlog::memory::MemoryLog;
use countersign_eventsourcing::{
    Decider as _, EventCodec as _, EventLog as _, Filter, FollowItem, Position, RecordedEvent,
};
use countersign_proto::challenge::ChallengeStatus;
use futures_util::TryStreamExt as _;
use uuid::Uuid;

use crate::Held;

/// How many closed challenges of a user are remembered.
const REMEMBERED_CLOSED: usize = 16;

/// What the log says.
#[derive(Default)]
pub(crate) struct Ledger {
    seen: Option<Position>,
    pub(crate) challenges: BTreeMap<String, Challenge>,
    pub(crate) authenticators: BTreeMap<String, Authenticator>,
    /// Challenges that closed, by stream, the first to close first.
    closed: BTreeMap<String, Vec<String>>,
    happened: BTreeMap<Uuid, Vec<Fact>>,
    /// Whether each delivery that is announced has ended.
    pub(crate) deliveries: BTreeMap<String, bool>,
    /// How many events there are that a user must be told about.
    pub(crate) to_be_told: usize,
}

pub(crate) struct Challenge {
    stream: String,
    status: ChallengeStatus,
    pub(crate) attempts_left: u32,
    expires_at: Timestamp,
}

#[derive(Default)]
pub(crate) struct Authenticator {
    pub(crate) confirmed: bool,
    /// Steps whose codes were accepted.
    pub(crate) spent: BTreeSet<u64>,
    closed_until: Option<Timestamp>,
}

/// What a request did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    Issued { challenge: String },
    Verified { challenge: String, step: u64 },
    Refused { challenge: String, attempts_left: u32 },
    Started { authenticator: String },
    Confirmed { authenticator: String },
    NotConfirmed { attempts_left: u32 },
}

/// What an answer must come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Verified { step: u64 },
    Refused { attempts_left: u32 },
    Rejected(&'static str),
}

impl Challenge {
    pub(crate) fn status_at(&self, now: Timestamp) -> ChallengeStatus {
        if self.status == ChallengeStatus::Pending && now >= self.expires_at {
            return ChallengeStatus::Expired;
        }
        self.status
    }
}

impl Ledger {
    /// Takes in what was appended since.
    pub(crate) async fn catch_up(&mut self, log: &MemoryLog) -> Held {
        let mut items = log.follow(&Filter::default(), self.seen).await.unwrap();
        while let FollowItem::Event(recorded) = items.try_next().await.unwrap().unwrap() {
            self.seen = Some(recorded.position);
            self.take_in(&recorded)?;
        }
        Ok(())
    }

    fn take_in(&mut self, recorded: &RecordedEvent) -> Held {
        let event = &recorded.event;
        let (name, version, payload) = (&event.event_type, event.schema_version, &event.payload);
        let unreadable = |error| format!("{name} cannot be read: {error}");
        let call = event.metadata.correlation_id;
        match recorded.stream.category() {
            UserChallenges::CATEGORY => {
                let event = UserChallenges::decode(name, version, payload).map_err(unreadable)?;
                self.challenged(recorded.stream.as_str(), call, event)
            }
            UserAuthenticators::CATEGORY => {
                let event =
                    UserAuthenticators::decode(name, version, payload).map_err(unreadable)?;
                self.enrolled(call, event)
            }
            Delivery::CATEGORY => {
                let event = Delivery::decode(name, version, payload).map_err(unreadable)?;
                self.delivered(event)
            }
            _ => Ok(()),
        }
    }

    fn challenged(&mut self, stream: &str, call: Uuid, event: user_challenges::Event) -> Held {
        use user_challenges::Event;
        match event {
            Event::ChallengeIssued(issued) => {
                let challenge = issued.challenge_id.to_string();
                let opened = Challenge {
                    stream: stream.to_owned(),
                    status: ChallengeStatus::Pending,
                    attempts_left: issued.max_attempts,
                    expires_at: issued.expires_at,
                };
                if self.challenges.insert(challenge.clone(), opened).is_some() {
                    return Err(format!("challenge {challenge} was issued twice"));
                }
                self.note(call, Fact::Issued { challenge });
            }
            Event::ChallengeVerified(verified) => {
                let challenge = verified.challenge_id.to_string();
                self.close(&challenge, ChallengeStatus::Verified)?;
                let id = verified.authenticator_id.to_string();
                let Consumed::MovingFactor(step) = verified.consumed else {
                    return Err(format!("challenge {challenge} was verified and no step spent"));
                };
                let authenticator = self.authenticators.entry(id).or_default();
                authenticator.closed_until = None;
                authenticator.spend(step)?;
                self.note(call, Fact::Verified { challenge, step });
            }
            Event::AttemptFailed(failed) => {
                let challenge = failed.challenge_id.to_string();
                let attempts_left = failed.attempts_left;
                let known = self.open(&challenge)?;
                known.attempts_left = known
                    .attempts_left
                    .checked_sub(1)
                    .filter(|left| *left == attempts_left)
                    .ok_or_else(|| format!("challenge {challenge} lost other than one attempt"))?;
                self.note(call, Fact::Refused { challenge, attempts_left });
            }
            Event::ChallengeExhausted(event) => {
                self.close(&event.challenge_id.to_string(), ChallengeStatus::Exhausted)?;
            }
            Event::ChallengeExpired(event) => {
                self.close(&event.challenge_id.to_string(), ChallengeStatus::Expired)?;
            }
            Event::ChallengeCanceled(event) => {
                self.close(&event.challenge_id.to_string(), ChallengeStatus::Canceled)?;
            }
            Event::ChallengeSuperseded(event) => {
                self.close(&event.challenge_id.to_string(), ChallengeStatus::Superseded)?;
            }
            Event::AuthenticatorThrottled(event) => {
                self.to_be_told += 1;
                let id = event.authenticator_id.to_string();
                self.authenticators.entry(id).or_default().closed_until = event.until;
            }
            Event::ThrottleReleased(event) => {
                let id = event.authenticator_id.to_string();
                self.authenticators.entry(id).or_default().closed_until = None;
            }
        }
        Ok(())
    }

    fn enrolled(&mut self, call: Uuid, event: user_authenticators::Event) -> Held {
        use user_authenticators::Event;
        match event {
            Event::EnrollmentStarted(started) => {
                let authenticator = started.authenticator_id.to_string();
                self.note(call, Fact::Started { authenticator });
            }
            Event::EnrollmentConfirmed(confirmed) => {
                self.to_be_told += 1;
                let authenticator = confirmed.authenticator_id.to_string();
                let known = self.authenticators.entry(authenticator.clone()).or_default();
                if std::mem::replace(&mut known.confirmed, true) {
                    return Err(format!("authenticator {authenticator} was confirmed twice"));
                }
                known.spend(confirmed.consumed_factor.unwrap_or_default())?;
                self.note(call, Fact::Confirmed { authenticator });
            }
            Event::EnrollmentAttemptFailed(failed) => {
                self.note(call, Fact::NotConfirmed { attempts_left: failed.attempts_left });
            }
            Event::EnrollmentAbandoned(_)
            | Event::AuthenticatorRenamed(_)
            | Event::DefaultAuthenticatorSet(_)
            | Event::AuthenticatorSuspended(_)
            | Event::AuthenticatorReinstated(_)
            | Event::AuthenticatorRemoved(_)
            | Event::RecoveryCodesIssued(_)
            | Event::TemporaryAccessPassIssued(_)
            | Event::UserPlaced(_)
            | Event::SelfServiceTokenIssued(_)
            | Event::SecretsResealed(_)
            | Event::UserErased(_) => {}
        }
        Ok(())
    }

    fn delivered(&mut self, event: delivery::Event) -> Held {
        use delivery::Event;
        let (id, before, ended) = match event {
            Event::DeliveryRequested(event) => (event.delivery_id, None, false),
            Event::DeliverySent(event) => (event.delivery_id, Some(false), true),
            Event::DeliveryFailed(event) => (event.delivery_id, Some(false), true),
        };
        if self.deliveries.insert(id.to_string(), ended) != before {
            return Err(format!("delivery {id} was announced or ended out of its order"));
        }
        Ok(())
    }

    fn note(&mut self, call: Uuid, fact: Fact) {
        self.happened.entry(call).or_default().push(fact);
    }

    fn open(&mut self, id: &str) -> Result<&mut Challenge, String> {
        let challenge = self.challenges.get_mut(id);
        challenge
            .filter(|challenge| challenge.status == ChallengeStatus::Pending)
            .ok_or_else(|| format!("something happened to challenge {id} while it was not open"))
    }

    fn close(&mut self, id: &str, status: ChallengeStatus) -> Held {
        let challenge = self.open(id)?;
        challenge.status = status;
        let stream = challenge.stream.clone();
        self.closed.entry(stream).or_default().push(id.to_owned());
        Ok(())
    }

    /// Returns whether a challenge closed so long ago that nobody remembers it.
    pub(crate) fn has_forgotten(&self, id: &str) -> bool {
        let Some(challenge) = self.challenges.get(id) else { return true };
        let closed = self.closed.get(&challenge.stream).map_or(&[][..], Vec::as_slice);
        closed
            .iter()
            .position(|closed| closed == id)
            .is_some_and(|place| closed.len() - place > REMEMBERED_CLOSED)
    }

    /// Returns what was done by a request that was made as `calls`.
    pub(crate) fn did(&self, calls: &[Uuid]) -> Vec<&Fact> {
        calls.iter().filter_map(|call| self.happened.get(call)).flatten().collect()
    }

    /// Says what an answer must come to whose code is that of `steps`.
    pub(crate) fn verdict(
        &self,
        challenge_id: &str,
        authenticator_id: &str,
        steps: &[u64],
        now: Timestamp,
    ) -> Verdict {
        let Some(challenge) =
            self.challenges.get(challenge_id).filter(|_| !self.has_forgotten(challenge_id))
        else {
            return Verdict::Rejected("CHALLENGE_NOT_FOUND");
        };
        match challenge.status_at(now) {
            ChallengeStatus::Pending => {}
            ChallengeStatus::Expired => return Verdict::Rejected("CHALLENGE_EXPIRED"),
            ChallengeStatus::Unspecified
            | ChallengeStatus::Verified
            | ChallengeStatus::Exhausted
            | ChallengeStatus::Canceled
            | ChallengeStatus::Superseded => return Verdict::Rejected("CHALLENGE_CLOSED"),
        }
        let Some(authenticator) = self.authenticators.get(authenticator_id) else {
            return Verdict::Rejected("AUTHENTICATOR_NOT_ALLOWED");
        };
        if authenticator.closed_until.is_some_and(|until| now < until) {
            return Verdict::Rejected("THROTTLED");
        }
        let fresh = steps.iter().find(|step| Some(*step) > authenticator.spent.last());
        match fresh {
            Some(step) => Verdict::Verified { step: *step },
            None => Verdict::Refused { attempts_left: challenge.attempts_left.saturating_sub(1) },
        }
    }
}

impl Authenticator {
    /// A step is accepted once, and none before it after it.
    fn spend(&mut self, step: u64) -> Held {
        if self.spent.last().is_some_and(|last| *last >= step) {
            return Err(format!("step {step} was accepted after {:?}", self.spent));
        }
        self.spent.insert(step);
        Ok(())
    }
}
