//! What callers may do.

use countersign_proto::event as wire;
use serde::{Deserialize, Serialize};

use crate::wire::BadPayload;

/// What a caller may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Runs the installation; sees every tenant.
    PlatformAdmin,
    /// Looks after one tenant.
    TenantAdmin,
    /// A platform that enrols, evaluates, challenges and verifies.
    Verifier,
    /// Reads everything, changes nothing.
    Auditor,
    /// Looks after the users of one organisation.
    OrgAdmin,
    /// Helps users without privilege who cannot sign in.
    HelpDesk,
    /// A user looking after their own authenticators. Held by self-service tokens only.
    SelfService,
}

impl Role {
    /// Every role.
    pub const ALL: &'static [Self] = &[
        Self::PlatformAdmin,
        Self::TenantAdmin,
        Self::OrgAdmin,
        Self::HelpDesk,
        Self::Verifier,
        Self::Auditor,
        Self::SelfService,
    ];

    /// Returns its name as configuration and output use it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PlatformAdmin => "platform_admin",
            Self::TenantAdmin => "tenant_admin",
            Self::Verifier => "verifier",
            Self::Auditor => "auditor",
            Self::OrgAdmin => "org_admin",
            Self::HelpDesk => "help_desk",
            Self::SelfService => "self",
        }
    }

    /// Reads its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|role| role.as_str() == name).copied()
    }

    /// Returns whether who holds it may be confined to an organisation.
    #[must_use]
    pub const fn fits_organisation(self) -> bool {
        matches!(self, Self::OrgAdmin | Self::HelpDesk | Self::Verifier)
    }

    /// Returns whether a key, a token of an issuer or a certificate may hold it in the tenant that stands for the
    /// installation, or else in any other.
    #[must_use]
    pub const fn fits_tenant(self, is_platform: bool) -> bool {
        match self {
            Self::PlatformAdmin => is_platform,
            Self::TenantAdmin | Self::Verifier | Self::OrgAdmin | Self::HelpDesk => !is_platform,
            Self::Auditor => true,
            Self::SelfService => false,
        }
    }

    pub(super) const fn to_wire(self) -> wire::Role {
        match self {
            Self::PlatformAdmin => wire::Role::PlatformAdmin,
            Self::TenantAdmin => wire::Role::TenantAdmin,
            Self::Verifier => wire::Role::Verifier,
            Self::Auditor => wire::Role::Auditor,
            Self::OrgAdmin => wire::Role::OrgAdmin,
            Self::HelpDesk => wire::Role::HelpDesk,
            Self::SelfService => wire::Role::Self_,
        }
    }

    pub(super) fn from_wire(role: wire::Role) -> Result<Self, BadPayload> {
        match role {
            wire::Role::PlatformAdmin => Ok(Self::PlatformAdmin),
            wire::Role::TenantAdmin => Ok(Self::TenantAdmin),
            wire::Role::Verifier => Ok(Self::Verifier),
            wire::Role::Auditor => Ok(Self::Auditor),
            wire::Role::OrgAdmin => Ok(Self::OrgAdmin),
            wire::Role::HelpDesk => Ok(Self::HelpDesk),
            wire::Role::Self_ => Ok(Self::SelfService),
            wire::Role::Unspecified => Err(BadPayload::field("roles")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_read_back_from_its_name() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(*role));
        }
        assert_eq!(Role::parse("root"), None);
    }

    #[test]
    fn no_role_of_the_installation_fits_a_tenant() {
        let fitting = |is_platform| {
            let fits = |role: &&Role| role.fits_tenant(is_platform);
            Role::ALL.iter().filter(fits).map(|role| role.as_str()).collect::<Vec<_>>()
        };
        assert_eq!(fitting(true), ["platform_admin", "auditor"]);
        let of_a_tenant = ["tenant_admin", "org_admin", "help_desk", "verifier", "auditor"];
        assert_eq!(fitting(false), of_a_tenant);
    }
}
