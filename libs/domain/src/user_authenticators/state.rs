//! What the fold of a user's authenticators knows.

use countersign_core::{AuthenticatorId, Timestamp};
use countersign_crypto::Sealed;
use serde::{Deserialize, Serialize};

use super::{
    Event, MAX_CONFIRM_ATTEMPTS, Pass, Placement, RECOVERY_CODE_KIND, Rejection,
    TEMPORARY_ACCESS_PASS_KIND,
};

/// A user's authenticators, oldest first; abandoned enrolments are forgotten.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    authenticators: Vec<Authenticator>,
    default: Option<AuthenticatorId>,
    /// Apart, because most users are placed nowhere.
    placement: Option<Box<Placement>>,
    /// How often the secrets were sealed anew, and for which rotation last.
    resealed: u32,
    rotation: u32,
    /// When the user was erased.
    erased_at: Option<Timestamp>,
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
    /// For a set of codes or a pass, which one; 0 otherwise.
    pub generation: u32,
    /// For a set of codes, how many it began with; 0 otherwise.
    pub code_count: u32,
    /// For a temporary access pass, when it opens. Apart, because hardly any is one.
    pub pass: Option<Box<Pass>>,
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

    /// Ends it for good, and lets go of its secret.
    fn end(&mut self) {
        self.record = None;
        self.status = match self.status {
            Status::Active { confirmed_at, .. } | Status::Suspended { confirmed_at, .. } => {
                Status::Removed { confirmed_at: Some(confirmed_at) }
            }
            Status::Pending { .. } => Status::Removed { confirmed_at: None },
            Status::Removed { confirmed_at } => Status::Removed { confirmed_at },
        };
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

    /// Returns when the user was erased.
    #[must_use]
    pub const fn erased_at(&self) -> Option<Timestamp> {
        self.erased_at
    }

    /// Returns whether the user was erased.
    #[must_use]
    pub const fn is_erased(&self) -> bool {
        self.erased_at.is_some()
    }

    /// Returns which of the user's secrets keys the secrets are under; the first is 1.
    #[must_use]
    pub const fn secrets_generation(&self) -> u32 {
        self.resealed + 1
    }

    /// Returns for which rotation of the installation's secrets they were last sealed anew; 0 for none.
    #[must_use]
    pub const fn secrets_rotation(&self) -> u32 {
        self.rotation
    }

    /// Returns what each factor keeps, by authenticator.
    pub fn records(&self) -> impl Iterator<Item = (AuthenticatorId, &Sealed)> {
        self.authenticators.iter().filter_map(|a| a.record.as_ref().map(|record| (a.id, record)))
    }

    /// Makes sure that what was just sealed is under the key that the user's secrets are under: another is about to go.
    pub(super) fn takes(&self, record: &Sealed) -> Result<(), Rejection> {
        if record.generation() == Some(self.secrets_generation()) {
            Ok(())
        } else {
            Err(Rejection::SecretsSuperseded)
        }
    }

    /// Returns where the user is placed.
    #[must_use]
    pub fn placement(&self) -> &Placement {
        const NOWHERE: &Placement = &Placement { organisation_id: None, privileged: false };
        self.placement.as_deref().unwrap_or(NOWHERE)
    }

    /// Returns those that may answer challenges: the default first, then recovery codes, a temporary access pass last. A
    /// pass ends by itself; [`usable`](crate::usable) says whether it has.
    #[must_use]
    pub fn active(&self) -> Vec<&Authenticator> {
        let mut active: Vec<_> = self.authenticators.iter().filter(|a| a.is_active()).collect();
        let rank = |kind: &str| match kind {
            TEMPORARY_ACCESS_PASS_KIND => 2,
            RECOVERY_CODE_KIND => 1,
            _ => 0,
        };
        active.sort_by_key(|a| (rank(&a.kind), Some(a.id) != self.default));
        active
    }

    /// Returns the user's set of recovery codes.
    #[must_use]
    pub fn recovery_codes(&self) -> Option<&Authenticator> {
        self.issued(RECOVERY_CODE_KIND)
    }

    /// Returns the one of a kind that is issued and of which a user has no two.
    fn issued(&self, kind: &str) -> Option<&Authenticator> {
        self.authenticators.iter().find(|a| &*a.kind == kind && !a.is_removed())
    }

    /// Returns id and generation of the next of such a kind: the id stays, so that failures go on counting (NIST SP
    /// 800-63B-4 section 3.2.2).
    pub(super) fn next_generation(
        &self,
        kind: &str,
        new_id: AuthenticatorId,
    ) -> Result<(AuthenticatorId, u32), Rejection> {
        match self.issued(kind) {
            None => Ok((new_id, 1)),
            Some(issued) if issued.is_active() => {
                Ok((issued.id, issued.generation.saturating_add(1)))
            }
            Some(_) => Err(Rejection::NotActive),
        }
    }

    /// Adds one, and keeps no room for more: most users have one or two.
    fn add(&mut self, authenticator: Authenticator) {
        self.authenticators.reserve_exact(1);
        self.authenticators.push(authenticator);
    }

    /// Adds one that is active as soon as it is issued, if it is not there.
    fn add_issued(&mut self, id: AuthenticatorId, kind: &str, issued_at: Timestamp) {
        if self.find(id).is_none() {
            self.add(Authenticator {
                id,
                kind: kind.into(),
                display_name: None,
                record: None,
                parameters: Box::default(),
                started_at: issued_at,
                generation: 0,
                code_count: 0,
                pass: None,
                status: Status::Active { confirmed_at: issued_at, consumed_factor: None },
            });
        }
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
                pass: None,
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
                self.change(event.authenticator_id, Authenticator::end);
            }
            Event::UserPlaced(event) => {
                let placement = event.placement.clone();
                self.placement = (placement != Placement::default()).then(|| Box::new(placement));
            }
            Event::SelfServiceTokenIssued(_) => {}
            Event::SecretsResealed(event) => {
                self.resealed = event.generation.saturating_sub(1);
                self.rotation = event.rotation;
                for (id, record) in &event.records {
                    self.change(*id, |a| a.record = Some(record.clone()));
                }
            }
            Event::UserErased(event) => {
                self.erased_at.get_or_insert(event.erased_at);
                self.default = None;
                self.placement = None;
                self.authenticators.iter_mut().for_each(Authenticator::end);
            }
            Event::RecoveryCodesIssued(event) => {
                self.add_issued(event.authenticator_id, RECOVERY_CODE_KIND, event.issued_at);
                self.change(event.authenticator_id, |a| {
                    a.record = Some(event.record.clone());
                    a.generation = event.generation;
                    a.code_count = event.count;
                });
            }
            Event::TemporaryAccessPassIssued(event) => {
                let kind = TEMPORARY_ACCESS_PASS_KIND;
                self.add_issued(event.authenticator_id, kind, event.issued_at);
                self.change(event.authenticator_id, |a| {
                    a.record = Some(event.record.clone());
                    a.generation = event.generation;
                    a.pass = Some(Box::new(event.pass));
                });
            }
        }
        self
    }
}
