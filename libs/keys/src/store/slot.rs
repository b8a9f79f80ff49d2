//! One slot of the data-key store.
//!
//! ```text
//! at    bytes
//! 0     1     state: 3C live, C3 erased. Four bits or more apart from each other and from 0
//! 1     3     0
//! 4     4     the first slot of those that were written and synced together
//! 8     16    user key
//! 24    16    owner: the beginning of the hash of the tenant
//! 40    4     CRC-32C of 1 to 40
//! 44    140   wrapped keys; 0 once erased
//! 184   4     CRC-32C of 4 to 184; 0 once erased
//! 188   67    0
//! 255   1     A5: written last, so that a slot without it was never finished          (numbers little-endian)
//! ```
//!
//! The state alone, which no checksum covers, tells that a key is erased: one byte reaches the disk or does not. The
//! rest is wiped after that, at the next start if need be.

use countersign_core::{TenantId, UserKey};

use crate::WRAPPED_LEN;

/// Slots do not lie across the borders of a disk's sectors.
pub(crate) const SLOT_LEN: usize = 256;
/// Where the state is.
pub(crate) const STATE_AT: u64 = 0;
pub(crate) const ERASED: u8 = 0xC3;
const LIVE: u8 = 0x3C;
const FINISHED: u8 = 0xA5;
/// Bytes between the checksum of the keys and the end.
const PADDING: usize = SLOT_LEN - (44 + WRAPPED_LEN + 4) - 1;

/// The beginning of the hash of a tenant's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner([u8; 16]);

impl Owner {
    pub(crate) fn of(tenant: &TenantId) -> Self {
        let hash = countersign_crypto::sha256(tenant.as_str().as_bytes());
        let mut owner = [0; 16];
        for (byte, hashed) in owner.iter_mut().zip(hash) {
            *byte = hashed;
        }
        Self(owner)
    }

    /// Returns what a user's data key is bound to when it is wrapped.
    pub(crate) fn associated(self, user: UserKey) -> Vec<u8> {
        [b"countersign data key".as_slice(), &self.0, user.as_bytes()].concat()
    }
}

/// A whole slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) user: UserKey,
    pub(crate) owner: Owner,
    /// The first slot of those that were written and synced together.
    pub(crate) batch: u32,
    pub(crate) content: Content,
}

/// What a slot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    /// A wrapped key.
    Key([u8; WRAPPED_LEN]),
    /// Nothing any more; without `wiped` the bytes of the key are still to be overwritten.
    Erased {
        /// Whether nothing is left of the key.
        wiped: bool,
    },
}

/// Why bytes are no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It was never written to its end.
    Unfinished,
    /// It was, and is not what was written.
    Damaged(&'static str),
}

impl Unreadable {
    pub(crate) const fn what(self) -> &'static str {
        match self {
            Self::Unfinished => "it is not whole",
            Self::Damaged(what) => what,
        }
    }
}

impl Slot {
    /// Returns what is left of the slot once it is erased.
    pub(crate) const fn tombstone(self) -> Self {
        Self { content: Content::Erased { wiped: true }, ..self }
    }

    pub(crate) fn encode(&self) -> [u8; SLOT_LEN] {
        let numbers = self.batch.to_le_bytes();
        let identity =
            [&[0; 3], &numbers[..], self.user.as_bytes().as_slice(), &self.owner.0].concat();
        let identity_checksum = crc32c::crc32c(&identity).to_le_bytes();
        let (state, wrapped) = match self.content {
            Content::Key(wrapped) => (LIVE, Some(wrapped)),
            Content::Erased { .. } => (ERASED, None),
        };
        let mut bytes = Vec::with_capacity(SLOT_LEN);
        bytes.push(state);
        bytes.extend_from_slice(&identity);
        bytes.extend_from_slice(&identity_checksum);
        if let Some(wrapped) = wrapped {
            bytes.extend_from_slice(&wrapped);
            let checksum = crc32c::crc32c(bytes.get(4..).unwrap_or_default());
            bytes.extend_from_slice(&checksum.to_le_bytes());
        }
        bytes.resize(SLOT_LEN - 1, 0);
        bytes.push(FINISHED);
        let mut slot = [0; SLOT_LEN];
        slot.copy_from_slice(&bytes);
        slot
    }

