//! Telling the log what becomes of the keys: of what was asked for here, and of what is found.
//!
//! Keys are changed in their directory first and the log is told then, so the log may be away in between. What was asked for
//! is owed to it until it was told, under the request's own id and with who asked: by a repeat of the request, by the next
//! one, or by the next look, whichever comes first. So a repeat finds its request in the log, or owed, and nothing is done
//! twice.

use std::{fmt, sync::Arc, time::Duration};

use countersign_core::Chain;
use countersign_domain::keyring::{Command, Event, Observed};
use countersign_eventsourcing::Request;
use countersign_service::{ApiError, Foundation, keyring_stream, lifecycle::Lifecycle};
use tokio::sync::Mutex;

use super::{Keyring, refusal::rejected, unasked::unasked};

/// How often the keys are looked at. What is looked at is in memory, and the log is told only of what has changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long it is waited before the log is told again, if that failed.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Tells the log what becomes of the keys of one process.
pub(in crate::serve) struct Chronicle {
    foundation: Arc<Foundation>,
    keyring: Keyring,
    /// Held from looking until what follows from it is told, so that nothing is told as if somebody else had asked for it.
    told: Mutex<Told>,
}

/// What the log was told.
#[derive(Default)]
struct Told {
    /// The keys as they were then; `None` until it was told once.
    seen: Option<Observed>,
    owed: Option<Owed>,
}

/// What was asked for, and perhaps done, and not told yet.
struct Owed {
    asked: Asked,
    /// Whether the provider wrapped the ring anew, which the ring does not show.
    ring_rewrapped: bool,
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Who, and under which id.
    pub(super) request: Request,
    /// The RPC.
    pub(super) method: &'static str,
    /// Whether a repeat is told from another request: by its id, or by the keys that it goes out from.
    pub(super) is_guarded: bool,
    /// Whether the provider wraps the ring anew.
    pub(super) rewraps_ring: bool,
}

/// What came of it.
pub(super) enum Done<T> {
    /// It was done now.
    Now(T),
    /// It was done before, and these events came of it.
    Before(Vec<Event>),
}

impl fmt::Debug for Chronicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chronicle").field("keyring", &self.keyring).finish_non_exhaustive()
    }
}

impl Chronicle {
    pub(in crate::serve) fn new(foundation: Arc<Foundation>, keyring: Keyring) -> Self {
        Self { foundation, keyring, told: Mutex::default() }
    }

    /// Tells the log what is found, now and whenever something changes, until `lifecycle` stops. That the log is away keeps
    /// nobody from serving.
    pub(in crate::serve) fn keep(self: &Arc<Self>, lifecycle: &Lifecycle) {
        let chronicle = Arc::clone(self);
        lifecycle.spawn(async move {
            loop {
                let looked = chronicle.look(&mut *chronicle.told.lock().await).await;
                let pause = match looked {
                    Ok(()) => LOOK_EVERY,
                    Err(error) => {
                        let source =
                            error.source.as_deref().map(|source| Chain(source).to_string());
                        let why = source.unwrap_or(error.message);
                        tracing::warn!(
                            why,
                            "the log cannot be told of the keys; it is tried again"
                        );
                        TRY_AGAIN_AFTER
                    }
                };
                tokio::time::sleep(pause).await;
            }
        });
    }

    /// Does what was asked for by `act`, unless it was done before, and tells the log.
    pub(super) async fn carry_out<T>(
        &self,
        asked: Asked,
        act: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<Done<T>, ApiError> {
        let mut told = self.told.lock().await;
        let is_owed = told.owed.as_ref().is_some_and(|owed| owed.asked.method == asked.method);
        // What others did is told as theirs; and while the log is away, nothing is done that it would have to be told of.
        self.look(&mut told).await?;
        if let Some(events) = self.recall(&asked.request).await? {
            return Ok(Done::Before(events));
        }
        if is_owed && !asked.is_guarded {
            return Ok(Done::Before(Vec::new()));
        }
        // Owed before it is done: whoever asks may go away in the middle of it.
        let rewraps_ring = asked.rewraps_ring;
        let owed = told.owed.insert(Owed { asked, ring_rewrapped: false });
        match act.await {
            Ok(done) => {
                owed.ring_rewrapped = rewraps_ring;
                self.pay(&mut told).await.map_err(changed)?;
                Ok(Done::Now(done))
            }
            Err(error) => {
                told.owed = None;
                Err(error)
            }
        }
    }

    /// Returns the events that came of `request`, if it was told of.
    async fn recall(&self, request: &Request) -> Result<Option<Vec<Event>>, ApiError> {
        let (keyrings, stream) = (&self.foundation.keyrings, keyring_stream());
        let known = keyrings.load(&stream).await?;
        let recalled = keyrings.recall(&stream, &known, request).await;
        let recalled = recalled.map_err(|error| ApiError::from_execute(error, rejected))?;
        Ok(recalled.map(|first| first.events))
    }

    /// Tells of what is owed, and of what has changed besides.
    async fn look(&self, told: &mut Told) -> Result<(), ApiError> {
        self.pay(told).await?;
        let now = self.foundation.now();
        let seen = self.keyring.observed(now);
        let is_told =
            told.seen.as_ref().is_some_and(|told| seen == Observed { now, ..told.clone() });
        if !is_told {
            self.tell(&unasked(&self.foundation), seen.clone()).await?;
            told.seen = Some(seen);
        }
        Ok(())
    }

    /// Tells of what is owed.
    async fn pay(&self, told: &mut Told) -> Result<(), ApiError> {
        let Some(owed) = &told.owed else { return Ok(()) };
        let seen = self.keyring.observed(self.foundation.now());
        let provider = seen.provider.clone().filter(|_| owed.ring_rewrapped);
        let observed = Observed { ring_rewrapped: provider, ..seen.clone() };
        self.tell(&owed.asked.request, observed).await?;
        told.seen = Some(seen);
        told.owed = None;
        Ok(())
    }

    async fn tell(&self, request: &Request, observed: Observed) -> Result<(), ApiError> {
        let command = Command::Observe(Box::new(observed));
        let told = self.foundation.keyrings.execute(&keyring_stream(), request, command).await;
        told.map(drop).map_err(|error| ApiError::from_execute(error, rejected))
    }
}

/// Says that it was done, although the log was not told.
fn changed(error: ApiError) -> ApiError {
    let message =
        "the keys were changed, and the log could not be told: repeat with the same request_id";
    ApiError { message: message.to_owned(), ..error }.with("keys", "changed")
}

#[cfg(test)]
mod tests;
