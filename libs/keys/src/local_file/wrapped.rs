//! The files beside the key ring whose content is wrapped under it: the index key and the signing keys.

use std::{fs::File, io, path::Path};

use countersign_core::{Rng, SecretBytes, Timestamp};
use countersign_crypto::IndexKey;

use crate::{
    AssertionAlgorithm, AssertionKey, KeyEncryption, KeyProblem, OpenError, VaultError,
    assertion::{HeldKey, NEVER, decode, encode},
    frame::Kind,
    ring::{KEK, KeyRing},
};

pub(crate) const ASSERTION_KEYS: Kind =
    Kind { name: "assertion-keys", magic: b"CSGN-SIG", format: 2 };
pub(crate) const INDEX_KEY: Kind = Kind { name: "index-key", magic: b"CSGN-IDX", format: 1 };

pub(crate) fn create_index_key(
    directory: &Path,
    kek: &dyn KeyEncryption,
    store_id: &[u8],
    rng: &dyn Rng,
) -> Result<IndexKey, OpenError> {
    let key = IndexKey::generate(rng);
    write(directory, INDEX_KEY, kek, store_id, key.expose())?;
    Ok(key)
}

pub(crate) fn open_index_key(
    directory: &Path,
    kek: &dyn KeyEncryption,
    store_id: &[u8],
) -> Result<IndexKey, OpenError> {
    let key = unwrapped(directory, INDEX_KEY, kek, store_id)?.1;
    let key = <[u8; 32]>::try_from(key.expose()).map_err(|_| {
        let place = INDEX_KEY.path(directory);
        OpenError::Damaged(KeyProblem::new(place.display().to_string(), "its key has not 32 bytes"))
    })?;
    Ok(IndexKey::from_bytes(key))
}

/// Makes the first signing key.
pub(crate) fn create_signing_key(
    directory: &Path,
    kek: &dyn KeyEncryption,
) -> Result<(), OpenError> {
    let path = ASSERTION_KEYS.path(directory);
    let algorithm = AssertionAlgorithm::default();
    let document = AssertionKey::generate(algorithm).map_err(io::Error::other);
    let document = document.map_err(OpenError::io(&path))?;
    let key = HeldKey::new(algorithm, document, Timestamp::EPOCH, NEVER);
    let key = key.ok_or_else(|| no_keys(directory))?;
    write_signing_keys(directory, kek, &[key])
}

pub(crate) fn write_signing_keys(
    directory: &Path,
    kek: &dyn KeyEncryption,
    keys: &[HeldKey],
) -> Result<(), OpenError> {
    write(directory, ASSERTION_KEYS, kek, b"", encode(keys).expose())
}

pub(crate) fn open_signing_keys(
    directory: &Path,
    kek: &dyn KeyEncryption,
) -> Result<Vec<HeldKey>, OpenError> {
    let (format, content) = unwrapped(directory, ASSERTION_KEYS, kek, b"")?;
    decode(format, content.expose()).ok_or_else(|| no_keys(directory))
}

fn no_keys(directory: &Path) -> OpenError {
    let place = ASSERTION_KEYS.path(directory).display().to_string();
    OpenError::Damaged(KeyProblem::new(place, "it holds no keys for ES256 or EdDSA"))
}

/// Wraps both files anew under the version that wraps, if they are under another one.
pub(crate) fn rewrap_files(
    directory: &Path,
    ring: &KeyRing,
    store_id: &[u8],
) -> Result<(), OpenError> {
    for (kind, context) in [(INDEX_KEY, store_id), (ASSERTION_KEYS, b"".as_slice())] {
        let (format, wrapped) = read(directory, kind)?;
        let opened = ring.unwrap_and_tell(&associated(kind, context), &wrapped);
        let (version, content) = opened.map_err(|error| unwrapping(directory, kind, error))?;
        if version == ring.wrapping() {
            continue;
        }
        if kind.format == format {
            write(directory, kind, ring, context, content.expose())?;
        } else {
            let keys = decode(format, content.expose()).ok_or_else(|| no_keys(directory))?;
            write_signing_keys(directory, ring, &keys)?;
        }
    }
    Ok(())
}

/// Returns how many of the two files are wrapped under another version than `version`.
pub(crate) fn files_not_under(
    directory: &Path,
    ring: &KeyRing,
    store_id: &[u8],
    version: u32,
) -> Result<u64, OpenError> {
    let mut count = 0;
    for (kind, context) in [(INDEX_KEY, store_id), (ASSERTION_KEYS, b"".as_slice())] {
        let (_, wrapped) = read(directory, kind)?;
        let opened = ring.unwrap_and_tell(&associated(kind, context), &wrapped);
        let (found, _) = opened.map_err(|error| unwrapping(directory, kind, error))?;
        count += u64::from(found != version);
    }
    Ok(count)
}

/// Returns what a file's content is bound to when it is wrapped.
fn associated(kind: Kind, context: &[u8]) -> Vec<u8> {
    [b"countersign ", kind.name.as_bytes(), b"\0", context].concat()
}

fn write(
    directory: &Path,
    kind: Kind,
    kek: &dyn KeyEncryption,
    context: &[u8],
    content: &[u8],
) -> Result<(), OpenError> {
    let wrapped = kek.wrap(&associated(kind, context), content);
    let wrapped = wrapped.map_err(|error| unwrapping(directory, kind, error))?;
    kind.write(directory, &wrapped)
}

fn read(directory: &Path, kind: Kind) -> Result<(u16, Vec<u8>), OpenError> {
    let path = kind.path(directory);
    let file = File::open(&path).map_err(OpenError::io(&path))?;
    let (format, wrapped) = kind.read(&path, &file)?;
    Ok((format, wrapped.to_vec()))
}

fn unwrapped(
    directory: &Path,
    kind: Kind,
    kek: &dyn KeyEncryption,
    context: &[u8],
) -> Result<(u16, SecretBytes), OpenError> {
    let (format, wrapped) = read(directory, kind)?;
    let opened = kek.unwrap(&associated(kind, context), &wrapped);
    Ok((format, opened.map_err(|error| unwrapping(directory, kind, error))?))
}

fn unwrapping(directory: &Path, kind: Kind, error: VaultError) -> OpenError {
    let path = kind.path(directory);
    match error {
        // The file's own checksum is right: it is the keys that do not fit.
        VaultError::Damaged(_) | VaultError::Erased | VaultError::Superseded => {
            OpenError::Foreign { path, kek: KEK.path(directory) }
        }
        VaultError::Unavailable(source) => OpenError::Io { path, source: io::Error::other(source) },
    }
}
