//! Who calls, and on whose behalf.

use std::sync::Arc;

use countersign_core::{FieldProblem, OrganisationId, TenantId, UserId};
use countersign_domain::{tenant::Role, user_authenticators::Placement};

use crate::{ApiError, Reason};

/// Metadata by which a caller of the platform names the tenant that it acts on.
pub const TENANT_METADATA: &str = "countersign-tenant";

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Who it is, for the audit: `api-key:{tenant}.{key}`, `token:{issuer}:{subject}`, `certificate:{SPIFFE id}` or
    /// `self:{user key}.{token}`.
    pub requester: Arc<str>,
    /// The tenant that it belongs to.
    pub home: TenantId,
    /// What it may do; once it is let through, those of its roles by which it is.
    pub roles: Arc<[Role]>,
    /// The organisation that it is confined to.
    pub organisation: Option<OrganisationId>,
    /// The one user that it is confined to.
    pub user: Option<UserId>,
    /// The tenant that it acts on: its own, or the one that a caller of the platform named.
    pub acts_on: Option<TenantId>,
}

/// What a caller means to do with what is a user's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touch {
    /// Looks at it.
    Read,
    /// Changes it, or lets the user prove themselves by it.
    Change,
}

impl Caller {
    /// Returns the tenant that it acts on.
    ///
    /// # Errors
    /// Says that a caller of the platform named none.
    pub fn tenant(&self) -> Result<&TenantId, ApiError> {
        self.acts_on.as_ref().ok_or_else(|| {
            let problem =
                FieldProblem::Other("is required in the metadata of a caller of the platform");
            ApiError::field(TENANT_METADATA, problem)
        })
    }

    /// Returns who it is where people are told apart: a user is the same one with every token.
    #[must_use]
    pub fn person(&self) -> &str {
        match (&self.user, self.requester.split_once('.')) {
            (Some(_), Some((user, _token))) => user,
            _ => &self.requester,
        }
    }

    /// Returns the caller with those of its roles that are among `allowed`.
    ///
    /// # Errors
    /// Says that it has none of them.
    pub fn narrowed(mut self, allowed: &[Role]) -> Result<Self, ApiError> {
        if !self.roles.iter().all(|role| allowed.contains(role)) {
            self.roles = self.roles.iter().copied().filter(|role| allowed.contains(role)).collect();
        }
        if self.roles.is_empty() { Err(denied()) } else { Ok(self) }
    }

    /// Returns whether where a user is placed says anything about what it may do.
    #[must_use]
    pub fn is_confined_by_placement(&self) -> bool {
        self.organisation.is_some() || self.is_help_desk()
    }

    /// Returns whether it is nothing more than a help desk.
    fn is_help_desk(&self) -> bool {
        self.roles.iter().all(|role| *role == Role::HelpDesk)
    }

    /// Makes sure that it may act on the user called `user_id`, as far as that can be told from the name.
    ///
    /// # Errors
    /// Says that it may not, in the words of every denial.
    pub fn check_user(&self, user_id: &UserId) -> Result<(), ApiError> {
        let is_own = self.user.as_ref().is_none_or(|own| own == user_id);
        if is_own { Ok(()) } else { Err(denied()) }
    }

    /// Makes sure that it may act on a user who is placed there.
    ///
    /// # Errors
    /// Says that it may not, in the words of every denial: nothing tells whether there is such a user.
    pub fn check_placement(&self, placement: &Placement, touch: Touch) -> Result<(), ApiError> {
        let is_inside =
            self.organisation.is_none() || self.organisation == placement.organisation_id;
        let is_above = touch == Touch::Change && placement.privileged && self.is_help_desk();
        if is_inside && !is_above { Ok(()) } else { Err(denied()) }
    }

    /// Makes sure that it is not confined to an organisation.
    ///
    /// # Errors
    /// Says that it is, in the words of every denial.
    pub fn check_unconfined(&self) -> Result<(), ApiError> {
        if self.organisation.is_none() { Ok(()) } else { Err(denied()) }
    }
}

/// Every denial looks like every other.
fn denied() -> ApiError {
    ApiError::new(Reason::PermissionDenied)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn organisation(name: &str) -> Option<OrganisationId> {
        OrganisationId::parse(name).ok()
    }

    fn caller(roles: &[Role]) -> Caller {
        let home = TenantId::parse("acme").unwrap();
        Caller {
            requester: "api-key:acme.k".into(),
            acts_on: Some(home.clone()),
            home,
            roles: roles.into(),
            organisation: None,
            user: None,
        }
    }

    fn placed(organisation_id: Option<OrganisationId>, privileged: bool) -> Placement {
        Placement { organisation_id, privileged }
    }

    #[test]
    fn a_caller_goes_on_with_the_roles_that_let_it_through() {
        let both = caller(&[Role::HelpDesk, Role::Auditor]);
        let narrowed = both.clone().narrowed(&[Role::HelpDesk, Role::OrgAdmin]).unwrap();
        assert_eq!(*narrowed.roles, [Role::HelpDesk]);
        assert_eq!(both.clone().narrowed(&[Role::Auditor, Role::HelpDesk]).unwrap(), both);
        assert_eq!(both.narrowed(&[Role::Verifier]).unwrap_err().reason, Reason::PermissionDenied);
    }

    #[test]
    fn who_is_confined_to_an_organisation_acts_on_its_users_only() {
        let north = organisation("north");
        let caller = Caller { organisation: north.clone(), ..caller(&[Role::OrgAdmin]) };
        assert!(caller.check_placement(&placed(north, true), Touch::Change).is_ok());
        for elsewhere in [None, organisation("south")] {
            let placement = placed(elsewhere, false);
            assert!(caller.check_placement(&placement, Touch::Read).is_err());
        }
        assert!(caller.check_unconfined().is_err());
    }

    #[test]
    fn a_help_desk_looks_at_users_with_privilege_and_changes_nothing() {
        let desk = caller(&[Role::HelpDesk]);
        assert!(desk.check_placement(&placed(None, true), Touch::Read).is_ok());
        assert!(desk.check_placement(&placed(None, true), Touch::Change).is_err());
        assert!(desk.check_placement(&placed(None, false), Touch::Change).is_ok());
        let more = caller(&[Role::HelpDesk, Role::TenantAdmin]);
        assert!(more.check_placement(&placed(None, true), Touch::Change).is_ok());
    }

    #[test]
    fn a_user_is_the_same_person_with_every_token_and_a_key_is_itself() {
        let ann = UserId::parse("ann").ok();
        let with = |token| Caller {
            user: ann.clone(),
            requester: format!("self:0a.{token}").into(),
            ..caller(&[Role::SelfService])
        };
        assert_eq!((with("t1").person(), with("t2").person()), ("self:0a", "self:0a"));
        assert_eq!(caller(&[Role::TenantAdmin]).person(), "api-key:acme.k");
    }

    #[test]
    fn a_users_token_is_for_that_user() {
        let [ann, bob] = ["ann", "bob"].map(|name| UserId::parse(name).unwrap());
        let own = Caller { user: Some(ann.clone()), ..caller(&[Role::SelfService]) };
        assert!(own.check_user(&ann).is_ok());
        assert!(own.check_user(&bob).is_err());
        assert!(caller(&[Role::Verifier]).check_user(&bob).is_ok());
    }
}
