//! How often something may be begun for one user.

use std::sync::Arc;

use super::{Limits, ledger::Ledger, refusal};
use crate::{ApiError, User};

/// How many users are remembered.
const USERS: usize = 100_000;

/// What is begun for a user: challenges, enrolments, sets of recovery codes. Each may send a message or takes room in the
/// user's stream for ever, so none of them is begun as often as a caller may call. Each network that things are begun from has
/// a budget of its own: nobody elsewhere uses the user's up. Cheap to clone; clones share what is counted. Among the extensions
/// of requests.
#[derive(Clone, Debug)]
pub struct UserBudget {
    begun: Arc<Ledger>,
}

impl UserBudget {
    /// Gives each user the budget that `limits` say.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { begun: Arc::new(Ledger::new(limits.user, USERS)) }
    }

    /// Charges `user` for one thing that is begun from `network`, if that is known.
    ///
    /// # Errors
    /// Says when the next may be begun.
    pub fn check(&self, user: &User, network: Option<&str>) -> Result<(), ApiError> {
        let charged = self.begun.charge(&(&user.tenant, user.key, network));
        charged.map_err(|wait| refusal::too_soon(refusal::Whose::User, wait))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use countersign_core::{TenantId, UserKey};

    use super::*;
    use crate::Reason;

    fn user(tenant: &str, key: u8) -> User {
        User { tenant: TenantId::parse(tenant).unwrap(), key: UserKey::new([key; 16]) }
    }

    #[tokio::test(start_paused = true)]
    async fn each_user_of_each_tenant_has_a_budget() {
        let budget = UserBudget::new(&Limits::default());
        let ann = user("acme", 1);
        let begun = (0..400).take_while(|_| budget.check(&ann, None).is_ok()).count();
        assert_eq!(begun, 300);
        let refused = budget.check(&ann, None).unwrap_err();
        assert_eq!(refused.reason, Reason::RateLimited);
        assert_eq!(refused.metadata, [("limit", "user".to_owned())]);
        assert_eq!(refused.retry_after, Some(Duration::from_secs(1)));
        assert!(budget.check(&user("acme", 2), None).is_ok());
        assert!(budget.check(&user("globex", 1), None).is_ok());
        assert!(budget.check(&ann, Some("192.0.2.0/32")).is_ok());
    }
}
