//! What a user's stream tells about whom to address and of what.

use std::sync::Arc;

use countersign_core::AuthenticatorId;
use countersign_crypto::Sealed;
use countersign_domain::user_authenticators::{
    Event, RECOVERY_CODE_KIND, TEMPORARY_ACCESS_PASS_KIND, UserAuthenticators,
};
use countersign_eventsourcing::{EventCodec as _, EventLog, ReadError, Revision};
use countersign_service::User;
use futures_util::TryStreamExt as _;

/// What is known of a user and one of their authenticators.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// The platform's own id of the user; sealed, and `None` if no event that can be read names it.
    pub(super) user_id: Option<Sealed>,
    /// The authenticator's kind, if an event that can be read names it.
    pub(super) kind: Option<Box<str>>,
}

impl Account {
    /// Reads the stream of `user`'s authenticators. Events that cannot be read are left to whoever needs them: one of
    /// them must not keep the user from being told about the others.
    pub(super) async fn read(
        log: &Arc<dyn EventLog>,
        user: &User,
        authenticator_id: AuthenticatorId,
    ) -> Result<Self, ReadError> {
        let mut events = log.read(&user.authenticators(), Revision::START).await?;
        let mut account = Self::default();
        while let Some(recorded) = events.try_next().await? {
            let event = &recorded.event;
            let decoded =
                UserAuthenticators::decode(&event.event_type, event.schema_version, &event.payload);
            if let Ok(event) = decoded {
                account.take_in(event, authenticator_id);
            }
            if account.user_id.is_some() && account.kind.is_some() {
                break;
            }
        }
        Ok(account)
    }

    fn take_in(&mut self, event: Event, authenticator_id: AuthenticatorId) {
        let (id, kind, user_id) = match event {
            Event::EnrollmentStarted(event) => (event.authenticator_id, event.kind, event.user_id),
            Event::RecoveryCodesIssued(event) => {
                (event.authenticator_id, RECOVERY_CODE_KIND.into(), event.user_id)
            }
            Event::TemporaryAccessPassIssued(event) => {
                (event.authenticator_id, TEMPORARY_ACCESS_PASS_KIND.into(), event.user_id)
            }
            Event::EnrollmentConfirmed(_)
            | Event::EnrollmentAttemptFailed(_)
            | Event::EnrollmentAbandoned(_)
            | Event::AuthenticatorRenamed(_)
            | Event::DefaultAuthenticatorSet(_)
            | Event::AuthenticatorSuspended(_)
            | Event::AuthenticatorReinstated(_)
            | Event::AuthenticatorRemoved(_)
            | Event::SelfServiceTokenIssued(_)
            | Event::SecretsResealed(_)
            | Event::UserErased(_) => return,
            // It is about no authenticator.
            Event::UserPlaced(event) => {
                self.user_id.get_or_insert(event.user_id);
                return;
            }
        };
        self.user_id.get_or_insert(user_id);
        if id == authenticator_id {
            self.kind.get_or_insert(kind);
        }
    }
}
