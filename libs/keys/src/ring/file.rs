//! The file of the key ring.
//!
//! ```text
//! format 1    the key, 32 bytes in the clear: a ring of one version, 1, kept in the file
//! format 2    provider u8, count u8, and for every version, the oldest first:
//!             number u32, length u16, the key as the provider keeps it, check 40 bytes     (little-endian)
//! ```
//!
//! The check is nothing, sealed under the key and bound to the number: it tells a key that came back as it was from any
//! other 32 bytes.

use std::{fs::File, io, os::unix::fs::PermissionsExt as _, path::Path};

use countersign_core::Rng;
use countersign_crypto::{DataKey, open_bytes, seal_bytes};
use zeroize::Zeroizing;

use crate::{KeyProblem, OpenError, frame::Kind, provider::ProviderKind};

pub(crate) const KEK: Kind = Kind { name: "kek", magic: b"CSGN-KEK", format: 2 };
/// Length of a check: a nonce and a tag.
const CHECK_LEN: usize = 24 + 16;
/// More versions than anybody rotates through at once; trying one after the other stays cheap.
pub(crate) const MAX_VERSIONS: usize = 8;

/// Who may read the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    /// Permission bits that must not be there.
    refused: u32,
    /// Permission bits that are right.
    wanted: u32,
}

/// Its owner alone.
pub(crate) const OWNER: Access = Access { refused: 0o077, wanted: 0o600 };
/// Its group too, which is how a platform hands a secret to a process that does not own the file.
pub(crate) const GROUP: Access = Access { refused: 0o037, wanted: 0o440 };

/// A version of the key-encryption key as its provider keeps it.
#[derive(Clone)]
pub(crate) struct HeldVersion {
    pub(crate) number: u32,
    pub(crate) held: Zeroizing<Vec<u8>>,
    /// Absent in format 1.
    check: Option<[u8; CHECK_LEN]>,
}

impl HeldVersion {
    pub(crate) fn new(number: u32, key: &DataKey, held: Zeroizing<Vec<u8>>, rng: &dyn Rng) -> Self {
        let sealed = seal_bytes(key, &checked(number), b"", rng);
        Self { number, held, check: <[u8; CHECK_LEN]>::try_from(sealed).ok() }
    }

    /// Says whether `key` is the one of this version.
    pub(crate) fn is(&self, key: &DataKey) -> bool {
        self.check.is_none_or(|check| open_bytes(key, &checked(self.number), &check).is_ok())
    }
}

/// What a version's check is bound to.
fn checked(number: u32) -> Vec<u8> {
    [b"countersign key-encryption key".as_slice(), &number.to_le_bytes()].concat()
}

/// All versions, the oldest first, and who keeps them.
#[derive(Clone)]
pub(crate) struct RingFile {
    pub(crate) provider: ProviderKind,
    pub(crate) versions: Vec<HeldVersion>,
    /// Tells one file from another.
    pub(crate) hash: [u8; 32],
}

impl RingFile {
    pub(crate) const fn new(provider: ProviderKind, versions: Vec<HeldVersion>) -> Self {
        Self { provider, versions, hash: [0; 32] }
    }

    /// Reads the ring of `directory`; `None` if there is no file.
    pub(crate) fn read(directory: &Path, access: Access) -> Result<Option<Self>, OpenError> {
        let path = KEK.path(directory);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(OpenError::Io { path, source }),
        };
        let mode = file.metadata().map_err(OpenError::io(&path))?.permissions().mode() & 0o777;
        if mode & access.refused != 0 {
            return Err(OpenError::Exposed { path, mode, wanted: access.wanted });
        }
        let (format, content) = KEK.read(&path, &file)?;
        let parsed = if format == 1 { first_format(&content) } else { Self::parse(&content) };
        let damaged = |what| OpenError::Damaged(KeyProblem::new(path.display().to_string(), what));
        let mut ring = parsed.map_err(damaged)?;
        ring.hash = countersign_crypto::sha256(&content);
        Ok(Some(ring))
    }

    fn parse(content: &[u8]) -> Result<Self, String> {
        let mut rest = content;
        let ([provider], [count]) = (take::<1>(&mut rest)?, take::<1>(&mut rest)?);
        let provider = ProviderKind::of(provider)
            .ok_or_else(|| format!("provider {provider} is not known to this release"))?;
        let mut versions: Vec<HeldVersion> = Vec::with_capacity(count.into());
        for _ in 0..count {
            let number = u32::from_le_bytes(take(&mut rest)?);
            let length = usize::from(u16::from_le_bytes(take(&mut rest)?));
            let held = rest.split_at_checked(length).ok_or_else(short)?;
            rest = held.1;
            let held = Zeroizing::new(held.0.to_vec());
            versions.push(HeldVersion { number, held, check: Some(take(&mut rest)?) });
        }
        if !rest.is_empty() {
            return Err("it has bytes where there are none".to_owned());
        }
        if versions.is_empty() || !versions.is_sorted_by(|one, next| one.number < next.number) {
            return Err("its versions are not in order".to_owned());
        }
        Ok(Self::new(provider, versions))
    }

    /// Puts the ring in place whole.
    pub(crate) fn write(&mut self, directory: &Path) -> Result<(), OpenError> {
        let too_much = |_| OpenError::Io {
            path: KEK.path(directory),
            source: io::ErrorKind::FileTooLarge.into(),
        };
        let length =
            self.versions.iter().map(|version| 6 + version.held.len() + CHECK_LEN).sum::<usize>();
        let mut content = Zeroizing::new(Vec::with_capacity(2 + length));
        content.push(self.provider.byte());
        content.push(u8::try_from(self.versions.len()).map_err(too_much)?);
        for HeldVersion { number, held, check } in &self.versions {
            content.extend_from_slice(&number.to_le_bytes());
            content.extend_from_slice(&u16::try_from(held.len()).map_err(too_much)?.to_le_bytes());
            content.extend_from_slice(held);
            content.extend_from_slice(&check.unwrap_or([0; CHECK_LEN]));
        }
        self.hash = countersign_crypto::sha256(&content);
        KEK.write(directory, &content)
    }

    /// Gives every version a check; the first format has none.
    pub(crate) fn complete(&mut self, keys: &[(u32, DataKey)], rng: &dyn Rng) {
        for version in self.versions.iter_mut().filter(|version| version.check.is_none()) {
            let key = keys.iter().find(|(number, _)| *number == version.number);
            if let Some((number, key)) = key {
                *version = HeldVersion::new(*number, key, version.held.clone(), rng);
            }
        }
    }
}

fn first_format(content: &[u8]) -> Result<RingFile, String> {
    if content.len() != 32 {
        return Err(format!("its key has {} bytes instead of 32", content.len()));
    }
    let held = Zeroizing::new(content.to_vec());
    let only = HeldVersion { number: 1, held, check: None };
    Ok(RingFile::new(ProviderKind::Local, vec![only]))
}

fn short() -> String {
    "it is too short".to_owned()
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], String> {
    let (taken, left) = rest.split_first_chunk::<N>().ok_or_else(short)?;
    *rest = left;
    Ok(*taken)
}
