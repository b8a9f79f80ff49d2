//! Carrying keys over from another store.

use tokio::time::sleep;

use super::{
    erase,
    stream::{KeyStream, Put},
};
use crate::{
    VaultError,
    ring::KeyRing,
    store::{Content, OTHER_TENANT, Slot, same_key},
};

/// Carries a user's slot over, and returns whether that changed anything. One that says that the user was erased counts
/// for more than a key.
pub(crate) async fn carry_over(
    stream: &KeyStream,
    ring: &KeyRing,
    slot: &Slot,
) -> Result<bool, VaultError> {
    let mut last_error = None;
    for tried in 0..erase::TRIES {
        match stream.put(slot, 0).await? {
            Put::Stored(_) => return Ok(true),
            Put::Conflict => {}
            Put::Unknown(error) => last_error = Some(error),
        }
        if let Some(there) = stream.last(slot.user).await? {
            let found = there.slot.map_err(|what| there.damaged(what))?;
            return match (slot.content, found.content) {
                _ if slot.owner != found.owner => Err(there.damaged(OTHER_TENANT)),
                (Content::Erased { .. }, Content::Key(_)) => {
                    let marker = match stream.put(slot, there.sequence).await? {
                        Put::Stored(marker) => marker,
                        Put::Conflict => return Err(erase::contended(None)),
                        Put::Unknown(error) => return Err(VaultError::unavailable(error)),
                    };
                    erase::remove_before(stream, slot.user, marker).await.map(|()| true)
                }
                (Content::Key(_), Content::Key(_)) if !same_key(ring, slot, &found) => {
                    Err(there.damaged("its key is another than the one to be copied"))
                }
                (Content::Key(_), _) | (Content::Erased { .. }, Content::Erased { .. }) => {
                    Ok(false)
                }
            };
        }
        sleep(erase::PAUSE * 2_u32.pow(tried)).await;
    }
    Err(erase::contended(last_error))
}
