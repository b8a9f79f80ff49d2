//! Acts that a tenant may make depend on the agreement of several administrators, and what the agreement takes.

use std::time::Duration;

use countersign_proto::event as wire;
use serde::{Deserialize, Serialize};

use crate::wire::BadPayload;

/// What one administrator alone could do great harm with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DangerousAct {
    /// Removes or suspends the last authenticator with which a user with privilege can prove themselves.
    RemoveLastAuthenticator,
    /// Takes privilege away from a user, who would then be no longer protected by the first.
    PlacePrivilege,
    /// Asks for less proof than before: of the tenant's sign-ins, of an application's, or by putting a kind out of use.
    LoosenRequirement,
    /// Lets sign-ins through without a second factor for a while.
    BreakGlass,
    /// Erases the tenant with all its users.
    EraseTenant,
    /// Asks for less agreement than before.
    LoosenQuorum,
    /// Gives somebody a secret with which they could agree.
    AddAdministrator,
    /// Has users erased sooner than before: all who were silent for as long, within the hour.
    ShortenRetention,
}

impl DangerousAct {
    /// Every act.
    pub const ALL: &'static [Self] = &[
        Self::RemoveLastAuthenticator,
        Self::PlacePrivilege,
        Self::LoosenRequirement,
        Self::BreakGlass,
        Self::EraseTenant,
        Self::LoosenQuorum,
        Self::AddAdministrator,
        Self::ShortenRetention,
    ];

    /// Acts that need agreement as soon as any other does: one alone could undo the rest by them.
    pub const ALWAYS: &'static [Self] = &[Self::LoosenQuorum, Self::AddAdministrator];

    /// Returns its name as output uses it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RemoveLastAuthenticator => "remove_last_authenticator",
            Self::PlacePrivilege => "place_privilege",
            Self::LoosenRequirement => "loosen_requirement",
            Self::BreakGlass => "break_glass",
            Self::EraseTenant => "erase_tenant",
            Self::LoosenQuorum => "loosen_quorum",
            Self::AddAdministrator => "add_administrator",
            Self::ShortenRetention => "shorten_retention",
        }
    }

    pub(crate) const fn to_wire(self) -> wire::DangerousAct {
        match self {
            Self::RemoveLastAuthenticator => wire::DangerousAct::RemoveLastAuthenticator,
            Self::PlacePrivilege => wire::DangerousAct::PlacePrivilege,
            Self::LoosenRequirement => wire::DangerousAct::LoosenRequirement,
            Self::BreakGlass => wire::DangerousAct::BreakGlass,
            Self::EraseTenant => wire::DangerousAct::EraseTenant,
            Self::LoosenQuorum => wire::DangerousAct::LoosenQuorum,
            Self::AddAdministrator => wire::DangerousAct::AddAdministrator,
            Self::ShortenRetention => wire::DangerousAct::ShortenRetention,
        }
    }

    pub(crate) fn from_wire(act: wire::DangerousAct, field: &str) -> Result<Self, BadPayload> {
        let known = Self::ALL.iter().copied().find(|known| known.to_wire() == act);
        known.ok_or_else(|| BadPayload::field(field))
    }
}

/// What an agreement takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How many others must agree.
    pub approvers: u32,
    /// How long after the last of them the act may be done at the earliest.
    pub delay: Duration,
}

impl Terms {
    /// Returns what satisfies both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { approvers: self.approvers.max(other.approvers), delay: self.delay.max(other.delay) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_act_has_a_name_of_its_own_and_is_read_back() {
        let names: BTreeSet<_> = DangerousAct::ALL.iter().map(|act| act.as_str()).collect();
        assert_eq!(names.len(), DangerousAct::ALL.len());
        for act in DangerousAct::ALL {
            assert_eq!(DangerousAct::from_wire(act.to_wire(), "act"), Ok(*act));
        }
        assert!(DangerousAct::from_wire(wire::DangerousAct::Unspecified, "act").is_err());
    }

    #[test]
    fn terms_together_are_the_stricter_of_each() {
        let [few, many] = [(1, 60), (3, 5)]
            .map(|(approvers, seconds)| Terms { approvers, delay: Duration::from_secs(seconds) });
        let both = Terms { approvers: 3, delay: Duration::from_secs(60) };
        assert_eq!((few.and(many), many.and(few)), (both, both));
    }
}
