//! `CreateApiKey`, `RotateApiKey`, `RevokeApiKey` and `ListApiKeys`.

use std::time::Duration;

use countersign_core::{FieldProblem, KeyId, OrganisationId, TenantId, Timestamp};
use countersign_domain::tenant::{Command, IssueApiKey, RevokeApiKey, Role, RotateApiKey, State};
use countersign_proto::admin as wire;
use countersign_service::{ApiError, Reason, Scope, fields, keys::ApiKeySecret};

use super::{
    AdminApi, convert,
    quorum::{details, is_own_key},
};

impl AdminApi {
    pub(super) async fn handle_create_api_key(
        &self,
        scope: &Scope,
        message: wire::CreateApiKeyRequest,
    ) -> Result<wire::CreateApiKeyResponse, ApiError> {
        let tenant = scope.tenant()?;
        let content = wire::CreateApiKeyRequest { request_id: String::new(), ..message.clone() };
        let named = details([("display_name", message.display_name.clone())]);
        let deed = self.deed(scope, &message.request_id, &message, &content, named)?;
        let organisation_id =
            fields::optional("organisation_id", &message.organisation_id, OrganisationId::parse)?;
        let roles = roles(tenant, &message.roles, organisation_id.is_some())?;
        let allowed_addresses = convert::allowed_addresses(message.allowed_addresses)?;
        let display_name = fields::display_name("display_name", &message.display_name)?;
        let now = self.foundation.now();
        let lifetime = message.lifetime.map(convert::lifetime).transpose()?;
        let expires_at = lifetime.map(|lifetime| now.plus(lifetime));
        let secret = ApiKeySecret::generate(tenant, &*self.foundation.rng);
        let command = Command::IssueApiKey(IssueApiKey {
            key_id: secret.key_id().clone(),
            display_name,
            secret_hash: secret.hash(),
            roles,
            now,
            expires_at,
            organisation_id,
            allowed_addresses,
        });
        let executed = self.perform(&deed, command).await?;
        if executed.repeated {
            return Err(ApiError::new(Reason::KeyAlreadyShown));
        }
        Ok(wire::CreateApiKeyResponse {
            api_key: Some(shown(&executed.folded.state, secret.key_id(), now)?),
            secret: secret.reveal().expose().to_owned(),
        })
    }

    pub(super) async fn handle_rotate_api_key(
        &self,
        scope: &Scope,
        message: wire::RotateApiKeyRequest,
    ) -> Result<wire::RotateApiKeyResponse, ApiError> {
        let tenant = scope.tenant()?;
        let content = wire::RotateApiKeyRequest { request_id: String::new(), ..message.clone() };
        let named = details([("key_id", message.key_id.clone())]);
        let deed = self.deed(scope, &message.request_id, &message, &content, named)?;
        let key_id = fields::field("key_id", KeyId::parse(&message.key_id))?;
        let is_own = is_own_key(scope, tenant, &key_id);
        let overlap = message.overlap.map_or(Ok(Duration::ZERO), convert::overlap)?;
        let secret = ApiKeySecret::with_id(tenant, key_id, &*self.foundation.rng);
        let (key_id, now) = (secret.key_id().clone(), self.foundation.now());
        let secret_hash = secret.hash();
        let command = Command::RotateApiKey(RotateApiKey { key_id, secret_hash, now, overlap });
        // A fresh secret of the caller's own lets in nobody else.
        let command = if is_own { Command::Allowed(Box::new(command)) } else { command };
        let executed = self.perform(&deed, command).await?;
        if executed.repeated {
            return Err(ApiError::new(Reason::KeyAlreadyShown));
        }
        Ok(wire::RotateApiKeyResponse {
            api_key: Some(shown(&executed.folded.state, secret.key_id(), now)?),
            secret: secret.reveal().expose().to_owned(),
        })
    }

    pub(super) async fn handle_revoke_api_key(
        &self,
        scope: &Scope,
        message: wire::RevokeApiKeyRequest,
    ) -> Result<wire::RevokeApiKeyResponse, ApiError> {
        let tenant = scope.tenant()?;
        let request = self.request(scope, tenant, &message.request_id, &message)?;
        let key_id = fields::field("key_id", KeyId::parse(&message.key_id))?;
        let command = Command::RevokeApiKey(RevokeApiKey { key_id: key_id.clone() });
        let executed = self.execute(tenant, &request, command).await?;
        let api_key = Some(shown(&executed.folded.state, &key_id, self.foundation.now())?);
        Ok(wire::RevokeApiKeyResponse { api_key })
    }

    pub(super) async fn handle_list_api_keys(
        &self,
        scope: &Scope,
        _: wire::ListApiKeysRequest,
    ) -> Result<wire::ListApiKeysResponse, ApiError> {
        let settings = self.settings(scope.tenant()?).await?;
        let now = self.foundation.now();
        let mut keys: Vec<_> = settings.api_keys().collect();
        keys.sort_by_key(|(_, key)| key.issued_at);
        let api_keys = keys.into_iter().map(|(id, key)| convert::api_key(id, key, now)).collect();
        Ok(wire::ListApiKeysResponse { api_keys })
    }
}

fn shown(settings: &State, id: &KeyId, now: Timestamp) -> Result<wire::ApiKey, ApiError> {
    let key = settings.api_key(id).ok_or_else(|| ApiError::new(Reason::ApiKeyNotFound))?;
    Ok(convert::api_key(id, key, now))
}

/// Reads roles. Those that see every tenant go with keys of the installation only, and the other way round: so a key
/// of a tenant can never hold one, whoever issues it.
fn roles(tenant: &TenantId, given: &[i32], is_confined: bool) -> Result<Vec<Role>, ApiError> {
    let refused = |problem| Err(ApiError::field("roles", FieldProblem::Other(problem)));
    if given.is_empty() {
        return Err(ApiError::field("roles", FieldProblem::Missing));
    }
    let mut roles = Vec::new();
    for role in given {
        let role = convert::role(*role)?;
        if !role.fits_tenant(tenant.is_platform()) {
            return refused(
                "keys of the tenant `platform` may be platform_admin or auditor, other keys tenant_admin, \
                 org_admin, help_desk, verifier or auditor",
            );
        }
        if is_confined && !role.fits_organisation() {
            return refused(
                "a key that is confined to an organisation may be org_admin, help_desk or verifier",
            );
        }
        if !is_confined && role == Role::OrgAdmin {
            return refused("org_admin needs an `organisation_id`");
        }
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    Ok(roles)
}
