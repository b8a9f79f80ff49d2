//! The keys at a server or here, with the same verbs for both.

use std::{error::Error, time::Duration};

use countersign_keys::{AssertionAlgorithm, KeyProviderChoice};
use countersign_proto::keys::{
    BeginKeyRotationRequest, BeginSecretRotationRequest, GetKeyringRequest, Keyring,
    RetireKeyVersionsRequest, RewrapKeyringRequest, RotateAssertionKeyRequest,
    key_service_client::KeyServiceClient,
};

use super::on_the_wire;
use crate::{
    World,
    cli::{Connection, Failure, connection::Service, fresh_request_id, global::Global},
    serve::{Config, OfflineKeys},
};

const ROTATING: &str = "rotating the key-encryption key";
const RETIRING: &str = "retiring versions of the key-encryption key";
const REWRAPPING: &str = "wrapping the ring anew";
const SIGNING: &str = "rotating the signing key";
const SEALING: &str = "sealing users' secrets anew";

/// The keys at a server or here.
pub(super) enum Keys {
    Online(Box<KeyServiceClient<Service>>),
    Offline(Box<OfflineKeys>),
}

/// Makes failures of what is done here.
pub(super) fn failed<E: Error + Send + Sync + 'static>(
    doing: &'static str,
) -> impl Fn(E) -> Failure {
    move |error| Failure::Log { doing, source: error.into() }
}

impl Keys {
    pub(super) async fn online(global: &Global) -> Result<Self, Failure> {
        Ok(Self::Online(Box::new(Connection::open(global).await?.keys())))
    }

    pub(super) async fn offline(config: &Config, world: World) -> Result<Self, Failure> {
        // What is written is for the owner's eyes only, as a server writes it.
        rustix::process::umask(rustix::fs::Mode::from_bits_truncate(0o077));
        let opened = OfflineKeys::open(config, world).await;
        let keys = opened.map_err(|source| Failure::Log { doing: "opening the keys", source })?;
        Ok(Self::Offline(Box::new(keys)))
    }

    pub(super) async fn shown(self) -> Result<Keyring, Failure> {
        match self {
            Self::Online(mut client) => {
                let answer = client.get_keyring(GetKeyringRequest {}).await;
                let answer = answer.map_err(Failure::refused("asking for the keys"))?;
                Ok(answer.into_inner().keyring.unwrap_or_default())
            }
            Self::Offline(keys) => Ok(keys.keyring.shown()),
        }
    }

    pub(super) async fn rotate(self) -> Result<Keyring, Failure> {
        match self {
            Self::Online(client) => {
                let seen = Self::Online(client.clone()).shown().await?;
                let request = BeginKeyRotationRequest {
                    request_id: fresh_request_id(),
                    newest_version: seen.versions.last().copied().unwrap_or_default(),
                };
                let answer = { client }.begin_key_rotation(request).await;
                let answer = answer.map_err(Failure::refused(ROTATING))?;
                Ok(answer.into_inner().keyring.unwrap_or_default())
            }
            Self::Offline(keys) => {
                keys.keyring.begin(None).await.map_err(failed(ROTATING))?;
                // Replicas need the ring before anything is wrapped under its new version.
                if keys.keyring.is_shared() {
                    return Ok(keys.keyring.shown());
                }
                Self::Offline(keys).run().await
            }
        }
    }

    /// Wraps everything anew, here.
    pub(super) async fn run(self) -> Result<Keyring, Failure> {
        let Self::Offline(keys) = self else {
            let what = "a server runs rotations by itself; --offline runs one without a server";
            return Err(Failure::Usage(what.to_owned()));
        };
        keys.keyring.run(|| false).await.map_err(failed(ROTATING))?;
        Ok(keys.keyring.shown())
    }

    pub(super) async fn retire(self) -> Result<Keyring, Failure> {
        match self {
            Self::Online(mut client) => {
                let request = RetireKeyVersionsRequest { request_id: fresh_request_id() };
                let answer = client.retire_key_versions(request).await;
                let answer = answer.map_err(Failure::refused(RETIRING))?;
                Ok(answer.into_inner().keyring.unwrap_or_default())
            }
            Self::Offline(keys) => {
                keys.keyring.retire().await.map_err(failed(RETIRING))?;
                Ok(keys.keyring.shown())
            }
        }
    }

    pub(super) async fn rewrap(self) -> Result<Keyring, Failure> {
        match self {
            Self::Online(mut client) => {
                let request = RewrapKeyringRequest { request_id: fresh_request_id() };
                let answer = client.rewrap_keyring(request).await;
                let answer = answer.map_err(Failure::refused(REWRAPPING))?;
                Ok(answer.into_inner().keyring.unwrap_or_default())
            }
            Self::Offline(keys) => {
                keys.keyring.rewrap().await.map_err(failed(REWRAPPING))?;
                Ok(keys.keyring.shown())
            }
        }
    }

    /// Gives the ring to another provider, here.
    pub(super) async fn move_to(self, to: &KeyProviderChoice) -> Result<Keyring, Failure> {
        let Self::Offline(keys) = self else {
            return Err(Failure::Usage("a ring is moved without a server".to_owned()));
        };
        keys.keyring.move_to(to).await.map_err(failed("moving the ring"))?;
        Ok(keys.keyring.shown())
    }

    pub(super) async fn rotate_assertion_key(
        self,
        algorithm: AssertionAlgorithm,
        overlap: prost_types::Duration,
    ) -> Result<Keyring, Failure> {
        match self {
            Self::Online(client) => {
                let seen = Self::Online(client.clone()).shown().await?;
                let newest = seen.assertion_keys.last();
                let request = RotateAssertionKeyRequest {
                    request_id: fresh_request_id(),
                    newest_kid: newest.map(|key| key.kid.clone()).unwrap_or_default(),
                    algorithm: on_the_wire(algorithm).into(),
                    overlap: Some(overlap),
                };
                let answer = { client }.rotate_assertion_key(request).await;
                let answer = answer.map_err(Failure::refused(SIGNING))?;
                Ok(answer.into_inner().keyring.unwrap_or_default())
            }
            Self::Offline(keys) => {
                let seconds = u64::try_from(overlap.seconds).unwrap_or_default();
                let overlap = Duration::from_secs(seconds);
                let rotated = keys.keyring.rotate_assertion_key(None, algorithm, overlap).await;
                rotated.map_err(failed(SIGNING))?;
                Ok(keys.keyring.shown())
            }
        }
    }

    /// Begins to seal every user's secrets anew, at a server.
    pub(super) async fn rotate_secrets(self) -> Result<Keyring, Failure> {
        let Self::Online(mut client) = self else {
            return Err(Failure::Usage("users' secrets are sealed anew by servers".to_owned()));
        };
        let request = BeginSecretRotationRequest { request_id: fresh_request_id() };
        let answer = client.begin_secret_rotation(request).await;
        let answer = answer.map_err(Failure::refused(SEALING))?;
        Ok(answer.into_inner().keyring.unwrap_or_default())
    }
}
