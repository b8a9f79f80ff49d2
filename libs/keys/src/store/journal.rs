//! Wrapping keys anew in their slots, so that a crash leaves every slot with the old key or the new one.
//!
//! ```text
//! new slots -> journal, sync -> into their places, sync -> journal wiped, sync
//!              from here on the next start completes it
//! ```
//!
//! The journal is the file `data-keys.rewrap`: magic, id of the store, count u32, then number u32 and slot of each, CRC-32C.
//! Only the wrapped key and its checksum are written into a slot's place, so whose it is and whether it is erased stay
//! readable whatever reaches the disk: what was erased is not brought back. While something is on its way from the journal
//! to the slots, readers are given what is in the journal.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use parking_lot::{Mutex, RwLock};

use super::{
    file::{ID_LEN, NAME, SlotFile},
    slot::{SLOT_LEN, Slot},
};
use crate::{WRAPPED_LEN, frame, frame::sync_directory};

const MAGIC: &[u8; 8] = b"CSGN-RWJ";
/// No batch comes near; a longer journal is none of ours.
const MAX_LEN: u64 = 1024 * 1024;
/// What stays as it is in a slot: state, user, owner.
pub(crate) const KEPT_LEN: usize = 44;
/// Where the wrapped key and its checksum end.
const KEY_END: usize = KEPT_LEN + WRAPPED_LEN + 4;

/// The bytes of slots by number.
type Slots = BTreeMap<u32, [u8; SLOT_LEN]>;

/// The journal, and what is on its way from it.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    /// On its way: in the journal on disk, perhaps not in its places yet.
    pending: RwLock<Slots>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    file: Option<File>,
    /// So many bytes of the file may not be 0.
    written: usize,
}

impl Journal {
    /// Reads what a crash left behind.
    pub(crate) fn open(directory: &Path, writable: bool, id: &[u8; ID_LEN]) -> io::Result<Self> {
        let path = directory.join(format!("{NAME}.rewrap"));
        let mut pending = Slots::new();
        let mut state = State { file: None, written: 0 };
        match OpenOptions::new().read(true).write(writable).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(file) => {
                let length = file.metadata()?.len().min(MAX_LEN);
                let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
                file.read_exact_at(&mut bytes, 0)?;
                pending = decode(&bytes, id).unwrap_or_default();
                state = State { written: bytes.len(), file: Some(file) };
            }
        }
        Ok(Self { path, pending: RwLock::new(pending), state: Mutex::new(state) })
    }

    /// Reads slots with `read`, and puts in place of each what is on its way to it.
    pub(crate) fn over(
        &self,
        first: u32,
        bytes: &mut [u8],
        read: impl FnOnce(&mut [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        // Held while they are read, so that nothing of them is half written.
        let pending = self.pending.read();
        read(bytes)?;
        if pending.is_empty() {
            return Ok(());
        }
        for (number, slot) in (first..).zip(bytes.as_chunks_mut::<SLOT_LEN>().0) {
            if let Some(new) = pending.get(&number)
                && slot.get(..KEPT_LEN) == new.get(..KEPT_LEN)
            {
                *slot = *new;
            }
        }
        Ok(())
    }
}

impl SlotFile {
    /// Writes wrapped keys into the places of others of the same users, all of them or none. After an error, either
    /// nothing was changed, or readers see all of it and [`complete_rewrap`](Self::complete_rewrap) completes it.
    pub(crate) fn rewrap(&self, slots: &[(u32, Slot)]) -> io::Result<()> {
        self.complete_rewrap()?;
        let slots: Slots = slots.iter().map(|(number, slot)| (*number, slot.encode())).collect();
        self.write_journal(&encode(&slots, self.id()))?;
        *self.journal.pending.write() = slots;
        self.complete_rewrap()
    }

    /// Completes what was begun, and sees to it that nothing is left in the journal.
    pub(crate) fn complete_rewrap(&self) -> io::Result<()> {
        let pending = self.journal.pending.read().clone();
        if !pending.is_empty() {
            for (number, slot) in &pending {
                self.replace_key(*number, slot)?;
            }
            self.sync()?;
        }
        self.wipe_journal()?;
        self.journal.pending.write().clear();
        Ok(())
    }

    /// Returns how many keys are on their way from the journal.
    pub(crate) fn unfinished_rewraps(&self) -> usize {
        self.journal.pending.read().len()
    }

    /// Takes the journal away.
    pub(crate) fn remove_journal(&self) -> io::Result<()> {
        self.complete_rewrap()?;
        let mut state = self.journal.state.lock();
        state.file = None;
        frame::remove_if_there(&self.journal.path)
    }

    fn replace_key(&self, number: u32, slot: &[u8; SLOT_LEN]) -> io::Result<()> {
        let mut there = [0; KEPT_LEN];
        match self.read_kept(number, &mut there) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            outcome => outcome?,
        }
        // Erased, or another store's.
        if Some(there.as_slice()) != slot.get(..KEPT_LEN) {
            return Ok(());
        }
        self.write_key(number, slot.get(KEPT_LEN..KEY_END).unwrap_or_default())
    }

    fn write_journal(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.journal.state.lock();
        if state.file.is_none() {
            let made = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&self.journal.path)?;
            sync_directory(self.journal.path.parent().unwrap_or(Path::new(".")))?;
            state.file = Some(made);
        }
        state.written = state.written.max(bytes.len());
        let Some(file) = &state.file else { return Ok(()) };
        let written = self.journal_bytes(file, bytes);
        drop(state);
        // A journal of which nobody knows whether it is there would be completed by the next start, or not.
        written.or_else(|error| self.wipe_journal().and(Err(error)))
    }

    fn wipe_journal(&self) -> io::Result<()> {
        let mut state = self.journal.state.lock();
        if let (Some(file), true) = (&state.file, state.written > 0) {
            self.journal_bytes(file, &vec![0; state.written])?;
            state.written = 0;
        }
        Ok(())
    }
}

