//! Words of the wire as people read and type them.

use clap::ValueEnum;
use countersign_proto::{admin::Role, common::MfaRequirement};

/// Returns the name of an enum's value without its prefix, in small letters: `active`, `per-application`.
pub(crate) fn word(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix).unwrap_or(name).to_ascii_lowercase().replace('_', "-")
}

/// Returns a requirement as a word; a dash if it says nothing.
pub(crate) fn requirement_word(requirement: MfaRequirement) -> String {
    match requirement {
        MfaRequirement::Unspecified => "-".to_owned(),
        MfaRequirement::Never | MfaRequirement::Always | MfaRequirement::PerApplication => {
            word(requirement.as_str_name(), "MFA_REQUIREMENT_")
        }
    }
}

/// When a second factor is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RequirementWord {
    /// The first factor is enough
    Never,
    /// Every sign-in is challenged
    Always,
    /// Each application says; one that says nothing is challenged
    PerApplication,
}

impl From<RequirementWord> for MfaRequirement {
    fn from(word: RequirementWord) -> Self {
        match word {
            RequirementWord::Never => Self::Never,
            RequirementWord::Always => Self::Always,
            RequirementWord::PerApplication => Self::PerApplication,
        }
    }
}

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleWord {
    /// Runs the installation and sees every tenant
    PlatformAdmin,
    /// Looks after one tenant
    TenantAdmin,
    /// Enrols, evaluates, challenges and verifies
    Verifier,
    /// Reads everything, changes nothing
    Auditor,
    /// Looks after the users of one organisation
    OrgAdmin,
    /// Helps users without privilege who cannot sign in
    HelpDesk,
}

impl From<RoleWord> for Role {
    fn from(word: RoleWord) -> Self {
        match word {
            RoleWord::PlatformAdmin => Self::PlatformAdmin,
            RoleWord::TenantAdmin => Self::TenantAdmin,
            RoleWord::Verifier => Self::Verifier,
            RoleWord::Auditor => Self::Auditor,
            RoleWord::OrgAdmin => Self::OrgAdmin,
            RoleWord::HelpDesk => Self::HelpDesk,
        }
    }
}

/// Returns roles for a table.
pub(crate) fn role_words(roles: impl Iterator<Item = Role>) -> String {
    roles.map(|role| word(role.as_str_name(), "ROLE_")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_typed_as_it_is_printed() {
        for typed in RoleWord::value_variants() {
            let typed_name = typed.to_possible_value().unwrap().get_name().to_owned();
            assert_eq!(role_words([Role::from(*typed)].into_iter()), typed_name);
        }
    }

    #[test]
    fn a_requirement_is_typed_as_it_is_printed() {
        for typed in RequirementWord::value_variants() {
            let typed_name = typed.to_possible_value().unwrap().get_name().to_owned();
            assert_eq!(requirement_word((*typed).into()), typed_name);
        }
    }

    #[test]
    fn a_requirement_that_says_nothing_is_a_dash() {
        assert_eq!(requirement_word(MfaRequirement::Unspecified), "-");
        assert_eq!(requirement_word(MfaRequirement::PerApplication), "per-application");
    }
}
