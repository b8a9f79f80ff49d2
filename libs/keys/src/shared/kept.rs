//! Unwrapped keys in memory, and how long they may be trusted.
//!
//! A key that was erased elsewhere must not be used here. The stream says so to every replica within milliseconds; a
//! replica that no longer hears the stream cannot know, and lets go of what it keeps after [`TRUSTED_FOR`].

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use countersign_core::UserKey;
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use tokio::time::Instant;

use crate::{store::CACHED_KEYS, user_keys::OwnedKeys};

/// How long keys in memory are used after the last moment at which all erasures were known.
pub(crate) const TRUSTED_FOR: Duration = Duration::from_secs(60);

/// Of how many users it is remembered which message was heard of last. Whoever looks a user up takes seconds at most, so what is
/// heard meanwhile is still among them.
const REMEMBERED: usize = 4_096;

/// What is known of a user.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// The user's keys, as the message of this sequence has them.
    Keys(Arc<OwnedKeys>, u64),
    /// For ever.
    Erased,
}

/// Counts what was heard, so that what was read before is not kept after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard(u64);

/// What is kept in memory.
pub(crate) struct Kept {
    cache: Cache<UserKey, Entry>,
    heard: Mutex<u64>,
    /// The sequences of users' messages with keys that were heard of lately.
    newest: Cache<UserKey, u64>,
    began: Instant,
    /// Milliseconds from `began` to the last moment at which all erasures were known.
    known: AtomicU64,
}

