//! What fuzz targets see of files of keys, and nobody else.

use std::{fs::File, path::Path};

use crate::{
    frame::Kind,
    ring::{KEK, OWNER, RingFile},
    store::Slot,
};

/// Bytes of a slot.
pub const SLOT_LEN: usize = crate::store::SLOT_LEN;

const FRAMED: Kind = Kind { name: "framed", magic: b"CSGNFUZZ", format: 1 };

/// Reads a slot and writes it again; `None` if the bytes are no slot.
#[must_use]
pub fn slot(bytes: &[u8; SLOT_LEN]) -> Option<[u8; SLOT_LEN]> {
    Slot::parse(bytes).ok().map(|slot| slot.encode())
}

/// Writes a framed file into `directory`; returns whether that could be done.
#[must_use]
pub fn write_frame(directory: &Path, content: &[u8]) -> bool {
    FRAMED.write(directory, content).is_ok()
}

/// Returns the content of the framed file in `directory`; `None` if it is not whole.
#[must_use]
pub fn read_frame(directory: &Path) -> Option<Vec<u8>> {
    let path = FRAMED.path(directory);
    let file = File::open(&path).ok()?;
    FRAMED.read(&path, &file).ok().map(|(_, content)| content.to_vec())
}

/// Reads `content` as that of the file of a key ring, and writes it again; returns the hashes of both. `None` if it is none.
#[must_use]
pub fn ring(directory: &Path, content: &[u8]) -> Option<[[u8; 32]; 2]> {
    KEK.write(directory, content).ok()?;
    let mut ring = RingFile::read(directory, OWNER).ok()??;
    let read = ring.hash;
    ring.write(directory).ok()?;
    Some([read, ring.hash])
}
