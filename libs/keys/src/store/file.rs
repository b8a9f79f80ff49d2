//! The file of slots: what is read from it and written to it, and nothing about what that means.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
};

use countersign_core::Rng;

use super::{
    journal::{Journal, KEPT_LEN},
    slot::{ERASED, SLOT_LEN, STATE_AT, Slot},
};
use crate::{KeyProblem, OpenError, frame};

pub(crate) const NAME: &str = "data-keys";
const MAGIC: &[u8; 8] = b"CSGNKEYS";
const FORMAT: u16 = 2;
/// The header takes the place of a slot: magic, format u16, length of a slot u16, id of the store, CRC-32C, 0s.
const HEADER_LEN: usize = SLOT_LEN;
/// Length of a store's id.
pub(crate) const ID_LEN: usize = 16;

/// The data-key store's file.
#[derive(Debug)]
pub(crate) struct SlotFile {
    file: File,
    path: PathBuf,
    id: [u8; ID_LEN],
    pub(super) journal: Journal,
    #[cfg(test)]
    pub(crate) faults: super::faults::Faults,
}

impl SlotFile {
    /// Makes an empty store with a random id.
    pub(crate) fn create(directory: &Path, rng: &dyn Rng) -> Result<(), OpenError> {
        Self::create_as(directory, new_id(rng))
    }

    /// Makes an empty store with the id of another, whose keys it takes over.
    pub(crate) fn create_as(directory: &Path, id: [u8; ID_LEN]) -> Result<(), OpenError> {
        let mut header = Vec::with_capacity(HEADER_LEN);
        header.extend_from_slice(MAGIC);
        header.extend_from_slice(&FORMAT.to_le_bytes());
        header.extend_from_slice(&u16::try_from(SLOT_LEN).unwrap_or(u16::MAX).to_le_bytes());
        header.extend_from_slice(&id);
        let checksum = crc32c::crc32c(&header);
        header.extend_from_slice(&checksum.to_le_bytes());
        header.resize(HEADER_LEN, 0);
        frame::put(directory, NAME, &header).map_err(OpenError::io(directory.join(NAME)))
    }

    /// Opens the store and reads its header.
    pub(crate) fn open(directory: &Path, writable: bool) -> Result<Self, OpenError> {
        let path = directory.join(NAME);
        let file = OpenOptions::new().read(true).write(writable).open(&path);
        let file = file.map_err(OpenError::io(&path))?;
        let mut header = [0; HEADER_LEN];
        match file.read_exact_at(&mut header, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            outcome => outcome.map_err(OpenError::io(&path))?,
        }
        let id = read_header(&path, &header)?;
        let journal = Journal::open(directory, writable, &id).map_err(OpenError::io(&path))?;
        Ok(Self {
            journal,
            file,
            path,
            id,
            #[cfg(test)]
            faults: super::faults::Faults::default(),
        })
    }

    pub(crate) const fn id(&self) -> &[u8; ID_LEN] {
        &self.id
    }

    /// Names a slot for people.
    pub(crate) fn place(&self, slot: u32) -> String {
        format!("{} slot {slot} (byte {})", self.path.display(), offset(slot))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns how many bytes of slots there are, whole or not.
    pub(crate) fn slot_bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len().saturating_sub(HEADER_LEN as u64))
    }

    /// Reads slots from `first` on.
    pub(crate) fn read(&self, first: u32, bytes: &mut [u8]) -> io::Result<()> {
        self.journal.over(first, bytes, |bytes| self.file.read_exact_at(bytes, offset(first)))
    }

    /// Reads what stays as it is in a slot when its key is wrapped anew.
    pub(super) fn read_kept(&self, slot: u32, bytes: &mut [u8; KEPT_LEN]) -> io::Result<()> {
        self.file.read_exact_at(bytes, offset(slot))
    }

    /// Writes a wrapped key and its checksum into a slot.
    pub(super) fn write_key(&self, slot: u32, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes, offset(slot) + KEPT_LEN as u64)
    }

    /// Writes the beginning of the journal, and waits until it is on disk.
    pub(super) fn journal_bytes(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        #[cfg(test)]
        let bytes = self.faults.before_journal(file, bytes)?;
        file.write_all_at(bytes, 0)?;
        #[cfg(test)]
        self.faults.before_journal_sync()?;
        file.sync_data()
    }

    /// Writes slots from `first` on, at the end of the file, and waits until they are on disk.
    pub(crate) fn append(&self, first: u32, bytes: &[u8]) -> io::Result<()> {
        self.write(bytes, offset(first))?;
        self.sync()
    }

    /// Cuts off what is behind `slots` slots.
    pub(crate) fn cut(&self, slots: u32) -> io::Result<()> {
        #[cfg(test)]
        self.faults.before_cut()?;
        self.file.set_len(offset(slots))
    }

    /// Says in one byte that a slot is erased.
    pub(crate) fn mark_erased(&self, slot: u32) -> io::Result<()> {
        self.write(&[ERASED], offset(slot) + STATE_AT)
    }

    /// Writes a slot again.
    pub(crate) fn overwrite(&self, number: u32, slot: &Slot) -> io::Result<()> {
        self.write(&slot.encode(), offset(number))
    }

    /// Waits until all that was written is on disk.
    pub(crate) fn sync(&self) -> io::Result<()> {
        #[cfg(test)]
        self.faults.before_sync()?;
        self.file.sync_data()
    }

    fn write(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        #[cfg(test)]
        let bytes = self.faults.before_write(&self.file, bytes, at)?;
        self.file.write_all_at(bytes, at)
    }
}

/// Draws the id of a new store.
pub(crate) fn new_id(rng: &dyn Rng) -> [u8; ID_LEN] {
    let mut id = [0; ID_LEN];
    rng.fill(&mut id);
    id
}

fn offset(slot: u32) -> u64 {
    HEADER_LEN as u64 + u64::from(slot) * SLOT_LEN as u64
}

fn read_header(path: &Path, header: &[u8; HEADER_LEN]) -> Result<[u8; ID_LEN], OpenError> {
    let damaged = |what| OpenError::Damaged(KeyProblem::new(path.display().to_string(), what));
    let parts = (|| {
        let (magic, rest) = header.split_first_chunk::<8>()?;
        let (format, rest) = rest.split_first_chunk::<2>()?;
        let (slot_len, rest) = rest.split_first_chunk::<2>()?;
        let (id, rest) = rest.split_first_chunk::<ID_LEN>()?;
        let (checksum, _) = rest.split_first_chunk::<4>()?;
        let checked = header.get(..12 + ID_LEN)?;
        let numbers = [format, slot_len].map(|number| u16::from_le_bytes(*number));
        Some((magic, numbers, *id, u32::from_le_bytes(*checksum), checked))
    })();
    let (magic, [found, slot_len], id, checksum, checked) =
        parts.ok_or_else(|| damaged("its header is too short"))?;
    if magic != MAGIC {
        return Err(damaged("it does not begin as a data-key store does"));
    }
    if crc32c::crc32c(checked) != checksum {
        return Err(damaged("the checksum of its header is wrong"));
    }
    if found != FORMAT || usize::from(slot_len) != SLOT_LEN {
        return Err(OpenError::Format { path: path.to_owned(), found, known: FORMAT });
    }
    Ok(id)
}
