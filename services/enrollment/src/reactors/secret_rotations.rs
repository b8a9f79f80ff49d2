//! Seals every user's secrets anew when somebody asked for it.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use countersign_core::Timestamp;
use countersign_domain::keyring::{Command, Keyring, Rejection, SecretRotation};
use countersign_eventsourcing::{
    Decider as _, Filter, Metadata, Poison, Reactor, RecordedEvent, Request, Source,
};
use countersign_service::{ApiError, Foundation, PassedOver, Reason, keyring_stream};
use tokio_util::sync::CancellationToken;

use super::unfinished;
use crate::app::RotateSecrets;

/// How often the log is told how far a rotation has come, by the clock of the installation. Seldom: the stream remembers so many
/// requests and no more.
const TELL_EVERY: Duration = Duration::from_secs(30);

/// Follows `SecretRotationBegun`, and seals every user's secrets anew. Seeing an event again goes on with those who are left.
#[derive(Debug)]
pub struct SecretRotations {
    foundation: Arc<Foundation>,
    stop: CancellationToken,
    passed_over: PassedOver,
}

impl SecretRotations {
    /// Makes the reactor over a foundation; it comes to a halt soon after `stop`, and goes on at the next start.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>, stop: CancellationToken) -> Self {
        Self { foundation, stop, passed_over: PassedOver::default() }
    }

    /// Returns what was passed over because it cannot be acted upon.
    #[must_use]
    pub const fn passed_over(&self) -> &PassedOver {
        &self.passed_over
    }

    async fn rotate(&self, event: &RecordedEvent) -> Result<(), ApiError> {
        let Some(SecretRotation { rotation, .. }) = self.under_way().await? else { return Ok(()) };
        tracing::info!(rotation, "sealing all users' secrets anew");
        let Metadata { requester, correlation_id, .. } = &event.event.metadata;
        let asked = RotateSecrets {
            rotation,
            requester: Arc::clone(requester),
            correlation_id: *correlation_id,
        };
        let mut rotating = asked.begin(&self.foundation).await?;
        let mut told_at = self.foundation.now();
        while rotating.step().await? {
            if self.stop.is_cancelled() {
                let message = "the service stops; the rotation goes on when it starts again";
                return Err(ApiError::with_message(Reason::Contended, message));
            }
            let now = self.foundation.now();
            if is_due(told_at, now) {
                told_at = now;
                let (users_done, users_total) = (rotating.users_done, rotating.users_total);
                let note = Command::NoteSecretRotation { rotation, users_done, users_total };
                self.execute(event, note).await?;
            }
        }
        let (users, secrets, now) = (rotating.users, rotating.secrets, self.foundation.now());
        let complete = Command::CompleteSecretRotation { rotation, users, secrets, now };
        self.execute(event, complete).await?;
        tracing::info!(rotation, users, secrets, "all users' secrets are sealed anew");
        Ok(())
    }

    async fn under_way(&self) -> Result<Option<SecretRotation>, ApiError> {
        let keyring = self.foundation.keyrings.load(&keyring_stream()).await?;
        let known = keyring.state.secret_rotation().copied();
        Ok(known.filter(|rotation| rotation.completed_at.is_none()))
    }

    async fn execute(&self, event: &RecordedEvent, command: Command) -> Result<(), ApiError> {
        let command_id = self.foundation.new_id();
        let metadata = &event.event.metadata;
        let request = Request {
            command_id,
            metadata: Metadata {
                recorded_at: self.foundation.now(),
                causation_id: event.event.id,
                request_digest: 0,
                ..metadata.clone()
            },
        };
        let executed = self.foundation.keyrings.execute(&keyring_stream(), &request, command).await;
        let unexpected = |rejection: Rejection| ApiError::internal(rejection);
        executed.map(drop).map_err(|error| ApiError::from_execute(error, unexpected))
    }
}

/// Says whether it is time to tell. A clock that was set back must not put it off.
fn is_due(told_at: Timestamp, now: Timestamp) -> bool {
    now < told_at || now.since(told_at) >= TELL_EVERY
}

#[async_trait]
impl Reactor for SecretRotations {
    fn name(&self) -> &'static str {
        "secret-rotations.1"
    }

    fn filter(&self) -> Filter {
        Filter {
            event_types: vec!["SecretRotationBegun".to_owned()],
            ..Filter::category(Keyring::CATEGORY)
        }
    }

    async fn react(&self, event: &RecordedEvent) -> Result<(), Source> {
        // It begins again at this event.
        self.rotate(event).await.map_err(unfinished)
    }

    async fn poisoned(&self, poison: &Poison) {
        self.passed_over.note_poison(self.name(), poison);
    }
}
