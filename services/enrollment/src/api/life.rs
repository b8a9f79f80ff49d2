//! `RenameAuthenticator`, `SetDefaultAuthenticator`, `SuspendAuthenticator`, `ReinstateAuthenticator` and
//! `RemoveAuthenticator`: the same steps with another command.

use countersign_core::AuthenticatorId;
use countersign_domain::user_authenticators::{
    Command, ReinstateAuthenticator, RemoveAuthenticator, RenameAuthenticator,
    SetDefaultAuthenticator, SuspendAuthenticator,
};
use countersign_proto::{common, enrollment as wire};
use countersign_service::{ApiError, Scope, User, fields, present::DISPLAY_NAME_FIELD};

use super::{EnrollmentApi, authenticator_id};
use crate::app::change;

/// What the five requests have in common.
struct Target<'a, M> {
    message: &'a M,
    request_id: &'a str,
    user_id: &'a str,
    authenticator_id: &'a str,
}

impl EnrollmentApi {
    /// Carries out the command that `make` makes, and shows the authenticator as it then stands.
    async fn change_one<M: prost::Message>(
        &self,
        scope: &Scope,
        target: Target<'_, M>,
        make: impl FnOnce(&User, AuthenticatorId) -> Result<Command, ApiError>,
    ) -> Result<Option<common::Authenticator>, ApiError> {
        let user = self.user(scope, target.user_id)?;
        let stream = user.authenticators();
        let request =
            scope.command(&self.foundation, &stream, target.request_id, target.message)?;
        let id = authenticator_id(target.authenticator_id)?;
        let command = make(&user, id)?;
        let authenticators = change(&self.foundation, &user, &request, command).await?;
        self.show(&user, &authenticators, id).await
    }
}

/// The part of a request that all five have.
macro_rules! target {
    ($message:expr) => {
        Target {
            message: &$message,
            request_id: &$message.request_id,
            user_id: &$message.user_id,
            authenticator_id: &$message.authenticator_id,
        }
    };
}

impl EnrollmentApi {
    pub(super) async fn handle_rename(
        &self,
        scope: &Scope,
        message: wire::RenameAuthenticatorRequest,
    ) -> Result<wire::RenameAuthenticatorResponse, ApiError> {
        let make = |user: &User, authenticator_id| {
            let name = fields::display_name("display_name", &message.display_name)?;
            let vault = &self.foundation.vault;
            let display_name =
                vault.seal(&user.tenant, user.key, DISPLAY_NAME_FIELD, name.as_bytes())?;
            Ok(Command::Rename(RenameAuthenticator { authenticator_id, display_name }))
        };
        let authenticator = self.change_one(scope, target!(message), make).await?;
        Ok(wire::RenameAuthenticatorResponse { authenticator })
    }

    pub(super) async fn handle_set_default(
        &self,
        scope: &Scope,
        message: wire::SetDefaultAuthenticatorRequest,
    ) -> Result<wire::SetDefaultAuthenticatorResponse, ApiError> {
        let make = |_: &User, authenticator_id| {
            Ok(Command::SetDefault(SetDefaultAuthenticator { authenticator_id }))
        };
        let authenticator = self.change_one(scope, target!(message), make).await?;
        Ok(wire::SetDefaultAuthenticatorResponse { authenticator })
    }

    pub(super) async fn handle_suspend(
        &self,
        scope: &Scope,
        message: wire::SuspendAuthenticatorRequest,
    ) -> Result<wire::SuspendAuthenticatorResponse, ApiError> {
        let make = |_: &User, authenticator_id| {
            let reason = fields::text("reason", &message.reason, 256)?;
            Ok(Command::Suspend(SuspendAuthenticator { authenticator_id, reason }))
        };
        let authenticator = self.change_one(scope, target!(message), make).await?;
        Ok(wire::SuspendAuthenticatorResponse { authenticator })
    }

    pub(super) async fn handle_reinstate(
        &self,
        scope: &Scope,
        message: wire::ReinstateAuthenticatorRequest,
    ) -> Result<wire::ReinstateAuthenticatorResponse, ApiError> {
        let make = |_: &User, authenticator_id| {
            Ok(Command::Reinstate(ReinstateAuthenticator { authenticator_id }))
        };
        let authenticator = self.change_one(scope, target!(message), make).await?;
        Ok(wire::ReinstateAuthenticatorResponse { authenticator })
    }

    pub(super) async fn handle_remove(
        &self,
        scope: &Scope,
        message: wire::RemoveAuthenticatorRequest,
    ) -> Result<wire::RemoveAuthenticatorResponse, ApiError> {
        let make = |_: &User, authenticator_id| {
            let reason = fields::text("reason", &message.reason, 256)?;
            let now = self.foundation.now();
            Ok(Command::Remove(RemoveAuthenticator { authenticator_id, reason, now }))
        };
        let authenticator = self.change_one(scope, target!(message), make).await?;
        Ok(wire::RemoveAuthenticatorResponse { authenticator })
    }
}
