//! An authority, and the certificates that it signs, in files.

use std::{
    fs,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    SanType,
};

/// Signs certificates into a directory.
pub(crate) struct Authority {
    directory: PathBuf,
    name: &'static str,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(directory: &Path, name: &'static str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let authority = Self {
            directory: directory.to_owned(),
            name,
            issuer: Issuer::new(params.clone(), KeyPair::from_pem(&key.serialize_pem()).unwrap()),
        };
        write(&authority.roots(), &params.self_signed(&key).unwrap().pem());
        authority
    }

    /// Returns the file by which it is trusted.
    pub(crate) fn roots(&self) -> PathBuf {
        self.directory.join(format!("{}.pem", self.name))
    }

    /// Signs for whoever is called `names`: hosts, addresses or SPIFFE ids.
    pub(crate) fn sign(&self, file: &str, names: &[&str]) -> Files {
        let mut params = CertificateParams::default();
        params.subject_alt_names = names.iter().map(|name| subject(name)).collect();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let files = Files {
            certificate: self.directory.join(format!("{file}.crt")),
            key: self.directory.join(format!("{file}.key")),
        };
        write(&files.certificate, &certificate);
        write(&files.key, &key.serialize_pem());
        files
    }
}

fn subject(name: &str) -> SanType {
    if name.starts_with("spiffe:") {
        return SanType::URI(name.try_into().unwrap());
    }
    match name.parse() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(name.try_into().unwrap()),
    }
}

fn write(path: &Path, content: &str) {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).unwrap();
    file.write_all(content.as_bytes()).unwrap();
}