impl Kept {
    /// Begins with nothing at `now`.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            cache: Cache::new(CACHED_KEYS),
            heard: Mutex::new(0),
            newest: Cache::new(REMEMBERED),
            began: now,
            known: AtomicU64::new(0),
        }
    }

    /// Returns what is known of a user, if that can be trusted at `now`.
    pub(crate) fn get(&self, user: UserKey, now: Instant) -> Option<Entry> {
        match self.cache.get(&user)? {
            Entry::Erased => Some(Entry::Erased),
            keys @ Entry::Keys(..) => self.is_trusted(now).then_some(keys),
        }
    }

    fn is_trusted(&self, now: Instant) -> bool {
        let known = self.began + Duration::from_millis(self.known.load(Ordering::Relaxed));
        now.saturating_duration_since(known) < TRUSTED_FOR
    }

    /// Notes that everything that was erased before `instant` is known.
    pub(crate) fn all_known(&self, instant: Instant) {
        let since = instant.saturating_duration_since(self.began).as_millis();
        self.known.fetch_max(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Begins to look a user up elsewhere.
    pub(crate) fn begin(&self) -> Heard {
        Heard(*self.heard.lock())
    }

    /// Keeps what was looked up since `begun`, unless something was heard meanwhile that may say otherwise.
    pub(crate) fn keep(&self, user: UserKey, entry: Entry, begun: Heard) {
        let heard = self.heard.lock();
        let is_replaced = match &entry {
            Entry::Keys(_, kept) => self.newest.peek(&user).is_some_and(|newest| newest > *kept),
            Entry::Erased => false,
        };
        if *heard == begun.0 && !is_replaced {
            self.cache.insert(user, entry);
        }
    }

    /// Hears that a user was erased.
    pub(crate) fn erased(&self, user: UserKey) {
        let mut heard = self.heard.lock();
        *heard += 1;
        self.cache.insert(user, Entry::Erased);
    }

    /// Hears that a user's keys are in the message of `sequence`, and lets go of what is kept of an older one unless it
    /// `is_same`.
    pub(crate) fn replaced(
        &self,
        user: UserKey,
        sequence: u64,
        is_same: impl FnOnce(&OwnedKeys) -> bool,
    ) {
        let _alone = self.heard.lock();
        if self.newest.peek(&user).is_none_or(|newest| newest < sequence) {
            self.newest.insert(user, sequence);
        }
        let Some(Entry::Keys(keys, kept)) = self.cache.peek(&user) else { return };
        if kept < sequence && !is_same(&keys) {
            self.cache.remove(&user);
        }
    }

    /// Hears of a user what cannot be read.
    pub(crate) fn forget(&self, user: UserKey) {
        let mut heard = self.heard.lock();
        *heard += 1;
        self.cache.remove(&user);
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::TenantId;

    use super::*;
    use crate::user_keys::{USER_KEYS_LEN, UserKeys};

    const ALICE: UserKey = UserKey::new([1; 16]);
    const BOB: UserKey = UserKey::new([2; 16]);

    fn key() -> Entry {
        let tenant = TenantId::parse("acme").unwrap();
        let keys = UserKeys::from_bytes(&[7; USER_KEYS_LEN]).unwrap();
        Entry::Keys(Arc::new(OwnedKeys { tenant, keys }), 5)
    }

    #[test]
    fn what_a_newer_message_replaces_is_let_go_of() {
        let now = Instant::now();
        let kept = Kept::new(now);
        kept.keep(ALICE, key(), kept.begin());
        kept.replaced(BOB, 9, |_| false);
        kept.replaced(ALICE, 5, |_| false);
        // Wrapped anew, and nothing more.
        kept.replaced(ALICE, 6, |_| true);
        assert!(kept.get(ALICE, now).is_some());
        kept.replaced(ALICE, 6, |_| false);
        assert!(kept.get(ALICE, now).is_none());
        // What was being read meanwhile is the older one; of others it is not.
        kept.keep(ALICE, key(), kept.begin());
        assert!(kept.get(ALICE, now).is_none());
        let begun = kept.begin();
        kept.replaced(ALICE, 7, |_| false);
        kept.keep(BOB, key(), begun);
        assert!(kept.get(BOB, now).is_none(), "message 9 is newer");
        kept.keep(UserKey::new([3; 16]), key(), begun);
        assert!(kept.get(UserKey::new([3; 16]), now).is_some());
        // Whoever was erased stays so.
        kept.erased(BOB);
        kept.replaced(BOB, 10, |_| false);
        assert!(matches!(kept.get(BOB, now), Some(Entry::Erased)));
    }

    #[test]
    fn a_key_is_trusted_for_a_minute_after_all_erasures_were_known() {
        let began = Instant::now();
        let kept = Kept::new(began);
        kept.keep(ALICE, key(), kept.begin());
        kept.erased(BOB);
        let second = Duration::from_secs(1);
        assert!(kept.get(ALICE, began + TRUSTED_FOR - second).is_some());
        assert!(kept.get(ALICE, began + TRUSTED_FOR).is_none());
        // That somebody was erased stays true.
        assert!(matches!(kept.get(BOB, began + TRUSTED_FOR * 9), Some(Entry::Erased)));
        kept.all_known(began + second * 5);
        assert!(kept.get(ALICE, began + TRUSTED_FOR + second * 4).is_some());
        assert!(kept.get(ALICE, began + TRUSTED_FOR + second * 5).is_none());
        // What was known earlier takes nothing back.
        kept.all_known(began + second);
        assert!(kept.get(ALICE, began + TRUSTED_FOR + second * 4).is_some());
    }

    #[test]
    fn a_key_that_was_looked_up_while_anyone_was_erased_is_not_kept() {
        let now = Instant::now();
        let kept = Kept::new(now);
        let begun = kept.begin();
        kept.erased(ALICE);
        kept.keep(ALICE, key(), begun);
        assert!(matches!(kept.get(ALICE, now), Some(Entry::Erased)));
        kept.keep(BOB, key(), begun);
        assert!(kept.get(BOB, now).is_none());
        kept.keep(BOB, key(), kept.begin());
        assert!(kept.get(BOB, now).is_some());
        kept.forget(BOB);
        assert!(kept.get(BOB, now).is_none());
    }
}