    pub(crate) fn parse(bytes: &[u8; SLOT_LEN]) -> Result<Self, Unreadable> {
        use Unreadable::{Damaged, Unfinished};
        match bytes.last() {
            Some(&FINISHED) => {}
            Some(0) | None => return Err(Unfinished),
            Some(_) => return Err(Damaged("its end is not one")),
        }
        let mut rest = bytes.as_slice();
        let parts = (|| {
            let state = take::<1>(&mut rest)?;
            let identity = rest.get(..39)?;
            let _zero = take::<3>(&mut rest)?;
            let batch = u32::from_le_bytes(take(&mut rest)?);
            let user = UserKey::new(take(&mut rest)?);
            let owner = Owner(take(&mut rest)?);
            let checksum = u32::from_le_bytes(take(&mut rest)?);
            Some((state, identity, batch, user, owner, checksum))
        })();
        let ([state], identity, batch, user, owner, checksum) = parts.ok_or(Unfinished)?;
        if crc32c::crc32c(identity) != checksum || !identity.starts_with(&[0; 3]) {
            return Err(Damaged("the checksum of its user is wrong"));
        }
        let content = match state {
            LIVE => {
                let checked = bytes.get(4..44 + WRAPPED_LEN).unwrap_or_default();
                let wrapped = take::<WRAPPED_LEN>(&mut rest).ok_or(Unfinished)?;
                let checksum = take(&mut rest).map(u32::from_le_bytes);
                if Some(crc32c::crc32c(checked)) != checksum {
                    return Err(Damaged("the checksum of its key is wrong"));
                }
                if take::<PADDING>(&mut rest) != Some([0; PADDING]) {
                    return Err(Damaged("it has bytes where there are none"));
                }
                Content::Key(wrapped)
            }
            ERASED => Content::Erased { wiped: rest.iter().rev().skip(1).all(|byte| *byte == 0) },
            _ => return Err(Damaged("its state is neither live nor erased")),
        };
        Ok(Self { user, owner, batch, content })
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk::<N>()?;
    *rest = left;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(content: Content) -> Slot {
        let owner = Owner::of(&TenantId::parse("acme").unwrap());
        Slot { user: UserKey::new([7; 16]), owner, batch: 3, content }
    }

    #[test]
    fn a_slot_can_be_read_again() {
        for content in [Content::Key([9; WRAPPED_LEN]), Content::Erased { wiped: true }] {
            let slot = slot(content);
            assert_eq!(Slot::parse(&slot.encode()), Ok(slot));
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_in_a_key_is_damage() {
        let whole = slot(Content::Key([9; WRAPPED_LEN])).encode();
        for bit in 0..SLOT_LEN * 8 {
            let mut bytes = whole;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Slot::parse(&bytes), Err(Unreadable::Damaged(_))), "bit {bit}");
        }
    }

    #[test]
    fn what_was_never_finished_is_no_damage() {
        let whole = slot(Content::Key([9; WRAPPED_LEN])).encode();
        for written in 0..SLOT_LEN {
            let mut bytes = whole;
            bytes[written..].fill(0);
            assert_eq!(Slot::parse(&bytes), Err(Unreadable::Unfinished), "{written} bytes");
        }
    }

    #[test]
    fn the_state_alone_erases() {
        let key = slot(Content::Key([9; WRAPPED_LEN]));
        let mut bytes = key.encode();
        bytes[0] = ERASED;
        assert_eq!(Slot::parse(&bytes), Ok(slot(Content::Erased { wiped: false })));
        // Wiping may stop anywhere.
        for wiped in 0..WRAPPED_LEN {
            let mut bytes = bytes;
            bytes[44..44 + wiped].fill(0);
            assert_eq!(Slot::parse(&bytes), Ok(slot(Content::Erased { wiped: false })));
        }
    }
}
