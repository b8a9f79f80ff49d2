//! Every user's secrets are sealed anew over the real server: while users enrol and prove themselves, through a kill, and where
//! replicas share the keys.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

mod command_line;
mod journey;
mod killed;
mod loaded;
mod replicas;

use std::time::{Duration, Instant};

use countersign_proto::keys::{
    BeginSecretRotationRequest, GetKeyringRequest, Keyring, SecretRotation,
};
use countersign_tests::Caller;
use tonic::Status;

/// How long anything may take: far longer than anything does, also where a killed replica's work is given to another one.
const PATIENCE: Duration = Duration::from_secs(180);

/// How long it is waited between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Asks for a rotation.
async fn begin(operator: &Caller, request_id: &str) -> Result<Keyring, Status> {
    let request = BeginSecretRotationRequest { request_id: request_id.to_owned() };
    let answer = operator.keys().begin_secret_rotation(request).await?;
    Ok(answer.into_inner().keyring.unwrap())
}

async fn rotation(operator: &Caller) -> Option<SecretRotation> {
    let response = operator.keys().get_keyring(GetKeyringRequest {}).await;
    response.unwrap().into_inner().keyring.unwrap().secret_rotation
}

/// Looks until the rotation is as it should be.
async fn until(operator: &Caller, wanted: impl Fn(&SecretRotation) -> bool) -> SecretRotation {
    let began = Instant::now();
    loop {
        let seen = rotation(operator).await;
        if let Some(seen) = seen.filter(&wanted) {
            return seen;
        }
        assert!(began.elapsed() < PATIENCE, "it stays so: {seen:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

fn is_complete(rotation: &SecretRotation) -> bool {
    rotation.completed_at.is_some()
}
