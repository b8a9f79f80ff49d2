//! `CreateApiKey`, `RevokeApiKey` and `ListApiKeys`.

use countersign_core::{FieldProblem, KeyId, TenantId};
use countersign_domain::tenant::{Command, Role, State};
use countersign_proto::admin as wire;
use countersign_service::{ApiError, Reason, Scope, fields, keys::ApiKeySecret};

use super::{AdminApi, convert};

impl AdminApi {
    pub(super) async fn handle_create_api_key(
        &self,
        scope: &Scope,
        message: wire::CreateApiKeyRequest,
    ) -> Result<wire::CreateApiKeyResponse, ApiError> {
        let tenant = scope.tenant()?;
        let request = self.request(scope, tenant, &message.request_id, &message)?;
        let roles = roles(tenant, &message.roles)?;
        let display_name = fields::display_name("display_name", &message.display_name)?;
        let now = self.foundation.now();
        let lifetime = message.lifetime.map(convert::lifetime).transpose()?;
        let expires_at = lifetime.map(|lifetime| now.plus(lifetime));
        let secret = ApiKeySecret::generate(tenant, &*self.foundation.rng);
        let command = Command::IssueApiKey {
            key_id: secret.key_id().clone(),
            display_name,
            secret_hash: secret.hash(),
            roles,
            now,
            expires_at,
        };
        let executed = self.execute(tenant, &request, command).await?;
        if executed.repeated {
            return Err(ApiError::new(Reason::KeyAlreadyShown));
        }
        Ok(wire::CreateApiKeyResponse {
            api_key: Some(shown(&executed.folded.state, secret.key_id())?),
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
        let command = Command::RevokeApiKey { key_id: key_id.clone() };
        let executed = self.execute(tenant, &request, command).await?;
        let api_key = Some(shown(&executed.folded.state, &key_id)?);
        Ok(wire::RevokeApiKeyResponse { api_key })
    }

    pub(super) async fn handle_list_api_keys(
        &self,
        scope: &Scope,
        _: wire::ListApiKeysRequest,
    ) -> Result<wire::ListApiKeysResponse, ApiError> {
        let settings = self.settings(scope.tenant()?).await?;
        let mut keys: Vec<_> = settings.api_keys().collect();
        keys.sort_by_key(|(_, key)| key.issued_at);
        let api_keys = keys.into_iter().map(|(id, key)| convert::api_key(id, key)).collect();
        Ok(wire::ListApiKeysResponse { api_keys })
    }
}

fn shown(settings: &State, id: &KeyId) -> Result<wire::ApiKey, ApiError> {
    let key = settings.api_key(id).ok_or_else(|| ApiError::new(Reason::ApiKeyNotFound))?;
    Ok(convert::api_key(id, key))
}

/// Reads roles. Those that see every tenant go with keys of the installation only, and the other way round: so a key
/// of a tenant can never hold one, whoever issues it.
fn roles(tenant: &TenantId, given: &[i32]) -> Result<Vec<Role>, ApiError> {
    if given.is_empty() {
        return Err(ApiError::field("roles", FieldProblem::Missing));
    }
    let mut roles = Vec::new();
    for role in given {
        let role = convert::role(*role)?;
        let fits = match role {
            Role::PlatformAdmin => tenant.is_platform(),
            Role::TenantAdmin | Role::Verifier => !tenant.is_platform(),
            Role::Auditor => true,
        };
        if !fits {
            let problem = FieldProblem::Other(
                "keys of the tenant `platform` may be platform_admin or auditor, other keys tenant_admin, \
                 verifier or auditor",
            );
            return Err(ApiError::field("roles", problem));
        }
        if !roles.contains(&role) {
            roles.push(role);
        }
    }
    Ok(roles)
}
