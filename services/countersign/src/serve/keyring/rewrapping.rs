//! Wrapping anew while the process serves, and tidying up after signing keys.

use std::time::Duration;

use countersign_core::Chain;
use countersign_keys::RotationError;
use countersign_service::lifecycle::Lifecycle;
use tokio_util::sync::CancellationToken;

use super::Keyring;

/// How often keys are looked after when nobody asks for it.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);

/// How long it is waited before what failed is tried again.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(10);

/// How long it is waited while somebody else rotates.
const BUSY_FOR: Duration = Duration::from_secs(1);

impl Keyring {
    /// Goes on with a rotation that is under way, now and whenever one is begun, until `lifecycle` stops. Keys that replicas
    /// share are looked after by commands.
    pub(in crate::serve) fn look_after(&self, lifecycle: &Lifecycle) {
        if self.is_shared() {
            return;
        }
        let (keyring, stop) = (self.clone(), lifecycle.stopping());
        lifecycle.spawn_to_its_end(async move { keyring.keep(stop).await });
    }

    async fn keep(&self, stop: CancellationToken) {
        loop {
            let pause = match self.tidy(&stop).await {
                Ok(()) => LOOK_EVERY,
                Err(RotationError::Busy) => BUSY_FOR,
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "keys cannot be looked after; it is tried again");
                    TRY_AGAIN_AFTER
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.inner.begun.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn tidy(&self, stop: &CancellationToken) -> Result<(), RotationError> {
        if self.has_older_versions() && !self.is_complete() {
            let version = self.newest_version();
            tracing::info!(version, "wrapping all keys anew");
            let progress = self.run(|| stop.is_cancelled()).await?;
            if self.is_complete() {
                let (version, keys) = (progress.version, progress.done);
                tracing::info!(version, keys, "all keys are wrapped anew");
            }
        }
        let removed = self.inner.rotation.remove_expired_assertion_keys().await?;
        if removed > 0 {
            tracing::info!(removed, "signing keys whose statements have expired are removed");
        }
        Ok(())
    }
}
