//! Which dangerous acts need the agreement of others, and which events of a tenant are such acts.

use std::{collections::BTreeSet, num::NonZeroU32};

use serde::{Deserialize, Serialize};

use super::{Event, Retention, Role, State};
use crate::{
    approval::{DangerousAct, Terms},
    policy::MfaRequirement,
};

/// Which acts need the agreement of others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quorum {
    acts: BTreeSet<DangerousAct>,
    /// What an agreement takes.
    pub terms: Terms,
}

impl Quorum {
    /// Makes a quorum for `acts` and for those by which one alone could get round it; `None` if there are no acts.
    #[must_use]
    pub fn new(acts: impl IntoIterator<Item = DangerousAct>, terms: Terms) -> Option<Self> {
        let mut acts: BTreeSet<_> = acts.into_iter().collect();
        if acts.is_empty() {
            return None;
        }
        acts.extend(DangerousAct::ALWAYS);
        Some(Self { acts, terms })
    }

    /// Returns the acts.
    #[must_use]
    pub const fn acts(&self) -> &BTreeSet<DangerousAct> {
        &self.acts
    }

    /// Returns whether `next` asks for less in anything.
    fn is_loosened_by(&self, next: Option<&Self>) -> bool {
        next.is_none_or(|next| {
            !next.acts.is_superset(&self.acts) || next.terms.and(self.terms) != next.terms
        })
    }
}

/// Returns the act that `event` would be in `state` and that needs the agreement of others.
pub(super) fn act_in_need(state: &State, event: &Event) -> Option<DangerousAct> {
    let quorum = state.quorum()?;
    act(state, quorum, event).filter(|act| quorum.acts.contains(act))
}

/// Returns the dangerous act that `event` would be. Where published policies come to say what sign-ins need, publishing a
/// weaker one belongs here.
fn act(state: &State, quorum: &Quorum, event: &Event) -> Option<DangerousAct> {
    match event {
        Event::MfaRequirementSet(event) => {
            let before = match &event.application_id {
                None => state.requirement(),
                // An application that says nothing is challenged.
                Some(id) => {
                    let own = state.application(id).and_then(|one| one.requirement);
                    own.unwrap_or(MfaRequirement::Always)
                }
            };
            (strength(event.requirement) < strength(before))
                .then_some(DangerousAct::LoosenRequirement)
        }
        Event::FactorSettingsChanged(event) => {
            let was_in_use = !state.factor_settings(&event.kind).disabled;
            (event.settings.disabled && was_in_use).then_some(DangerousAct::LoosenRequirement)
        }
        Event::ApiKeyIssued(event) => {
            decides(&event.roles).then_some(DangerousAct::AddAdministrator)
        }
        Event::ApiKeyRotated(event) => {
            let key = state.api_key(&event.key_id);
            key.is_some_and(|key| decides(&key.roles)).then_some(DangerousAct::AddAdministrator)
        }
        Event::QuorumSet(event) => {
            quorum.is_loosened_by(event.quorum.as_ref()).then_some(DangerousAct::LoosenQuorum)
        }
        Event::RetentionSet(event) => {
            let longest = |retention: &Retention| {
                retention.inactive_user_days.map_or(u32::MAX, NonZeroU32::get)
            };
            let shorter = longest(&event.retention) < longest(&state.retention());
            shorter.then_some(DangerousAct::ShortenRetention)
        }
        Event::GlassBroken(_) => Some(DangerousAct::BreakGlass),
        Event::TenantErased(_) => Some(DangerousAct::EraseTenant),
        Event::TenantCreated(_)
        | Event::ApplicationCreated(_)
        | Event::OrganisationCreated(_)
        | Event::ApiKeyUsed(_)
        | Event::ApiKeyRevoked(_)
        | Event::GlassMended(_) => None,
    }
}

/// Returns whether one of `roles` may agree to dangerous acts.
fn decides(roles: &[Role]) -> bool {
    roles.iter().any(|role| matches!(role, Role::TenantAdmin | Role::PlatformAdmin))
}

const fn strength(requirement: MfaRequirement) -> u8 {
    match requirement {
        MfaRequirement::Never => 0,
        MfaRequirement::PerApplication => 1,
        MfaRequirement::Always => 2,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn quorum(acts: &[DangerousAct], approvers: u32, seconds: u64) -> Quorum {
        let terms = Terms { approvers, delay: Duration::from_secs(seconds) };
        Quorum::new(acts.iter().copied(), terms).unwrap()
    }

    #[test]
    fn the_ways_round_a_quorum_are_always_in_it() {
        let acts = quorum(&[DangerousAct::BreakGlass], 1, 0).acts;
        assert!(DangerousAct::ALWAYS.iter().all(|act| acts.contains(act)));
        assert_eq!(acts.len(), 3);
        assert_eq!(Quorum::new([], Terms { approvers: 2, ..Terms::default() }), None);
    }

    #[test]
    fn less_in_anything_is_looser_and_more_in_everything_is_not() {
        let acts = [DangerousAct::BreakGlass, DangerousAct::EraseTenant];
        let old = quorum(&acts, 2, 60);
        for stricter in [quorum(&acts, 2, 60), quorum(&acts, 3, 60), quorum(&acts, 2, 61)] {
            assert!(!old.is_loosened_by(Some(&stricter)), "{stricter:?}");
        }
        assert!(!old.is_loosened_by(Some(&quorum(DangerousAct::ALL, 5, 60))));
        for looser in [
            quorum(&acts[..1], 2, 60),
            quorum(&acts, 1, 60),
            quorum(&acts, 2, 59),
            quorum(DangerousAct::ALL, 5, 0),
            quorum(DangerousAct::ALL, 1, 600),
        ] {
            assert!(old.is_loosened_by(Some(&looser)), "{looser:?}");
        }
        assert!(old.is_loosened_by(None));
    }
}
