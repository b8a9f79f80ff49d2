//! The keys of one user, which are wrapped together, so that they come and go as one.
//!
//! ```text
//! at    bytes
//! 0     32    data key: seals what stays, for as long as the user does
//! 32    4     generation of the secrets key, from 1 (little-endian)
//! 36    32    secrets key: seals what factors keep
//! 68    32    secrets key of the next generation; 0 while there is none
//! ```
//!
//! The secrets key is exchanged while the user signs in: a next one comes beside it (*begin*), the secrets are sealed anew
//! in the log, then the former one goes (*end*), and what it sealed opens never again. The data key stays, so the rest of
//! the log stays readable.

use countersign_core::{Rng, TenantId};
use countersign_crypto::DataKey;
use zeroize::Zeroizing;

use crate::VaultError;

/// Length of a user's keys in bytes.
pub(crate) const USER_KEYS_LEN: usize = 32 + 4 + 32 + 32;

const NO_KEY: [u8; 32] = [0; 32];

/// The keys of one user.
#[derive(Clone, Debug)]
pub(crate) struct UserKeys {
    data: DataKey,
    generation: u32,
    secrets: DataKey,
    next: Option<DataKey>,
}

/// The keys of one user and whose tenant the user is of.
#[derive(Debug)]
pub(crate) struct OwnedKeys {
    pub(crate) tenant: TenantId,
    pub(crate) keys: UserKeys,
}

/// A step of exchanging a user's secrets key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exchange {
    /// Puts a next key beside that of generation `of`.
    Begin {
        /// The generation that secrets are under.
        of: u32,
    },
    /// Lets the key before generation `keep` go.
    End {
        /// The generation that secrets are under.
        keep: u32,
    },
}

impl UserKeys {
    pub(crate) fn generate(rng: &dyn Rng) -> Self {
        let (data, secrets) = (DataKey::generate(rng), DataKey::generate(rng));
        Self { data, generation: 1, secrets, next: None }
    }

