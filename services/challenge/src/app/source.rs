//! What stands in the log for the place that answers come from.

use countersign_domain::user_challenges::{Source, SourceKey};
use countersign_service::{ApiError, Foundation, User, seals};

/// Names a network without telling which it is.
pub(super) async fn source_of(
    foundation: &Foundation,
    user: &User,
    network: Option<&str>,
) -> Result<Source, ApiError> {
    let Some(network) = network else { return Ok(None) };
    let User { tenant, key } = user;
    let name = foundation.vault.name(tenant, *key, seals::SOURCE, network.as_bytes()).await?;
    Ok(Some(SourceKey(name)))
}
