//! Samples of what becomes of the installation's own keys.

use countersign_domain::keyring::{
    AssertionKeyPublished, AssertionKeysWithdrawn, Event, KeyProviderChanged, KeyVersionAdded,
    KeyVersionsRetired, KeyringRewrapped, KeysFounded, KeysRewrapped, SecretRotationAdvanced,
    SecretRotationBegun, SecretRotationCompleted,
};

use crate::samples::at;

const KID: &str = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";

pub(crate) fn keyring() -> Vec<Event> {
    use Event as E;
    let (rotation, seen_at) = (3, at(9));
    vec![
        E::KeysFounded(KeysFounded { fingerprint: "0f1e2d3c4b5a6978".into(), seen_at }),
        E::KeyVersionAdded(KeyVersionAdded { version: 300, seen_at }),
        E::KeysRewrapped(KeysRewrapped { version: 300, keys: 70_000, seen_at }),
        E::KeyVersionsRetired(KeyVersionsRetired { versions: vec![1, 299], seen_at }),
        E::KeyringRewrapped(KeyringRewrapped { provider: "vault".into(), seen_at }),
        E::KeyProviderChanged(KeyProviderChanged { provider: "aws".into(), seen_at }),
        E::AssertionKeyPublished(AssertionKeyPublished {
            kid: KID.into(),
            algorithm: "EdDSA".into(),
            signs_from: Some(at(86_400)),
            seen_at,
        }),
        E::AssertionKeysWithdrawn(AssertionKeysWithdrawn {
            kids: vec![KID.into(), "another".into()],
            seen_at,
        }),
        E::SecretRotationBegun(SecretRotationBegun { rotation, begun_at: at(0) }),
        E::SecretRotationAdvanced(SecretRotationAdvanced {
            rotation,
            users_done: 4_000,
            users_total: 70_000,
        }),
        E::SecretRotationCompleted(SecretRotationCompleted {
            rotation,
            users: 70_000,
            secrets: 90_000,
            completed_at: at(99),
        }),
    ]
}
