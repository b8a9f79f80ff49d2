//! The first start: the tenant that stands for the installation, and its first key.

use countersign_core::{SecretString, TenantId};
use countersign_domain::tenant::{Command, IssueApiKey, Role};
use countersign_eventsourcing::{Metadata, Request};
use countersign_service::{ApiError, Foundation, keys::ApiKeySecret, tenant_stream};

use super::status::rejected;

/// Creates the tenant that stands for the installation and its first key, unless it was set up before. `keep` puts the
/// key where only the operator can read it; it is called before the key opens anything, so that a crash in between
/// leaves a key that is useless rather than one that is lost. Returns whether a key was made.
///
/// # Errors
/// Says that the log cannot be read or written, or what `keep` said.
pub async fn bootstrap<E>(
    foundation: &Foundation,
    keep: impl FnOnce(&SecretString) -> Result<(), E>,
) -> Result<bool, BootstrapError<E>> {
    let platform = TenantId::platform();
    let settings = foundation.tenant(&platform).await?;
    if settings.state.api_keys().next().is_some() {
        return Ok(false);
    }
    if !settings.state.exists() {
        let display_name = "Installation".to_owned();
        execute(foundation, Command::Create { display_name, now: foundation.now() }).await?;
    }
    let secret = ApiKeySecret::generate(&platform, &*foundation.rng);
    keep(&secret.reveal()).map_err(BootstrapError::Keep)?;
    let command = Command::IssueApiKey(IssueApiKey {
        key_id: secret.key_id().clone(),
        display_name: "first key".to_owned(),
        secret_hash: secret.hash(),
        roles: vec![Role::PlatformAdmin],
        now: foundation.now(),
        expires_at: None,
        organisation_id: None,
        allowed_addresses: vec![],
    });
    execute(foundation, command).await?;
    Ok(true)
}

/// Why the first start came to nothing.
#[derive(Debug)]
pub enum BootstrapError<E> {
    /// The log.
    Api(ApiError),
    /// The key could not be put where it belongs.
    Keep(E),
}

impl<E, T: Into<ApiError>> From<T> for BootstrapError<E> {
    fn from(error: T) -> Self {
        Self::Api(error.into())
    }
}

async fn execute(foundation: &Foundation, command: Command) -> Result<(), ApiError> {
    let command_id = foundation.new_id();
    let metadata = Metadata {
        recorded_at: foundation.now(),
        correlation_id: command_id,
        causation_id: command_id,
        requester: "bootstrap".into(),
        traceparent: "".into(),
        request_digest: 0,
    };
    let request = Request { command_id, metadata };
    let stream = tenant_stream(&TenantId::platform());
    let executed = foundation.tenants.execute(&stream, &request, command).await;
    executed.map(drop).map_err(|error| ApiError::from_execute(error, rejected))
}
