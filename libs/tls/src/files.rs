//! Reading the files of TLS.

use std::{
    fmt,
    fs::File,
    io::{self, Read as _},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use ring::digest::{Context, SHA256};
use zeroize::Zeroizing;

use crate::TlsError;

/// Greatest length of a file in bytes. A bundle of all authorities that browsers trust has some 250,000.
const LONGEST: u64 = 1024 * 1024;

/// Permission bits that the file of a key must not have: its group may read it, which is how a platform hands a secret to
/// a process that does not own the file, and nobody else may do anything.
const REFUSED: u32 = 0o037;

/// What tells contents apart.
pub(crate) type Digest = [u8; 32];

/// A certificate and its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPair {
    /// A certificate in PEM, followed by those of the authorities between it and a root.
    pub certificate: PathBuf,
    /// Its key in PEM.
    pub key: PathBuf,
}

/// Where the files are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Paths {
    pub(crate) key_pair: Option<KeyPair>,
    pub(crate) roots: Option<PathBuf>,
}

/// What is in them.
pub(crate) struct Contents {
    pub(crate) key_pair: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
    pub(crate) roots: Option<Vec<u8>>,
}

impl Paths {
    /// Reads all files.
    pub(crate) fn read(&self) -> Result<Contents, TlsError> {
        let key_pair = self.key_pair.as_ref().map(|pair| {
            let certificate = read(&pair.certificate, 0)?;
            Ok((certificate, Zeroizing::new(read(&pair.key, REFUSED)?)))
        });
        let roots = self.roots.as_ref().map(|path| read(path, 0));
        Ok(Contents { key_pair: key_pair.transpose()?, roots: roots.transpose()? })
    }
}

impl Contents {
    pub(crate) fn digest(&self) -> Digest {
        let mut context = Context::new(&SHA256);
        let pair = self.key_pair.as_ref();
        let certificate = pair.map(|(certificate, _)| certificate.as_slice());
        let key = pair.map(|(_, key)| key.as_slice());
        for part in [certificate, key, self.roots.as_deref()] {
            let part = part.unwrap_or_default();
            // So that what moves from one file to the next is noticed.
            context.update(&part.len().to_le_bytes());
            context.update(part);
        }
        let mut digest = Digest::default();
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }
}

fn read(path: &Path, refused: u32) -> Result<Vec<u8>, TlsError> {
    let unreadable = |source: io::Error| TlsError::Unreadable { path: path.to_owned(), source };
    let file = File::open(path).map_err(unreadable)?;
    // Of the open file, so that nobody changes it in between.
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
    if mode & refused != 0 {
        return Err(TlsError::Exposed { path: path.to_owned(), mode });
    }
    // With room for all of it: a buffer that grows leaves copies behind.
    let mut content = Vec::with_capacity(64 * 1024);
    file.take(LONGEST + 1).read_to_end(&mut content).map_err(unreadable)?;
    if content.len() as u64 > LONGEST {
        return Err(TlsError::TooLong { path: path.to_owned(), limit: LONGEST });
    }
    Ok(content)
}

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pair = self.key_pair.iter().flat_map(|pair| [&pair.certificate, &pair.key]);
        let all: Vec<_> = pair.chain(&self.roots).map(|path| path.display().to_string()).collect();
        f.write_str(&all.join(", "))
    }
}
