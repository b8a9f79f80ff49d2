//! The signing keys as they lie in their file, before they are wrapped.
//!
//! ```text
//! format 1    algorithm u8, PKCS#8: one key, which signs and is published for ever
//! format 2    count u8, and for every key: algorithm u8, signs from i64, published until i64, length u16, PKCS#8
//!             (little-endian; microseconds since 1970; the greatest number is never)
//! ```

use std::sync::Arc;

use countersign_core::{SecretBytes, Timestamp};
use zeroize::Zeroizing;

use super::{AssertionAlgorithm, AssertionKey};

/// The end of a key that has none yet.
pub(crate) const NEVER: Timestamp = Timestamp::from_unix_micros(i64::MAX);

/// A signing key with its times and its document.
#[derive(Clone, Debug)]
pub(crate) struct HeldKey {
    pub(crate) key: Arc<AssertionKey>,
    /// Kept to be written again.
    pub(crate) document: SecretBytes,
    pub(crate) algorithm: AssertionAlgorithm,
    pub(crate) signs_from: Timestamp,
    pub(crate) published_until: Timestamp,
}

impl HeldKey {
    pub(crate) fn new(
        algorithm: AssertionAlgorithm,
        document: SecretBytes,
        signs_from: Timestamp,
        published_until: Timestamp,
    ) -> Option<Self> {
        let key = AssertionKey::from_pkcs8(algorithm, document.expose()).ok()?;
        Some(Self { key: Arc::new(key), document, algorithm, signs_from, published_until })
    }
}

/// Returns the content of a file of the newest format.
pub(crate) fn encode(keys: &[HeldKey]) -> SecretBytes {
    let length = keys.iter().map(|key| 19 + key.document.expose().len()).sum::<usize>();
    let mut bytes = Zeroizing::new(Vec::with_capacity(1 + length));
    bytes.push(u8::try_from(keys.len()).unwrap_or(u8::MAX));
    for key in keys {
        let document = key.document.expose();
        bytes.push(key.algorithm.byte());
        bytes.extend_from_slice(&key.signs_from.unix_micros().to_le_bytes());
        bytes.extend_from_slice(&key.published_until.unix_micros().to_le_bytes());
        bytes.extend_from_slice(&u16::try_from(document.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend_from_slice(document);
    }
    SecretBytes::new(std::mem::take(&mut *bytes))
}

/// Reads the content of a file; `None` if it holds no keys, or anything else.
pub(crate) fn decode(format: u16, content: &[u8]) -> Option<Vec<HeldKey>> {
    let (first, mut rest) = content.split_first()?;
    if format == 1 {
        let algorithm = AssertionAlgorithm::of(*first)?;
        let document = SecretBytes::new(rest.to_vec());
        return Some(vec![HeldKey::new(algorithm, document, Timestamp::EPOCH, NEVER)?]);
    }
    let mut keys = Vec::with_capacity((*first).into());
    for _ in 0..*first {
        let [algorithm] = take(&mut rest)?;
        let algorithm = AssertionAlgorithm::of(algorithm)?;
        let signs_from = Timestamp::from_unix_micros(i64::from_le_bytes(take(&mut rest)?));
        let published_until = Timestamp::from_unix_micros(i64::from_le_bytes(take(&mut rest)?));
        let length = u16::from_le_bytes(take(&mut rest)?);
        let (document, left) = rest.split_at_checked(length.into())?;
        rest = left;
        let document = SecretBytes::new(document.to_vec());
        keys.push(HeldKey::new(algorithm, document, signs_from, published_until)?);
    }
    (rest.is_empty() && !keys.is_empty()).then_some(keys)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn held(algorithm: AssertionAlgorithm, from: i64, until: Timestamp) -> HeldKey {
        let document = AssertionKey::generate(algorithm).unwrap();
        HeldKey::new(algorithm, document, Timestamp::from_unix_seconds(from), until).unwrap()
    }

    #[test]
    fn keys_can_be_read_again() {
        let keys = [
            held(AssertionAlgorithm::Es256, 0, Timestamp::from_unix_seconds(9)),
            held(AssertionAlgorithm::EdDsa, 7, NEVER),
        ];
        let read = decode(2, encode(&keys).expose()).unwrap();
        let seen = |keys: &[HeldKey]| -> Vec<_> {
            let seen = |key: &HeldKey| {
                (key.key.kid().to_owned(), key.signs_from, key.published_until, key.algorithm)
            };
            keys.iter().map(seen).collect()
        };
        assert_eq!(seen(&read), seen(&keys));
    }

    #[test]
    fn the_one_key_of_the_first_format_signs_for_ever() {
        let document = AssertionKey::generate(AssertionAlgorithm::Es256).unwrap();
        let content = [&[1], document.expose()].concat();
        let keys = decode(1, &content).unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!((keys[0].signs_from, keys[0].published_until), (Timestamp::EPOCH, NEVER));
    }

    #[test]
    fn what_is_cut_or_too_long_or_empty_is_refused() {
        let whole = encode(&[held(AssertionAlgorithm::EdDsa, 7, NEVER)]);
        for length in 0..whole.expose().len() {
            assert!(decode(2, &whole.expose()[..length]).is_none(), "{length} bytes");
        }
        assert!(decode(2, &[whole.expose(), &[0]].concat()).is_none());
        assert!(decode(2, &[0]).is_none());
        assert!(decode(1, &[3, 1, 2]).is_none());
    }

    proptest! {
        #[test]
        fn any_bytes_are_keys_or_refused(
            format in 1..=2_u16,
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            prop_assert!(decode(format, &bytes).is_none());
        }
    }
}