    pub(crate) fn to_bytes(&self) -> Zeroizing<[u8; USER_KEYS_LEN]> {
        let mut bytes = Zeroizing::new([0; USER_KEYS_LEN]);
        let next = self.next.as_ref().map_or(&NO_KEY, DataKey::expose);
        let generation = self.generation.to_le_bytes();
        let parts = [&self.data.expose()[..], &generation, self.secrets.expose(), next];
        for (byte, part) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *byte = *part;
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) made; `None` if it is something else.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (data, rest) = bytes.split_first_chunk::<32>()?;
        let (generation, rest) = rest.split_first_chunk::<4>()?;
        let (secrets, rest) = rest.split_first_chunk::<32>()?;
        let next = <&[u8; 32]>::try_from(rest).ok()?;
        let generation = u32::from_le_bytes(*generation);
        (generation > 0).then(|| Self {
            data: DataKey::from_bytes(*data),
            generation,
            secrets: DataKey::from_bytes(*secrets),
            next: (*next != NO_KEY).then(|| DataKey::from_bytes(*next)),
        })
    }

    /// Returns the key that seals what stays.
    pub(crate) const fn data(&self) -> &DataKey {
        &self.data
    }

    /// Returns the key of a generation, if it is there.
    pub(crate) fn secrets(&self, generation: u32) -> Option<&DataKey> {
        if generation == self.generation {
            return Some(&self.secrets);
        }
        self.next.as_ref().filter(|_| Some(generation) == self.generation.checked_add(1))
    }

    /// Returns whether these are the user's keys after steps from `older`, or the same.
    pub(crate) fn supersede(&self, older: &Self) -> bool {
        let known = self.secrets(older.generation);
        self.data.expose() == older.data.expose()
            && self.generation >= older.generation
            && known.is_none_or(|key| key.expose() == older.secrets.expose())
    }

    /// Returns the keys after a step; `None` if they are so already.
    pub(crate) fn after(
        &self,
        exchange: Exchange,
        rng: &dyn Rng,
    ) -> Result<Option<Self>, VaultError> {
        match exchange {
            Exchange::Begin { of } if of != self.generation => Err(VaultError::Superseded),
            Exchange::Begin { .. } if self.next.is_some() => Ok(None),
            Exchange::Begin { .. } => {
                Ok(Some(Self { next: Some(DataKey::generate(rng)), ..self.clone() }))
            }
            // Whoever is late must not let go of what others are about to use.
            Exchange::End { keep } if keep <= self.generation => Ok(None),
            Exchange::End { keep } => {
                let secrets = self.secrets(keep).cloned().ok_or(VaultError::Superseded)?;
                Ok(Some(Self { generation: keep, secrets, next: None, ..self.clone() }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    // By name: the prelude has another `Rng`.
    use countersign_core::Rng;
    use proptest::prelude::*;

    use super::*;

    /// Never the same twice.
    #[derive(Default)]
    struct Counting(AtomicU64);

    impl Rng for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            let count = self.0.fetch_add(1, Ordering::Relaxed);
            bytes.copy_from_slice(&countersign_crypto::sha256(&count.to_le_bytes()));
        }
    }

    fn rng() -> Counting {
        Counting::default()
    }

    fn exposed(key: Option<&DataKey>) -> Option<[u8; 32]> {
        key.map(|key| *key.expose())
    }

    #[test]
    fn keys_can_be_read_again() {
        let first = UserKeys::generate(&rng());
        let second = first.after(Exchange::Begin { of: 1 }, &rng()).unwrap().unwrap();
        for keys in [first, second] {
            let read = UserKeys::from_bytes(&*keys.to_bytes()).unwrap();
            assert_eq!(read.data().expose(), keys.data().expose());
            for generation in 0..4 {
                assert_eq!(exposed(read.secrets(generation)), exposed(keys.secrets(generation)));
            }
            assert_eq!(read.to_bytes(), keys.to_bytes());
        }
    }

    #[test]
    fn an_exchange_keeps_the_data_key_and_ends_with_another_secrets_key() {
        let rng = rng();
        let before = UserKeys::generate(&rng);
        let during = before.after(Exchange::Begin { of: 1 }, &rng).unwrap().unwrap();
        // Whoever goes on after a crash is given the same key.
        assert!(during.after(Exchange::Begin { of: 1 }, &rng).unwrap().is_none());
        let [former, next] = [1, 2].map(|generation| exposed(during.secrets(generation)));
        assert_eq!(former, exposed(before.secrets(1)));
        assert!(next.is_some() && next != former);
        let after = during.after(Exchange::End { keep: 2 }, &rng).unwrap().unwrap();
        assert_eq!(
            [1, 2, 3].map(|generation| exposed(after.secrets(generation))),
            [None, next, None]
        );
        assert_eq!(after.data().expose(), before.data().expose());
        assert!(after.after(Exchange::End { keep: 2 }, &rng).unwrap().is_none());
    }

    #[test]
    fn later_keys_supersede_earlier_ones_and_no_others() {
        let rng = rng();
        let one = UserKeys::generate(&rng);
        let two = one.after(Exchange::Begin { of: 1 }, &rng).unwrap().unwrap();
        let three = two.after(Exchange::End { keep: 2 }, &rng).unwrap().unwrap();
        let steps = [&one, &two, &three];
        for (at, keys) in steps.iter().enumerate() {
            for older in steps.iter().take(at + 1) {
                assert!(keys.supersede(older));
            }
            assert!(!keys.supersede(&UserKeys::generate(&rng)));
        }
        assert!(!one.supersede(&three));
        let secrets = DataKey::generate(&rng);
        assert!(!one.supersede(&UserKeys { secrets, ..one.clone() }));
    }

    #[test]
    fn whoever_is_late_changes_nothing() {
        let rng = rng();
        let mut keys = UserKeys::generate(&rng);
        for of in 1..4 {
            keys = keys.after(Exchange::Begin { of }, &rng).unwrap().unwrap();
            keys = keys.after(Exchange::End { keep: of + 1 }, &rng).unwrap().unwrap();
        }
        keys = keys.after(Exchange::Begin { of: 4 }, &rng).unwrap().unwrap();
        for late in 0..4 {
            assert!(matches!(
                keys.after(Exchange::Begin { of: late }, &rng),
                Err(VaultError::Superseded)
            ));
            assert!(keys.after(Exchange::End { keep: late + 1 }, &rng).unwrap().is_none());
        }
        // Nor whoever is ahead of what is here.
        assert!(keys.after(Exchange::End { keep: 6 }, &rng).is_err());
        assert!(keys.secrets(4).is_some() && keys.secrets(5).is_some());
    }

    proptest! {
        #[test]
        fn any_bytes_are_keys_or_none(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            if let Some(keys) = UserKeys::from_bytes(&bytes) {
                prop_assert_eq!(&keys.to_bytes()[..], &*bytes);
            }
        }
    }
}
