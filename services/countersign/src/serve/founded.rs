//! Telling the keys of an installation from another's, before anything is done with them.

use std::path::Path;

use anyhow::Context as _;
use countersign_core::Chain;
use countersign_domain::keyring::{Command, Rejection};
use countersign_eventsourcing::ExecuteError;
use countersign_service::{Foundation, keyring_stream};
use data_encoding::HEXLOWER;

use super::keyring::unasked;

/// What the fingerprint is a tag of; never changes.
const PURPOSE: &str = "keys of the installation";

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
    match foundation.keyrings.execute(&keyring_stream(), &unasked(foundation), command).await {
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
    let mut fingerprint = HEXLOWER.encode(&foundation.vault.tag(PURPOSE, b""));
    fingerprint.truncate(16);
    fingerprint.into()
}
