//! Small files written once: a frame with a checksum, put in place whole or not at all.
//!
//! ```text
//! magic 8 bytes, format u16, length of the content u32, content, CRC-32C of all before u32   (little-endian)
//! ```

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{KeyProblem, OpenError};

const HEAD_LEN: usize = 14;
const CHECKSUM_LEN: usize = 4;
/// No file of ours comes near; a longer one is not read into memory.
const MAX_LEN: u64 = 1024 * 1024;

/// A kind of file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// Its name in the directory.
    pub(crate) name: &'static str,
    /// What it begins with.
    pub(crate) magic: &'static [u8; 8],
    /// The newest format known.
    pub(crate) format: u16,
}

impl Kind {
    pub(crate) fn path(&self, directory: &Path) -> PathBuf {
        directory.join(self.name)
    }

    /// Writes a file of this kind; a crash leaves all of it or nothing under its name.
    pub(crate) fn write(&self, directory: &Path, content: &[u8]) -> Result<(), OpenError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(HEAD_LEN + content.len() + CHECKSUM_LEN));
        bytes.extend_from_slice(self.magic);
        bytes.extend_from_slice(&self.format.to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend_from_slice(content);
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        put(directory, self.name, &bytes).map_err(OpenError::io(self.path(directory)))
    }

    /// Reads the content of an open file of this kind.
    pub(crate) fn read(&self, path: &Path, file: &File) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        // Room for all of it at once: a buffer that grows leaves copies behind.
        let length = file.metadata().map_err(OpenError::io(path))?.len().min(MAX_LEN);
        let room = usize::try_from(length).unwrap_or_default();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room + 1));
        file.take(MAX_LEN).read_to_end(&mut bytes).map_err(OpenError::io(path))?;
        let damaged = |what| OpenError::Damaged(KeyProblem::new(path.display().to_string(), what));
        let (checked, checksum) =
            bytes.split_last_chunk::<CHECKSUM_LEN>().ok_or_else(|| damaged("it is too short"))?;
        let (magic, rest) =
            checked.split_first_chunk::<8>().ok_or_else(|| damaged("it is too short"))?;
        if magic != self.magic {
            return Err(damaged("it does not begin as such a file does"));
        }
        let (format, rest) =
            rest.split_first_chunk::<2>().ok_or_else(|| damaged("it is too short"))?;
        let (length, content) =
            rest.split_first_chunk::<4>().ok_or_else(|| damaged("it is too short"))?;
        if crc32c::crc32c(checked) != u32::from_le_bytes(*checksum) {
            return Err(damaged("its checksum is wrong"));
        }
        let found = u16::from_le_bytes(*format);
        if found != self.format {
            return Err(OpenError::Format { path: path.to_owned(), found, known: self.format });
        }
        if u32::try_from(content.len()) != Ok(u32::from_le_bytes(*length)) {
            return Err(damaged("its length is wrong"));
        }
        Ok(Zeroizing::new(content.to_vec()))
    }
}

/// Puts a file in place whole: written beside, synced, renamed, and the directory synced.
pub(crate) fn put(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = unfinished(directory, name);
    remove_if_there(&unfinished)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, directory.join(name))?;
    sync_directory(directory)
}

/// Returns where a file is written before it gets its name.
pub(crate) fn unfinished(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.unfinished"))
}

pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
