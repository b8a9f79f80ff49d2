//! An announced delivery as the message that a provider is given.

use std::sync::Arc;

use countersign_core::{FieldProblem, TenantId, UserKey};
use countersign_crypto::Sealed;
use countersign_domain::delivery::DeliveryRequested;
use countersign_keys::{UserVault, VaultError};
use countersign_providers::{Channel, Message, Recipient};
use countersign_service::seals;

/// The way that account notices take: the recipient is the platform's own id of the user.
const CHANNEL: Channel = Channel::Platform;

/// Opens what is sealed of a delivery of `tenant`.
pub(super) async fn open(
    vault: &UserVault,
    tenant: &TenantId,
    requested: &DeliveryRequested,
) -> Result<Message, VaultError> {
    let sealed = &requested.recipient;
    let user = sealed_for(tenant, sealed).map_err(|error| VaultError::Damaged(Arc::new(error)))?;
    let recipient = vault.unseal(tenant, user, seals::RECIPIENT, sealed).await?;
    Ok(Message {
        delivery_id: requested.delivery_id.to_string().into(),
        channel: CHANNEL,
        recipient: Recipient::new(String::from_utf8_lossy(recipient.expose())),
        template: requested.template.clone(),
        values: requested.values.clone(),
    })
}

/// Returns whose key seals: streams of deliveries do not name the user, but `{tenant}.{user_key}` names the key.
fn sealed_for(tenant: &TenantId, sealed: &Sealed) -> Result<UserKey, FieldProblem> {
    let key = sealed.key_id.strip_prefix(tenant.as_str()).and_then(|rest| rest.strip_prefix('.'));
    key.ok_or(FieldProblem::Other("must name a data key of the tenant"))?.parse()
}
