//! Telling the keys of an installation from another's, before anything is done with them.

use std::path::Path;

use anyhow::Context as _;
use countersign_core::Chain;
use countersign_domain::keyring::{Command, Rejection};
use countersign_eventsourcing::{ExecuteError, Metadata, Request};
use countersign_service::{Foundation, keyring_stream};

/// What the fingerprint is a tag of; never changes.
const PURPOSE: &str = "keys of the installation";

/// Who tells of keys for the first time.
const REQUESTER: &str = "service:keys";

/// Refuses keys that are not those which the log was written with: under others it would be as if nobody had ever enrolled.
pub(super) async fn must_be_its_own(
    foundation: &Foundation,
    keys_dir: &Path,
) -> anyhow::Result<()> {
    let fingerprint = fingerprint(foundation);
    let known = foundation.keyrings.load(&keyring_stream()).await;
    let known = known.context("what the log tells of its keys cannot be read")?;
    if known.state.fingerprint() == Some(&*fingerprint) {
        return Ok(());
    }
    let command = Command::Found { fingerprint, now: foundation.now() };
    match foundation.keyrings.execute(&keyring_stream(), &request(foundation), command).await {
        Ok(_) => Ok(()),
        Err(ExecuteError::Rejected(Rejection::OtherKeys)) => anyhow::bail!(
            "the keys in {} are another installation's, not those that the event log was written with: restore the two from \
             the same time and place; nothing was changed",
            keys_dir.display()
        ),
        // The keys are not known to be wrong: whoever starts next tells of them.
        Err(error) => {
            tracing::warn!(error = %Chain(&error), "the log cannot be told whose keys these are");
            Ok(())
        }
    }
}

/// Returns what tells the index key from another: 64 bits of a keyed hash, which give nothing away.
fn fingerprint(foundation: &Foundation) -> Box<str> {
    let tag = foundation.vault.tag(PURPOSE, b"");
    tag.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

fn request(foundation: &Foundation) -> Request {
    let command_id = foundation.new_id();
    let metadata = Metadata {
        recorded_at: foundation.now(),
        correlation_id: command_id,
        causation_id: command_id,
        requester: REQUESTER.into(),
        traceparent: "".into(),
        request_digest: 0,
    };
    Request { command_id, metadata }
}
