//! The installation's own keys over the real server: rotated while users are served, through a kill, by another provider, and
//! where replicas share them.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed test says so by panicking"
)]

mod killed;
mod offline;
mod providers;
mod replicas;
mod serving;
mod statements;
mod told;

use std::time::{Duration, Instant};

use countersign_proto::keys::{
    BeginKeyRotationRequest, GetKeyringRequest, Keyring, RetireKeyVersionsRequest,
};
use countersign_tests::Caller;
use tonic::Status;

/// How long anything may take: far longer than anything does.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it is waited between two looks.
const PAUSE: Duration = Duration::from_millis(5);

async fn keyring(operator: &Caller) -> Keyring {
    let response = operator.keys().get_keyring(GetKeyringRequest {}).await;
    response.unwrap().into_inner().keyring.unwrap()
}

/// Looks at the keys until they are as they should be.
async fn until(operator: &Caller, wanted: impl Fn(&Keyring) -> bool) -> Keyring {
    let began = Instant::now();
    loop {
        let seen = keyring(operator).await;
        if wanted(&seen) {
            return seen;
        }
        assert!(began.elapsed() < PATIENCE, "they stay so: {seen:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

fn is_complete(keyring: &Keyring) -> bool {
    keyring.rewrapping.as_ref().is_some_and(|rewrapping| rewrapping.complete)
}

/// Begins a rotation of the key-encryption key.
async fn begin(operator: &Caller, newest_version: u32) -> Result<Keyring, Status> {
    let request = BeginKeyRotationRequest { newest_version, ..Default::default() };
    let answer = operator.keys().begin_key_rotation(request).await?;
    Ok(answer.into_inner().keyring.unwrap())
}

/// Retires the older versions.
async fn retire(operator: &Caller) -> Result<Vec<u32>, Status> {
    let request = RetireKeyVersionsRequest::default();
    Ok(operator.keys().retire_key_versions(request).await?.into_inner().retired)
}
