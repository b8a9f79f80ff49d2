//! Authorities, and the certificates that they sign.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    net::Ipv4Addr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};

/// Signs certificates.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its own certificate.
    pub pem: String,
}

/// A certificate with its key, in PEM.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The certificate, and perhaps those of authorities between it and a root.
    pub chain: String,
    /// The key.
    pub key: String,
    /// The certificate alone, as it is on the wire.
    pub der: Vec<u8>,
}

/// The files of a certificate and its key.
#[derive(Clone, Debug)]
pub struct IssuedFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// The key.
    pub key: PathBuf,
}

impl Authority {
    /// Makes one that nobody vouches for.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn new(name: &str) -> Self {
        let (params, key) = (authority(name), key());
        let pem = params.self_signed(&key).expect("it signs for itself").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Makes one that this one vouches for, with a SPIFFE id of its own.
    ///
    /// # Panics
    /// If it cannot be made.
    #[must_use]
    pub fn intermediate(&self, name: &str) -> Self {
        let (mut params, key) = (authority(name), key());
        params.subject_alt_names = vec![subject("spiffe://example.org")];
        let pem = params.signed_by(&key, &self.issuer).expect("it is signed").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Signs what `params` say, for a key that is made.
    ///
    /// # Panics
    /// If it says what no certificate can.
    #[must_use]
    pub fn sign(&self, params: &CertificateParams) -> Issued {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("it is signed");
        let der = certificate.der().to_vec();
        Issued { chain: certificate.pem(), key: key.serialize_pem(), der }
    }

    /// Signs for a workload on this machine.
    #[must_use]
    pub fn workload(&self, spiffe_id: &str) -> Issued {
        self.sign(&workload(spiffe_id))
    }
}

impl Issued {
    /// Puts it into `directory`, in files called `name`.
    pub fn place(&self, directory: &Path, name: &str) -> IssuedFiles {
        let file = |end| directory.join(format!("{name}.{end}"));
        let files = IssuedFiles { certificate: file("crt"), key: file("key") };
        replace(&files.certificate, &self.chain);
        replace(&files.key, &self.key);
        files
    }
}

/// Returns what the certificate of a workload says, which is reached at loopback.
#[must_use]
pub fn workload(spiffe_id: &str) -> CertificateParams {
    certificate(&[spiffe_id, &Ipv4Addr::LOCALHOST.to_string()])
}

/// Returns what the certificate of a server or client says that is called `names`: hosts, addresses or SPIFFE ids.
#[must_use]
pub fn certificate(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.iter().map(|name| subject(name)).collect();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// Returns what `params` say, of long ago.
#[must_use]
pub fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2020, 1, 2);
    params
}

/// Puts a file in place whole, as whoever looks after certificates does; its owner and group may read it.
///
/// # Panics
/// If it cannot be written.
pub fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o440).open(&new);
    let mut file = opened.expect("nobody else replaces it");
    file.write_all(content.as_bytes()).expect("it is written");
    fs::rename(new, path).expect("it takes its place");
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("there is randomness")
}

fn subject(name: &str) -> SanType {
    let text = || name.try_into().expect("names are of ASCII");
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) if name.contains(':') => SanType::URI(text()),
        Err(_) => SanType::DnsName(text()),
    }
}
