//! Reading all shared keys again: is each what was written, and does it open?

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use countersign_core::{Clock, SecretBytes, UserKey};
use countersign_nats::{Nats, NatsAway};
use tokio::time::timeout;

use super::{
    keys::shared_ring,
    stream::{KeyStream, Stored},
};
use crate::{
    KeyProviderChoice, KeyReport, OpenError, VaultError,
    local_file::{MAX_PROBLEMS, PROGRESS_INTERVAL, other_problems},
    ring::{GROUP, KeyRing, RingPlace},
    store::{Content, Slot},
};

/// How long the next message of many may take.
const NEXT: Duration = Duration::from_secs(5);

/// Reads every key of the stream again: its checksum, and that it opens under the key-encryption key. Changes nothing.
/// Tells `progress` how many of how many messages are done.
///
/// # Errors
/// Says that the key-encryption key or the stream cannot be opened at all, or that NATS is away.
pub async fn verify_shared(
    directory: &Path,
    nats: &Nats,
    progress: impl FnMut(u64, u64),
) -> Result<KeyReport, OpenError> {
    verify_under(directory, nats, &RingPlace::local(directory, GROUP), progress).await
}

/// As [`verify_shared`], under a key-encryption key that `provider` keeps.
///
/// # Errors
/// As [`verify_shared`]; and says that the provider is away, refuses, or is another than the one that keeps the key.
pub async fn verify_shared_with(
    directory: &Path,
    nats: &Nats,
    provider: &KeyProviderChoice,
    clock: Arc<dyn Clock>,
    progress: impl FnMut(u64, u64),
) -> Result<KeyReport, OpenError> {
    let place = RingPlace::new(directory, GROUP, provider.provider(clock)?);
    verify_under(directory, nats, &place, progress).await
}

async fn verify_under(
    directory: &Path,
    nats: &Nats,
    place: &RingPlace,
    mut progress: impl FnMut(u64, u64),
) -> Result<KeyReport, OpenError> {
    let stream = KeyStream::of(nats).await?;
    let (ring, setup) = shared_ring(&stream, directory, place, None).await?;
    let mut report = KeyReport::default();
    report.problems.extend(other_problems(directory, &ring, &setup.id));
    let mut seen = Seen::default();
    let mut done = 0;
    let end = read_all(&stream, |stored, end| {
        if done % u64::from(PROGRESS_INTERVAL) == 0 {
            progress(stored.sequence.min(done), end);
        }
        done += 1;
        let outcome = stored.slot.and_then(|slot| seen.note(&slot, &ring, &mut report));
        if let Err(what) = outcome
            && report.problems.len() < MAX_PROBLEMS
        {
            report.problems.push(stored.problem(what));
        }
    })
    .await?;
    progress(end, end);
    Ok(report)
}

/// What was read of each user before: the version that wraps the key, and a hash of the key; nothing once erased.
#[derive(Default)]
struct Seen(HashMap<UserKey, Option<(u32, [u8; 32])>>);

impl Seen {
    fn note(
        &mut self,
        slot: &Slot,
        ring: &KeyRing,
        report: &mut KeyReport,
    ) -> Result<(), &'static str> {
        let Content::Key(wrapped) = slot.content else {
            let before = self.0.insert(slot.user, None);
            report.erased += 1;
            report.unwiped += u64::from(before.is_some());
            report.keys -= u64::from(before.flatten().is_some()).min(report.keys);
            return Ok(());
        };
        let opened = ring.unwrap_and_tell(&slot.owner.associated(slot.user), &wrapped);
        let (version, key) =
            opened.map_err(|_| "its key does not open under the key-encryption key")?;
        let key = hash(&key);
        match self.0.insert(slot.user, Some((version, key))) {
            None => report.keys += 1,
            // Wrapped anew, and the older message is still to be removed.
            Some(Some((other, same))) if other != version && same == key => report.unwiped += 1,
            Some(_) => return Err("its user has another message before it"),
        }
        Ok(())
    }
}

fn hash(key: &SecretBytes) -> [u8; 32] {
    countersign_crypto::sha256(key.expose())
}

/// Shows `seen` every message that is there now, and the sequence of the last one, which is returned.
pub(crate) async fn read_all(
    stream: &KeyStream,
    mut seen: impl FnMut(Stored, u64),
) -> Result<u64, VaultError> {
    let end = stream.end().await?;
    let mut at = 0;
    if end == 0 {
        return Ok(0);
    }
    let mut reading = stream.read(1).await?;
    while at < end {
        let next = timeout(NEXT, reading.next()).await;
        let slow = |_| Err(VaultError::unavailable(NatsAway::new("the keys do not come")));
        let stored = next.unwrap_or_else(slow)?;
        at = stored.sequence;
        if at <= end {
            seen(stored, end);
        }
    }
    Ok(end)
}
