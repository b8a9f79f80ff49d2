//! Reading all shared keys again: is each what was written, and does it open?

use std::{collections::HashSet, path::Path, sync::Arc, time::Duration};

use countersign_core::{Rng, UserKey};
use countersign_nats::{Nats, NatsAway};
use tokio::time::timeout;

use super::{
    keys::shared_kek,
    stream::{KeyStream, Stored},
};
use crate::{
    KeyEncryption as _, KeyReport, OpenError, VaultError,
    local_file::{MAX_PROBLEMS, PROGRESS_INTERVAL, other_problems},
    store::Content,
};

/// How long the next message of many may take.
const NEXT: Duration = Duration::from_secs(5);

/// Draws nothing, where nothing is wrapped.
struct Nothing;

impl Rng for Nothing {
    fn fill(&self, _: &mut [u8]) {}
}

/// Reads every key of the stream again: its checksum, and that it opens under the key-encryption key. Changes nothing.
/// Tells `progress` how many of how many messages are done.
///
/// # Errors
/// Says that the key-encryption key or the stream cannot be opened at all, or that NATS is away.
pub async fn verify_shared(
    directory: &Path,
    nats: &Nats,
    mut progress: impl FnMut(u64, u64),
) -> Result<KeyReport, OpenError> {
    let stream = KeyStream::of(nats).await?;
    let (kek, setup) = shared_kek(&stream, directory, Arc::new(Nothing)).await?;
    let mut report = KeyReport::default();
    report.problems.extend(other_problems(directory, &kek, &setup.id));
    let mut users: HashSet<UserKey> = HashSet::new();
    let mut done = 0;
    let end = read_all(&stream, |stored, end| {
        if done % u64::from(PROGRESS_INTERVAL) == 0 {
            progress(stored.sequence.min(done), end);
        }
        done += 1;
        let outcome = stored.slot.and_then(|slot| {
            let is_first = users.insert(slot.user);
            match slot.content {
                Content::Key(_) if !is_first => {
                    return Err("its user has another message before it");
                }
                Content::Key(wrapped) => {
                    let opened = kek.unwrap(&slot.owner.associated(slot.user), &wrapped);
                    opened.map_err(|_| "its key does not open under the key-encryption key")?;
                    report.keys += 1;
                }
                Content::Erased { .. } => {
                    report.erased += 1;
                    report.unwiped += u64::from(!is_first);
                    report.keys -= u64::from(!is_first).min(report.keys);
                }
            }
            Ok(())
        });
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
