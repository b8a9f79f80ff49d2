//! Telling what became of keys in their directory, from what they are now and what was told before.
//!
//! Replicas see a new directory one after the other, and one that was away sees an old one. So nothing is told twice and
//! nothing goes back: versions have ascending numbers, signing keys come one after the other, and whoever does not see the
//! newest that was told is behind and says nothing. Only who lags for longer than the signing keys from before are published
//! may tell of one whose place another took.

use countersign_core::Timestamp;

use super::{
    AssertionKeyPublished, AssertionKeysWithdrawn, Event, KeyProviderChanged, KeyVersionAdded,
    KeyVersionsRetired, KeyringRewrapped, KeysRewrapped, State,
};

/// The keys as a process sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Who keeps the key-encryption key; `None` where replicas share keys, whose settings may differ for a while.
    pub provider: Option<Box<str>>,
    /// The versions of the key-encryption key in the ring, the oldest first.
    pub versions: Vec<u32>,
    /// How many users' keys were wrapped anew, if everything is known to be under the newest version.
    pub rewrapped: Option<u64>,
    /// The provider that has just wrapped the ring anew. The ring does not show that.
    pub ring_rewrapped: Option<Box<str>>,
    /// The signing keys that are published, in the order in which they were drawn.
    pub assertion_keys: Vec<ObservedAssertionKey>,
    /// The present instant.
    pub now: Timestamp,
}

/// A signing key that is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedAssertionKey {
    /// Its id.
    pub kid: Box<str>,
    /// How it signs.
    pub algorithm: Box<str>,
    /// From when on it signs; `None` for the first key.
    pub signs_from: Option<Timestamp>,
}

pub(super) fn observe(state: &State, observed: &Observed) -> Vec<Event> {
    let seen_at = observed.now;
    let mut events = Vec::new();
    if let Some(provider) = &observed.provider
        && state.provider() != Some(provider)
    {
        let provider = provider.clone();
        events.push(Event::KeyProviderChanged(KeyProviderChanged { provider, seen_at }));
    }
    if let Some(provider) = &observed.ring_rewrapped {
        let provider = provider.clone();
        events.push(Event::KeyringRewrapped(KeyringRewrapped { provider, seen_at }));
    }
    ring(state, observed, &mut events);
    assertion_keys(state, observed, &mut events);
    events
}

fn ring(state: &State, observed: &Observed, events: &mut Vec<Event>) {
    let seen_at = observed.now;
    let known = state.newest_version();
    let Some(&newest) = observed.versions.last().filter(|newest| **newest >= known) else { return };
    let added = observed.versions.iter().filter(|version| **version > known);
    events
        .extend(added.map(|&version| Event::KeyVersionAdded(KeyVersionAdded { version, seen_at })));
    if let Some(keys) = observed.rewrapped
        && state.rewrapped() < newest
    {
        let version = newest;
        events.push(Event::KeysRewrapped(KeysRewrapped { version, keys, seen_at }));
    }
    let gone = state.versions().iter().filter(|version| !observed.versions.contains(version));
    let versions: Vec<_> = gone.copied().collect();
    if !versions.is_empty() {
        events.push(Event::KeyVersionsRetired(KeyVersionsRetired { versions, seen_at }));
    }
}

fn assertion_keys(state: &State, observed: &Observed, events: &mut Vec<Event>) {
    let (seen_at, seen) = (observed.now, &observed.assertion_keys);
    if is_behind(state, seen) {
        return;
    }
    let told = last_told(state, seen).map_or(0, |(place, _)| place + 1);
    events.extend(seen.iter().skip(told).map(|key| {
        Event::AssertionKeyPublished(AssertionKeyPublished {
            kid: key.kid.clone(),
            algorithm: key.algorithm.clone(),
            signs_from: key.signs_from,
            seen_at,
        })
    }));
    let gone = state.published().filter(|kid| !seen.iter().any(|key| *key.kid == **kid));
    let kids: Vec<_> = gone.map(Into::into).collect();
    if !kids.is_empty() {
        events.push(Event::AssertionKeysWithdrawn(AssertionKeysWithdrawn { kids, seen_at }));
    }
}

/// Returns whether somebody else has told of later signing keys.
fn is_behind(state: &State, seen: &[ObservedAssertionKey]) -> bool {
    if seen.is_empty() {
        return true;
    }
    let Some((place, told)) = last_told(state, seen) else { return false };
    let after = state.told_keys().get(told + 1..).unwrap_or_default();
    match (seen.get(place + 1), after.iter().map(|key| key.signs_from).min()) {
        // Different keys came after the same one. Each new key takes the place of those that were to sign later, so that
        // whoever signs earlier came later.
        (Some(seen), Some(earliest)) => seen.signs_from > earliest,
        (None, Some(_)) => true,
        (_, None) => false,
    }
}

/// Returns the last of the keys that was told of: its place among those seen, and among those told of.
fn last_told(state: &State, seen: &[ObservedAssertionKey]) -> Option<(usize, usize)> {
    let told_at = |kid: &str| state.told_keys().iter().position(|told| &*told.kid == kid);
    let mut places = seen.iter().enumerate().rev();
    places.find_map(|(place, key)| Some((place, told_at(&key.kid)?)))
}
