//! Small files, written whole: a frame with a checksum, put in place whole or not at all.
//!
//! ```text
//! magic 8 bytes, format u16, length of the content u32, content, CRC-32C of all before u32   (little-endian)
//! ```

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{
        FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
    },
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

    /// Reads the content of an open file of this kind, and in which format it is: the newest or one before it.
    pub(crate) fn read(
        &self,
        path: &Path,
        file: &File,
    ) -> Result<(u16, Zeroizing<Vec<u8>>), OpenError> {
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
        if found == 0 || found > self.format {
            return Err(OpenError::Format { path: path.to_owned(), found, known: self.format });
        }
        if u32::try_from(content.len()) != Ok(u32::from_le_bytes(*length)) {
            return Err(damaged("its length is wrong"));
        }
        Ok((found, Zeroizing::new(content.to_vec())))
    }
}

/// Puts a file in place whole: written beside, synced, renamed, and the directory synced. What was in its place is
/// overwritten, for it may hold keys that are to be gone.
pub(crate) fn put(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = unfinished(directory, name);
    remove_if_there(&unfinished)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    as_readable_as_before(&file, &directory.join(name))?;
    file.sync_all()?;
    let before = open_if_there(&directory.join(name))?;
    fs::rename(&unfinished, directory.join(name))?;
    sync_directory(directory)?;
    before.map_or(Ok(()), |before| wipe(&before))
}

/// Lets the group read the new file that may read the one before: where replicas share keys, they may be of it.
fn as_readable_as_before(file: &File, path: &Path) -> io::Result<()> {
    const BY_GROUP: u32 = 0o040;
    let before = match fs::metadata(path) {
        Ok(before) => before,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if before.mode() & BY_GROUP == 0 {
        return Ok(());
    }
    if file.metadata()?.gid() != before.gid() {
        fchown(file, None, Some(before.gid()))?;
    }
    file.set_permissions(Permissions::from_mode(0o600 | BY_GROUP))
}

/// Opens a file to overwrite it, unless it is also somebody else's: it has another name, or stands for another file.
fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    if fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink() || found.nlink() > 1) {
        return Ok(None);
    }
    match OpenOptions::new().write(true).open(path) {
        Ok(file) => Ok(Some(file)),
        // Without the right to write to it, it can be replaced but not overwritten.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Overwrites all bytes of a file.
pub(crate) fn wipe(file: &File) -> io::Result<()> {
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    file.write_all_at(&vec![0; length], 0)?;
    file.sync_data()
}

/// Returns where a file is written before it gets its name.
pub(crate) fn unfinished(directory: &Path, name: &str) -> PathBuf {
    directory.join(format!("{name}.unfinished"))
}

/// Overwrites and removes a file.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    if let Some(file) = open_if_there(path)? {
        wipe(&file)?;
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_replaced_stays_readable_by_its_group_and_by_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kek");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        put(directory.path(), "kek", b"first").unwrap();
        assert_eq!(mode(), 0o600);
        for (before, after) in [(0o440, 0o640), (0o640, 0o640), (0o600, 0o600)] {
            fs::set_permissions(&path, Permissions::from_mode(before)).unwrap();
            put(directory.path(), "kek", b"next").unwrap();
            assert_eq!(mode(), after, "{before:o}");
        }
    }
}
