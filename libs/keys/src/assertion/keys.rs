//! All signing keys, exchanged while they are used.

use std::{fmt, sync::Arc, time::Duration};

use countersign_core::{Clock, Timestamp};
use parking_lot::RwLock;

use super::{
    AssertionAlgorithm, AssertionKey, PublishedKey, SignError,
    file::{HeldKey, NEVER},
    jwk,
};

/// The signing keys: which one signs now, and which are published. Cheap to clone; clones see the same keys, also when
/// those change.
#[derive(Clone)]
pub struct AssertionKeys {
    inner: Arc<Inner>,
}

struct Inner {
    /// The oldest first; never empty.
    held: RwLock<Arc<Vec<HeldKey>>>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for AssertionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.held();
        f.debug_list().entries(held.iter().map(|held| held.key.kid())).finish()
    }
}

impl AssertionKeys {
    pub(crate) fn new(held: Vec<HeldKey>, clock: Arc<dyn Clock>) -> Self {
        Self { inner: Arc::new(Inner { held: RwLock::new(Arc::new(held)), clock }) }
    }

    pub(crate) fn held(&self) -> Arc<Vec<HeldKey>> {
        Arc::clone(&self.inner.held.read())
    }

    pub(crate) fn replace(&self, held: Vec<HeldKey>) {
        *self.inner.held.write() = Arc::new(held);
    }

    /// Returns the key that signs now. Take it once for every statement: the header names the key that signs.
    ///
    /// # Errors
    /// Says that there is none, which cannot be once keys were opened.
    pub fn signing(&self) -> Result<Arc<AssertionKey>, SignError> {
        let held = self.held();
        let signing = signing(&held, self.inner.clock.now()).ok_or(SignError)?;
        Ok(Arc::clone(&signing.key))
    }

    /// Returns the public keys that check signatures now or will soon, as a JWK set (RFC 7517 section 5).
    #[must_use]
    pub fn jwks(&self) -> String {
        let (held, now) = (self.held(), self.inner.clock.now());
        let signing = signing(&held, now).map(|key| key.key.kid());
        let published =
            held.iter().filter(|key| key.published_until > now || Some(key.key.kid()) == signing);
        jwk::set(published.map(|key| key.key.json()))
    }

    /// Returns the keys that are published, the one that began or begins to sign first before the others.
    #[must_use]
    pub fn published(&self) -> Vec<PublishedKey> {
        let (held, now) = (self.held(), self.inner.clock.now());
        let signing = signing(&held, now).map(|key| key.key.kid());
        let published =
            held.iter().filter(|key| key.published_until > now || Some(key.key.kid()) == signing);
        let seen = published.map(|key| PublishedKey {
            kid: key.key.kid().to_owned(),
            algorithm: key.algorithm,
            signs_from: key.signs_from,
            published_until: Some(key.published_until).filter(|until| *until != NEVER),
            signs: Some(key.key.kid()) == signing,
        });
        seen.collect()
    }

    /// Returns the keys with one more, drawn now, which signs from `overlap` on, without those that are no longer
    /// published. Whoever signed before is published until its statements have expired, `statements_live` later.
    pub(crate) fn with_one_more(
        &self,
        algorithm: AssertionAlgorithm,
        overlap: Duration,
        statements_live: Duration,
    ) -> Result<Vec<HeldKey>, SignError> {
        let now = self.inner.clock.now();
        let signs_from = now.plus(overlap);
        let document = AssertionKey::generate(algorithm)?;
        let new = HeldKey::new(algorithm, document, signs_from, NEVER).ok_or(SignError)?;
        let mut keys = self.without_expired();
        for key in &mut keys {
            key.published_until = key.published_until.min(signs_from.plus(statements_live));
        }
        // One that was to sign later than the new one would take over from it: the new one is the last word.
        keys.retain(|key| key.signs_from <= signs_from);
        keys.push(new);
        Ok(keys)
    }

    /// Returns the keys that are still published.
    pub(crate) fn without_expired(&self) -> Vec<HeldKey> {
        let (held, now) = (self.held(), self.inner.clock.now());
        let signing = signing(&held, now).map(|key| key.key.kid());
        let published =
            held.iter().filter(|key| key.published_until > now || Some(key.key.kid()) == signing);
        published.cloned().collect()
    }
}

/// Returns the key that signs at `now`: of those that have begun to, the one that began last; of two, the later drawn.
fn signing(held: &[HeldKey], now: Timestamp) -> Option<&HeldKey> {
    let begun = held.iter().filter(|key| key.signs_from <= now);
    // Where a clock was put back, the first signs.
    begun.max_by_key(|key| key.signs_from).or_else(|| held.first())
}

/// The operating system's clock, for whoever opens keys without one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "whoever opens keys without a clock has this one"
    )]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let micros = since_epoch.map_or(0, |elapsed| elapsed.as_micros());
        Timestamp::from_unix_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}
