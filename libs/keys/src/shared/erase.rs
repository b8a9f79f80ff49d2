//! Erasing: first what forbids it to everyone, then the bytes.

use std::time::Duration;

use countersign_core::{TenantId, UserKey};
use tokio::time::sleep;

use super::stream::{KeyStream, Put, Stored};
use crate::{
    VaultError,
    store::{Content, OTHER_TENANT, OTHER_USER, Owner, Slot},
};

/// Pauses between tries grow from here.
pub(super) const PAUSE: Duration = Duration::from_millis(2);
/// After so many tries it is somebody else's turn to try.
pub(super) const TRIES: u32 = 8;

/// Sees to it that a user's last message says that the user was erased, and returns its sequence.
pub(super) async fn mark(
    stream: &KeyStream,
    tenant: &TenantId,
    user: UserKey,
) -> Result<u64, VaultError> {
    let owner = Owner::of(tenant);
    let marker = Slot { user, owner, batch: 0, content: Content::Erased { wiped: true } };
    let mut last_error = None;
    for tried in 0..TRIES {
        let last = stream.last(user).await?;
        let expected = match &last {
            None => 0,
            Some(Stored { slot: Ok(slot), .. }) if slot.owner != owner => {
                return Err(last.map_or(VaultError::Erased, |stored| stored.damaged(OTHER_TENANT)));
            }
            Some(stored) if stored.is_erased() => return Ok(stored.sequence),
            // A key of another user's would be erased in this one's place.
            Some(stored @ Stored { slot: Err(OTHER_USER), .. }) => {
                return Err(stored.damaged(OTHER_USER));
            }
            // A damaged key is erased like any other.
            Some(stored) => stored.sequence,
        };
        match stream.put(&marker, expected).await? {
            Put::Stored(sequence) => return Ok(sequence),
            Put::Conflict => {}
            Put::Unknown(error) => last_error = Some(error),
        }
        sleep(PAUSE * 2_u32.pow(tried)).await;
    }
    Err(contended(last_error))
}

/// Says that there was no success within [`TRIES`].
pub(super) fn contended(last_error: Option<countersign_nats::NatsAway>) -> VaultError {
    let contended = || countersign_nats::NatsAway::new("others write the same key all the time");
    VaultError::unavailable(last_error.unwrap_or_else(contended))
}

/// Removes a user's messages before `marker`, and looks whether they are gone.
pub(super) async fn remove_before(
    stream: &KeyStream,
    user: UserKey,
    marker: u64,
) -> Result<(), VaultError> {
    let mut refused = None;
    loop {
        match stream.first(user).await? {
            Some(first) if first.sequence < marker => match refused {
                Some((sequence, error)) if sequence == first.sequence => return Err(error),
                // Another replica may be faster: what counts is what is there then.
                Some(_) | None => {
                    let deleted = stream.delete(first.sequence).await;
                    refused = deleted.err().map(|error| (first.sequence, error));
                }
            },
            Some(_) | None => return Ok(()),
        }
    }
}
