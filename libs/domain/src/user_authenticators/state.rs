//! What the fold of a user's authenticators knows.

use countersign_core::{AuthenticatorId, Timestamp};
use countersign_crypto::Sealed;
use serde::{Deserialize, Serialize};

use super::{Event, MAX_CONFIRM_ATTEMPTS, RECOVERY_CODE_KIND};

/// A user's authenticators, oldest first; abandoned enrolments are forgotten.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    authenticators: Vec<Authenticator>,
    default: Option<AuthenticatorId>,
}

/// One authenticator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Authenticator {
    /// Its id.
    pub id: AuthenticatorId,
    /// Its kind.
    pub kind: Box<str>,
    /// What the user calls it; `None` for one that the user never named.
    pub display_name: Option<Sealed>,
    /// What the factor keeps; `None` once removed.
    pub record: Option<Sealed>,
    /// What may be told about the set-up, by name. A list: a map takes four times the room for three entries.
    pub parameters: Box<[(Box<str>, Box<str>)]>,
    /// When enrolment began.
    pub started_at: Timestamp,
    /// For a set of codes, which set; 0 otherwise.
    pub generation: u32,
    /// For a set of codes, how many it began with; 0 otherwise.
    pub code_count: u32,
    /// Where it stands.
    pub status: Status,
}

/// Where an authenticator stands, with what is true only there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Status {
    /// Enrolment was started and not yet confirmed.
    Pending {
        /// When it lapses.
        expires_at: Timestamp,
        /// Wrong codes that it still takes.
        attempts_left: u32,
    },
    /// May answer challenges.
    Active {
        /// Since when.
        confirmed_at: Timestamp,
        /// The moving factor that confirmation used up.
        consumed_factor: Option<u64>,
    },
    /// Set aside by an administrator.
    Suspended {
        /// Since when it had been active.
        confirmed_at: Timestamp,
        /// The moving factor that confirmation used up.
        consumed_factor: Option<u64>,
    },
    /// Gone for good.
    Removed {
        /// Since when it had been active; `None` if it never was.
        confirmed_at: Option<Timestamp>,
    },
}

impl Authenticator {
    /// Returns whether it may answer challenges.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(self.status, Status::Active { .. })
    }

    /// Returns whether enrolment awaits its proof.
    #[must_use]
    pub const fn is_pending(&self) -> bool {
        matches!(self.status, Status::Pending { .. })
    }

    /// Returns whether it is gone for good.
    #[must_use]
    pub const fn is_removed(&self) -> bool {
        matches!(self.status, Status::Removed { .. })
    }
}

impl State {
    /// Returns the user's authenticators, oldest first, removed ones too.
    #[must_use]
    pub fn authenticators(&self) -> &[Authenticator] {
        &self.authenticators
    }

    /// Returns one authenticator.
    #[must_use]
    pub fn find(&self, id: AuthenticatorId) -> Option<&Authenticator> {
        self.authenticators.iter().find(|authenticator| authenticator.id == id)
    }

    /// Returns the one that challenges prefer.
    #[must_use]
    pub const fn default_id(&self) -> Option<AuthenticatorId> {
        self.default
    }

    /// Returns those that may answer challenges: the default first, recovery codes last.
    #[must_use]
    pub fn active(&self) -> Vec<&Authenticator> {
        let mut active: Vec<_> = self.authenticators.iter().filter(|a| a.is_active()).collect();
        active.sort_by_key(|a| (&*a.kind == RECOVERY_CODE_KIND, Some(a.id) != self.default));
        active
    }

    /// Returns the user's set of recovery codes.
    #[must_use]
    pub fn recovery_codes(&self) -> Option<&Authenticator> {
        self.authenticators.iter().find(|a| &*a.kind == RECOVERY_CODE_KIND && !a.is_removed())
    }

    /// Adds one, and keeps no room for more: most users have one or two.
    fn add(&mut self, authenticator: Authenticator) {
        self.authenticators.reserve_exact(1);
        self.authenticators.push(authenticator);
    }

    fn change(&mut self, id: AuthenticatorId, change: impl FnOnce(&mut Authenticator)) {
        if let Some(authenticator) = self.authenticators.iter_mut().find(|a| a.id == id) {
            change(authenticator);
        }
    }

    pub(super) fn evolve(mut self, event: &Event) -> Self {
        match event {
            Event::EnrollmentStarted(event) => self.add(Authenticator {
                id: event.authenticator_id,
                kind: event.kind.clone(),
                display_name: Some(event.display_name.clone()),
                record: Some(event.record.clone()),
                parameters: event
                    .parameters
                    .iter()
                    .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
                    .collect(),
                started_at: event.started_at,
                generation: 0,
                code_count: 0,
                status: Status::Pending {
                    expires_at: event.expires_at,
                    attempts_left: MAX_CONFIRM_ATTEMPTS,
                },
            }),
            Event::EnrollmentConfirmed(event) => self.change(event.authenticator_id, |a| {
                a.status = Status::Active {
                    confirmed_at: event.confirmed_at,
                    consumed_factor: event.consumed_factor,
                };
            }),
            Event::EnrollmentAttemptFailed(event) => self.change(event.authenticator_id, |a| {
                if let Status::Pending { attempts_left, .. } = &mut a.status {
                    *attempts_left = event.attempts_left;
                }
            }),
            Event::EnrollmentAbandoned(event) => {
                self.authenticators.retain(|a| a.id != event.authenticator_id);
            }
            Event::AuthenticatorRenamed(event) => self.change(event.authenticator_id, |a| {
                a.display_name = Some(event.display_name.clone());
            }),
            Event::DefaultAuthenticatorSet(event) => self.default = Some(event.authenticator_id),
            Event::AuthenticatorSuspended(event) => self.change(event.authenticator_id, |a| {
                if let Status::Active { confirmed_at, consumed_factor } = a.status {
                    a.status = Status::Suspended { confirmed_at, consumed_factor };
                }
            }),
            Event::AuthenticatorReinstated(event) => self.change(event.authenticator_id, |a| {
                if let Status::Suspended { confirmed_at, consumed_factor } = a.status {
                    a.status = Status::Active { confirmed_at, consumed_factor };
                }
            }),
            Event::AuthenticatorRemoved(event) => {
                self.default = self.default.filter(|id| *id != event.authenticator_id);
                self.change(event.authenticator_id, |a| {
                    a.record = None;
                    a.status = match a.status {
                        Status::Active { confirmed_at, .. }
                        | Status::Suspended { confirmed_at, .. } => {
                            Status::Removed { confirmed_at: Some(confirmed_at) }
                        }
                        Status::Pending { .. } | Status::Removed { .. } => {
                            Status::Removed { confirmed_at: None }
                        }
                    };
                });
            }
            Event::RecoveryCodesIssued(event) => {
                if self.find(event.authenticator_id).is_none() {
                    self.add(Authenticator {
                        id: event.authenticator_id,
                        kind: RECOVERY_CODE_KIND.into(),
                        display_name: None,
                        record: None,
                        parameters: Box::default(),
                        started_at: event.issued_at,
                        generation: 0,
                        code_count: 0,
                        status: Status::Active {
                            confirmed_at: event.issued_at,
                            consumed_factor: None,
                        },
                    });
                }
                self.change(event.authenticator_id, |a| {
                    a.record = Some(event.record.clone());
                    a.generation = event.generation;
                    a.code_count = event.count;
                });
            }
        }
        self
    }
}