fn encode(slots: &Slots, id: &[u8; ID_LEN]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(32 + slots.len() * (4 + SLOT_LEN));
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(id);
    bytes.extend_from_slice(&u32::try_from(slots.len()).unwrap_or(u32::MAX).to_le_bytes());
    for (number, slot) in slots {
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(slot);
    }
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    bytes
}

/// Reads a journal; `None` if it is not whole, wiped, or another store's.
fn decode(bytes: &[u8], id: &[u8; ID_LEN]) -> Option<Slots> {
    let rest = bytes.strip_prefix(MAGIC)?.strip_prefix(id)?;
    let (count, rest) = rest.split_first_chunk::<4>()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (entries, rest) = rest.split_at_checked(count.checked_mul(4 + SLOT_LEN)?)?;
    let checksum = rest.first_chunk::<4>()?;
    let checked = bytes.get(..bytes.len() - rest.len())?;
    if crc32c::crc32c(checked) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let mut slots = Slots::new();
    for entry in entries.as_chunks::<{ 4 + SLOT_LEN }>().0 {
        let (number, slot) = entry.split_first_chunk::<4>()?;
        slots.insert(u32::from_le_bytes(*number), <[u8; SLOT_LEN]>::try_from(slot).ok()?);
    }
    Some(slots)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: [u8; ID_LEN] = [5; ID_LEN];

    fn journal() -> (Slots, Vec<u8>) {
        let slots = Slots::from([(3, [1; SLOT_LEN]), (9, [2; SLOT_LEN])]);
        let bytes = encode(&slots, &ID);
        (slots, bytes)
    }

    #[test]
    fn a_journal_can_be_read_again_whatever_is_behind_it() {
        let (slots, bytes) = journal();
        assert_eq!(decode(&bytes, &ID), Some(slots.clone()));
        let longer = [bytes, vec![0; 300]].concat();
        assert_eq!(decode(&longer, &ID), Some(slots));
    }

    #[test]
    fn a_journal_that_is_cut_altered_wiped_or_anothers_is_none() {
        let (_, whole) = journal();
        for length in 0..whole.len() {
            assert_eq!(decode(&whole[..length], &ID), None, "{length} bytes");
            let mut half_wiped = whole.clone();
            half_wiped[..=length].fill(0);
            assert_eq!(decode(&half_wiped, &ID), None, "{length} bytes wiped");
        }
        for bit in 0..whole.len() * 8 {
            let mut altered = whole.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&altered, &ID), None, "bit {bit}");
        }
        assert_eq!(decode(&whole, &[6; ID_LEN]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(decode(&[&MAGIC[..], &ID, &bytes].concat(), &ID), None);
        }
    }
}
