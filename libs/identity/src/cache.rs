//! An issuer's keys in memory: fetched by one for all, again before they are old, and given up when they are too old.

use std::{sync::Arc, time::Duration};

use countersign_core::{Clock, Timestamp};
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::{IssuerSettings, key_set::KeySet, source::Source};

/// How long after one attempt the next may be made, whoever asks.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// How long after one attempt a key that nobody knows may be the reason for the next: tokens are made up by strangers, who
/// shall not make us a burden to the issuer.
const UNKNOWN_KEY_PAUSE: Duration = Duration::from_secs(10);

/// Keys of one issuer.
pub(crate) struct KeyCache {
    name: String,
    source: Source,
    clock: Arc<dyn Clock>,
    max_age: Duration,
    serve_stale: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// When the last attempt began, or when it failed, which may be much later.
    asked_at: Option<Timestamp>,
    /// Whether the last attempt failed.
    away: bool,
    /// The attempt that is being made, if its other end lives.
    flight: Option<Flight>,
}

struct Held {
    keys: Arc<KeySet>,
    /// When they were asked for.
    at: Timestamp,
}

/// Ends when the attempt does.
type Flight = watch::Receiver<()>;

/// How old keys are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    Fresh,
    /// So old that they are fetched again while they still serve.
    Due,
    /// So old that they serve only while the issuer does not answer.
    Stale,
    /// So old that they do not serve, or none at all.
    Gone,
}

impl KeyCache {
    pub(crate) fn new(settings: &IssuerSettings, source: Source, clock: Arc<dyn Clock>) -> Self {
        Self {
            name: settings.name.clone(),
            source,
            clock,
            max_age: Duration::from_secs(settings.max_key_age_seconds.into()),
            serve_stale: Duration::from_secs(settings.serve_stale_seconds.into()),
            state: Mutex::default(),
        }
    }

    /// Returns the keys to verify with now; `None` if there are none and none are to be had.
    pub(crate) async fn keys(self: &Arc<Self>) -> Option<Arc<KeySet>> {
        let (age, away) = self.look();
        match age {
            Age::Fresh => {}
            Age::Due => {
                self.begin(RETRY_PAUSE);
            }
            // Nobody waits again for an issuer that was found to be away.
            Age::Stale if away => {
                self.begin(RETRY_PAUSE);
            }
            Age::Stale | Age::Gone => self.refresh(RETRY_PAUSE).await,
        }
        self.serving()
    }

    /// Returns keys among which there may be one that was unknown a moment ago.
    pub(crate) async fn keys_after_unknown(self: &Arc<Self>) -> Option<Arc<KeySet>> {
        self.refresh(UNKNOWN_KEY_PAUSE).await;
        self.serving()
    }

    fn serving(&self) -> Option<Arc<KeySet>> {
        let (age, _) = self.look();
        let state = self.state.lock();
        let held = state.held.as_ref().filter(|_| age != Age::Gone);
        held.map(|held| Arc::clone(&held.keys))
    }

    /// Returns how old the keys are, and whether the issuer was away at the last attempt.
    fn look(&self) -> (Age, bool) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.follow_clock(now);
        let age = match &state.held {
            None => Age::Gone,
            Some(held) => self.age(now.since(held.at)),
        };
        (age, state.away)
    }

    fn age(&self, since: Duration) -> Age {
        if since < self.max_age * 3 / 4 {
            Age::Fresh
        } else if since < self.max_age {
            Age::Due
        } else if since < self.max_age + self.serve_stale {
            Age::Stale
        } else {
            Age::Gone
        }
    }

    /// Waits for an attempt, if one is being made or may be made.
    async fn refresh(self: &Arc<Self>, pause: Duration) {
        if let Some(mut flight) = self.begin(pause) {
            // The other end never sends; it ends.
            flight.changed().await.ok();
        }
    }

    /// Begins an attempt unless one is being made, or one began less than `pause` ago. It is made by itself: whoever asked
    /// may give up, and others wait for it.
    fn begin(self: &Arc<Self>, pause: Duration) -> Option<Flight> {
        let now = self.clock.now();
        let mut state = self.state.lock();
        state.follow_clock(now);
        if let Some(flight) = &state.flight
            && flight.has_changed().is_ok()
        {
            return Some(flight.clone());
        }
        if state.asked_at.is_some_and(|at| now.since(at) < pause) {
            return None;
        }
        state.asked_at = Some(now);
        let (landed, flight) = watch::channel(());
        state.flight = Some(flight.clone());
        let cache = Arc::clone(self);
        tokio::spawn(async move {
            cache.fetch(now).await;
            drop(landed);
        });
        Some(flight)
    }

    async fn fetch(&self, began: Timestamp) {
        let fetched = self.source.fetch().await;
        let issuer = &self.name;
        let now = self.clock.now();
        let mut state = self.state.lock();
        let was_away = state.away;
        state.away = fetched.is_err();
        if state.away {
            state.asked_at = Some(now);
        }
        match fetched {
            Ok(keys) => {
                state.held = Some(Held { keys: Arc::new(keys), at: began });
                if was_away {
                    tracing::info!(%issuer, "the issuer's keys are fetched again");
                }
            }
            // An outage is told once.
            Err(error) if was_away => tracing::debug!(%issuer, %error, "still no keys"),
            Err(error) => tracing::warn!(%issuer, %error, "the issuer's keys cannot be fetched"),
        }
    }
}

impl State {
    /// Takes times in the future, which a clock leaves behind that was put back, as now: otherwise keys would not age, and
    /// nobody would ask again, until it has caught up.
    fn follow_clock(&mut self, now: Timestamp) {
        if let Some(held) = &mut self.held {
            held.at = held.at.min(now);
        }
        self.asked_at = self.asked_at.filter(|at| *at <= now);
    }
}
