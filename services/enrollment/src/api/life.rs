//! `RenameAuthenticator`, `SetDefaultAuthenticator`, `SuspendAuthenticator`, `ReinstateAuthenticator` and
//! `RemoveAuthenticator`: the same steps with another command.

use std::collections::BTreeMap;

use countersign_core::AuthenticatorId;
use countersign_domain::user_authenticators::{
    Command, ReinstateAuthenticator, RemoveAuthenticator, RenameAuthenticator,
    SetDefaultAuthenticator, SuspendAuthenticator,
};
use countersign_eventsourcing::Request;
use countersign_proto::{common, enrollment as wire};
use countersign_service::{
    ApiError, Scope, User, caller::Touch, fields, present::DISPLAY_NAME_FIELD,
};
use prost::Message as _;

use super::{EnrollmentApi, authenticator_id};
use crate::app::{Deed, change, change_guarded};

/// What the five requests have in common.
struct Target<'a, M> {
    message: &'a M,
    request_id: &'a str,
    user_id: &'a str,
    authenticator_id: &'a str,
}

/// Whose authenticator is to be changed, by which request.
struct Aim {
    user: User,
    request: Request,
    authenticator_id: AuthenticatorId,
}

impl EnrollmentApi {
    /// Reads what the five requests have in common.
    async fn aim<M: prost::Message>(
        &self,
        scope: &Scope,
        target: &Target<'_, M>,
    ) -> Result<Aim, ApiError> {
        let user = self.user(scope, target.user_id, Touch::Change).await?;
        let stream = user.authenticators();
        let request =
            scope.command(&self.foundation, &stream, target.request_id, target.message)?;
        let authenticator_id = authenticator_id(target.authenticator_id)?;
        Ok(Aim { user, request, authenticator_id })
    }

    /// Carries out a command, and shows the authenticator as it then stands.
    async fn change_one(
        &self,
        aim: Aim,
        command: Command,
    ) -> Result<Option<common::Authenticator>, ApiError> {
        let Aim { user, request, authenticator_id } = aim;
        let authenticators = change(&self.foundation, &user, &request, command).await?;
        self.show(&user, &authenticators, authenticator_id).await
    }
}

impl EnrollmentApi {
    /// Carries out a command that may be a dangerous act; `content` is the request without its `request_id`.
    async fn change_with_care<M: prost::Message>(
        &self,
        scope: &Scope,
        aim: Aim,
        target: &Target<'_, M>,
        content: Vec<u8>,
        command: Command,
    ) -> Result<Option<common::Authenticator>, ApiError> {
        let Aim { user, request, authenticator_id } = aim;
        let about = ("authenticator_id".to_owned(), authenticator_id.to_string());
        let deed = Deed {
            scope,
            tenant: user.tenant.clone(),
            request,
            stream: user.authenticators(),
            is_named: !target.request_id.is_empty(),
            content,
            about: Some((user.clone(), fields::user_id(target.user_id)?)),
            details: BTreeMap::from([about]),
        };
        let authenticators = change_guarded(&self.foundation, &user, &deed, command).await?;
        self.show(&user, &authenticators, authenticator_id).await
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
        let aim = self.aim(scope, &target!(message)).await?;
        let Aim { user: User { tenant, key }, authenticator_id, .. } = &aim;
        let name = fields::display_name("display_name", &message.display_name)?;
        let vault = &self.foundation.vault;
        let display_name = vault.seal(tenant, *key, DISPLAY_NAME_FIELD, name.as_bytes()).await?;
        let authenticator_id = *authenticator_id;
        let command = Command::Rename(RenameAuthenticator { authenticator_id, display_name });
        let authenticator = self.change_one(aim, command).await?;
        Ok(wire::RenameAuthenticatorResponse { authenticator })
    }

    pub(super) async fn handle_set_default(
        &self,
        scope: &Scope,
        message: wire::SetDefaultAuthenticatorRequest,
    ) -> Result<wire::SetDefaultAuthenticatorResponse, ApiError> {
        let aim = self.aim(scope, &target!(message)).await?;
        let authenticator_id = aim.authenticator_id;
        let command = Command::SetDefault(SetDefaultAuthenticator { authenticator_id });
        let authenticator = self.change_one(aim, command).await?;
        Ok(wire::SetDefaultAuthenticatorResponse { authenticator })
    }

    pub(super) async fn handle_suspend(
        &self,
        scope: &Scope,
        message: wire::SuspendAuthenticatorRequest,
    ) -> Result<wire::SuspendAuthenticatorResponse, ApiError> {
        let aim = self.aim(scope, &target!(message)).await?;
        let authenticator_id = aim.authenticator_id;
        let reason = fields::text("reason", &message.reason, 256)?;
        let command = Command::Suspend(SuspendAuthenticator { authenticator_id, reason });
        let content =
            wire::SuspendAuthenticatorRequest { request_id: String::new(), ..message.clone() };
        let (target, content) = (target!(message), content.encode_to_vec());
        let authenticator = self.change_with_care(scope, aim, &target, content, command).await?;
        Ok(wire::SuspendAuthenticatorResponse { authenticator })
    }

    pub(super) async fn handle_reinstate(
        &self,
        scope: &Scope,
        message: wire::ReinstateAuthenticatorRequest,
    ) -> Result<wire::ReinstateAuthenticatorResponse, ApiError> {
        let aim = self.aim(scope, &target!(message)).await?;
        let authenticator_id = aim.authenticator_id;
        let command = Command::Reinstate(ReinstateAuthenticator { authenticator_id });
        let authenticator = self.change_one(aim, command).await?;
        Ok(wire::ReinstateAuthenticatorResponse { authenticator })
    }

    pub(super) async fn handle_remove(
        &self,
        scope: &Scope,
        message: wire::RemoveAuthenticatorRequest,
    ) -> Result<wire::RemoveAuthenticatorResponse, ApiError> {
        let aim = self.aim(scope, &target!(message)).await?;
        let authenticator_id = aim.authenticator_id;
        let reason = fields::text("reason", &message.reason, 256)?;
        let now = self.foundation.now();
        let command = Command::Remove(RemoveAuthenticator { authenticator_id, reason, now });
        let content =
            wire::RemoveAuthenticatorRequest { request_id: String::new(), ..message.clone() };
        let (target, content) = (target!(message), content.encode_to_vec());
        let authenticator = self.change_with_care(scope, aim, &target, content, command).await?;
        Ok(wire::RemoveAuthenticatorResponse { authenticator })
    }
}
