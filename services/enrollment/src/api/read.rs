//! `GetAuthenticator` and `ListAuthenticators`.

use countersign_core::AuthenticatorId;
use countersign_proto::{common, enrollment as wire};
use countersign_service::{ApiError, Scope, User, caller::Touch, paging::Page, present};

use super::{EnrollmentApi, authenticator_id};
use crate::app::Authenticators;

impl EnrollmentApi {
    pub(super) async fn handle_get(
        &self,
        scope: &Scope,
        message: wire::GetAuthenticatorRequest,
    ) -> Result<wire::GetAuthenticatorResponse, ApiError> {
        let user = self.user(scope, &message.user_id, Touch::Read).await?;
        let id = authenticator_id(&message.authenticator_id)?;
        let authenticators = self.foundation.authenticators.load(&user.authenticators()).await?;
        let authenticator = self.show(&user, &authenticators, id).await?;
        Ok(wire::GetAuthenticatorResponse { authenticator })
    }

    pub(super) async fn handle_list(
        &self,
        scope: &Scope,
        message: wire::ListAuthenticatorsRequest,
    ) -> Result<wire::ListAuthenticatorsResponse, ApiError> {
        let user = self.user(scope, &message.user_id, Touch::Read).await?;
        let page = Page::of(message.page_size, &message.page_token)?;
        let authenticators = self.foundation.authenticators.load(&user.authenticators()).await?;
        let challenges = self.foundation.challenges.load(&user.challenges()).await?;
        let state = &authenticators.state;
        let listed = state
            .authenticators()
            .iter()
            .filter(|authenticator| message.include_removed || !authenticator.is_removed());
        let (listed, next_page_token) = page.take(listed);
        let (foundation, challenges) = (&self.foundation, &challenges.state);
        let now = foundation.now();
        let mut authenticators = Vec::with_capacity(listed.len());
        for authenticator in listed {
            let shown =
                present::authenticator(foundation, &user, state, challenges, authenticator, now)
                    .await?;
            authenticators.push(shown);
        }
        Ok(wire::ListAuthenticatorsResponse { authenticators, next_page_token })
    }

    /// Shows an authenticator that may be gone by now: an abandoned enrolment is forgotten.
    pub(super) async fn show_or_gone(
        &self,
        user: &User,
        authenticators: &Authenticators,
        id: AuthenticatorId,
    ) -> Result<Option<common::Authenticator>, ApiError> {
        if authenticators.state.find(id).is_none() {
            return Ok(None);
        }
        self.show(user, authenticators, id).await
    }
}
