//! What the files of TLS hold, ready to be used.

use std::{fmt, path::Path, sync::Arc};

use countersign_core::Timestamp;
use rustls::{
    RootCertStore,
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, PrivateKeyDer, UnixTime,
        pem::{Error as PemError, PemObject as _},
    },
    server::ParsedCertificate,
    sign::CertifiedKey,
};

use crate::{
    KeyPair, TlsError, certificate,
    files::{Contents, Paths},
};

/// A certificate with its key, and the authorities that are trusted.
#[derive(Clone)]
pub struct Material {
    pub(crate) key: Option<Arc<CertifiedKey>>,
    pub(crate) roots: Option<Arc<RootCertStore>>,
    pub(crate) expires_at: Option<Timestamp>,
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Material {
    /// Reads what `paths` held.
    pub(crate) fn parse(paths: &Paths, contents: &Contents) -> Result<Self, TlsError> {
        let mut material = Self { key: None, roots: None, expires_at: None };
        if let (Some(pair), Some((chain, key))) = (&paths.key_pair, &contents.key_pair) {
            let chain = certificates(&pair.certificate, chain)?;
            material.expires_at = Some(expiry(&pair.certificate, &chain)?);
            material.key = Some(Arc::new(certified_key(pair, chain, key)?));
        }
        if let (Some(path), Some(roots)) = (&paths.roots, &contents.roots) {
            material.roots = Some(Arc::new(root_store(path, roots)?));
        }
        Ok(material)
    }
}

/// The cryptography that TLS is made of.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = read.map_err(|error| not_pem(path, &error))?;
    if found.is_empty() {
        return Err(TlsError::Missing { path: path.to_owned(), wanted: "certificate" });
    }
    for (number, certificate) in (1..).zip(&found) {
        ParsedCertificate::try_from(certificate).map_err(|error| unusable(path, number, error))?;
    }
    Ok(found)
}

/// Returns when the first certificate of `chain` expires; others will not speak with us then.
fn expiry(path: &Path, chain: &[CertificateDer<'static>]) -> Result<Timestamp, TlsError> {
    let first = chain.first().map(AsRef::as_ref).unwrap_or_default();
    let at = certificate::expires_at(first).map_err(|error| unusable(path, 1, error))?;
    // The clock by which TLS judges the certificates of others.
    let now = i64::try_from(UnixTime::now().as_secs()).unwrap_or(i64::MAX);
    if at < Timestamp::from_unix_seconds(now) {
        return Err(TlsError::Expired { path: path.to_owned(), at });
    }
    Ok(at)
}

fn certified_key(
    pair: &KeyPair,
    chain: Vec<CertificateDer<'static>>,
    key: &[u8],
) -> Result<CertifiedKey, TlsError> {
    let key = match PrivateKeyDer::from_pem_slice(key) {
        Ok(key) => key,
        Err(PemError::NoItemsFound) => {
            let wanted = "private key without a password";
            return Err(TlsError::Missing { path: pair.key.clone(), wanted });
        }
        Err(error) => return Err(not_pem(&pair.key, &error)),
    };
    CertifiedKey::from_der(chain, key, &provider()).map_err(|error| TlsError::Key {
        key: pair.key.clone(),
        certificate: pair.certificate.clone(),
        what: error.to_string(),
    })
}

fn root_store(path: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut store = RootCertStore::empty();
    for (number, certificate) in (1..).zip(certificates(path, pem)?) {
        store.add(certificate).map_err(|error| unusable(path, number, error))?;
    }
    Ok(store)
}

fn unusable(path: &Path, number: usize, error: impl fmt::Display) -> TlsError {
    TlsError::Certificate { path: path.to_owned(), number, what: error.to_string() }
}

/// Says what is wrong without repeating lines of the file, in which there may be a key.
fn not_pem(path: &Path, error: &PemError) -> TlsError {
    let what = if matches!(error, PemError::MissingSectionEnd { .. }) {
        "a section has no end"
    } else {
        "a section has no right beginning, or is not in base64"
    };
    TlsError::Pem { path: path.to_owned(), what }
}
