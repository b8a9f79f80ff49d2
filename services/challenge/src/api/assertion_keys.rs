//! `GetAssertionKeys`.

use countersign_proto::challenge as wire;
use countersign_service::{ApiError, Scope};

use super::ChallengeApi;

impl ChallengeApi {
    pub(super) async fn handle_keys(
        &self,
        scope: &Scope,
        _: wire::GetAssertionKeysRequest,
    ) -> Result<wire::GetAssertionKeysResponse, ApiError> {
        let tenant = scope.caller.acts_on.as_ref();
        Ok(wire::GetAssertionKeysResponse {
            jwks: self.signer.jwks(),
            issuer: tenant.map_or_else(String::new, |tenant| self.signer.issuer(tenant.as_str())),
        })
    }
}
