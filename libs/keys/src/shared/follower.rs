//! Hearing on other replicas who is erased, and whose keys are exchanged.

use std::{collections::HashSet, sync::Arc, time::Duration};

use countersign_core::UserKey;
use countersign_nats::NatsAway;
use tokio::{
    task::JoinHandle,
    time::{Instant, interval, sleep},
};

use super::{
    erase,
    kept::Kept,
    stream::{KeyStream, Stored},
    verify::read_all,
};
use crate::{
    KeyEncryption as _, VaultError,
    ring::KeyRing,
    store::{Content, Slot},
    user_keys::OwnedKeys,
};

/// How often the stream's leader is asked where the stream ends.
const ASK: Duration = Duration::from_secs(1);
/// How long to wait before the next try.
const PAUSE: Duration = Duration::from_millis(200);

/// The task that follows the stream; it ends with its handle.
#[derive(Debug)]
pub(crate) struct Follower(JoinHandle<()>);

impl Drop for Follower {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Follows the stream after message `seen`.
pub(crate) fn start(stream: KeyStream, ring: Arc<KeyRing>, kept: Arc<Kept>, seen: u64) -> Follower {
    Follower(tokio::spawn(async move {
        let (erased, erased_before) = (Vec::new(), Vec::new());
        let mut following = Following { stream, ring, kept, seen, erased, erased_before };
        loop {
            let Err(error) = following.follow().await;
            tracing::debug!(error = %crate::error::chain(&error), "following the keys again");
            sleep(PAUSE).await;
        }
    }))
}

enum Never {}

struct Following {
    stream: KeyStream,
    ring: Arc<KeyRing>,
    kept: Arc<Kept>,
    /// The last message that was read.
    seen: u64,
    /// Who was heard to be erased since the end was last asked for, and before: by then it should be done.
    erased: Vec<(UserKey, u64)>,
    erased_before: Vec<(UserKey, u64)>,
}

impl Following {
    async fn follow(&mut self) -> Result<Never, VaultError> {
        if self.stream.has_doubles().await?
            && let Err(error) = complete_erasures(&self.stream).await
        {
            tracing::warn!(error = %crate::error::chain(&error), "an erasure stays incomplete");
        }
        let mut reading = self.stream.read(self.seen + 1).await?;
        let mut ask = interval(ASK);
        // Where the stream ended when it was last asked for, and when that was.
        let mut asked: Option<(u64, Instant)> = None;
        loop {
            tokio::select! {
                stored = reading.next() => self.hear(&stored?),
                _ = ask.tick() => {
                    if let Some((end, at)) = asked {
                        if self.seen < end {
                            return Err(VaultError::unavailable(NatsAway::new("messages do not come")));
                        }
                        self.kept.all_known(at);
                    }
                    self.look_after().await;
                    let at = Instant::now();
                    asked = Some((self.stream.end().await?, at));
                }
            }
            if let Some((end, at)) = asked
                && self.seen >= end
            {
                self.kept.all_known(at);
            }
        }
    }

    fn hear(&mut self, stored: &Stored) {
        self.seen = stored.sequence;
        let Some(user) = stored.user else { return };
        if stored.is_erased() {
            self.kept.erased(user);
            self.erased.push((user, stored.sequence));
        } else if let Ok(slot) = &stored.slot {
            let is_same = |kept: &OwnedKeys| self.is_same(slot, kept);
            self.kept.replaced(user, stored.sequence, is_same);
        } else {
            self.kept.forget(user);
        }
    }

    /// Returns whether a message holds the keys that are kept. What cannot be opened here is taken for the same: a process
    /// that is behind with the ring goes on with what it has.
    fn is_same(&self, slot: &Slot, kept: &OwnedKeys) -> bool {
        let Content::Key(wrapped) = slot.content else { return false };
        let opened = self.ring.unwrap(&slot.owner.associated(slot.user), &wrapped);
        opened.map_or(true, |keys| keys.expose() == kept.keys.to_bytes().as_slice())
    }
}

impl Following {
    /// Completes what whoever erased has not completed a while later.
    async fn look_after(&mut self) {
        let due = std::mem::replace(&mut self.erased_before, std::mem::take(&mut self.erased));
        if due.is_empty() || matches!(self.stream.has_doubles().await, Ok(false)) {
            return;
        }
        for (user, marker) in due {
            if let Err(error) = erase::remove_before(&self.stream, user, marker).await {
                tracing::warn!(error = %crate::error::chain(&error), "an erasure stays incomplete");
                self.erased.push((user, marker));
            }
        }
    }
}

/// Completes erasures that were interrupted after they were made known.
async fn complete_erasures(stream: &KeyStream) -> Result<(), VaultError> {
    let (mut before, mut doubled) = (HashSet::new(), Vec::new());
    read_all(stream, |stored, _| {
        let Some(user) = stored.user else { return };
        if !before.insert(user) && stored.is_erased() {
            doubled.push((user, stored.sequence));
        }
    })
    .await?;
    for (user, marker) in doubled {
        tracing::warn!(%user, "completing an erasure that was interrupted");
        erase::remove_before(stream, user, marker).await?;
    }
    Ok(())
}
