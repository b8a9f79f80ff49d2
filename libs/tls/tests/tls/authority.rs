//! Authorities and the certificates they sign, in files.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use countersign_tls::{ClientTlsSettings, KeyPair, TlsSettings};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, SanType,
};
use tempfile::TempDir;

/// Signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, rcgen::KeyPair>,
    pub(crate) pem: String,
}

/// A certificate with its key.
pub(crate) struct Issued {
    /// The certificate, and perhaps those of authorities between it and a root.
    pub(crate) chain: String,
    pub(crate) key: String,
    pub(crate) der: Vec<u8>,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let params = authority_params(name);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Returns an authority that this one vouches for, which has a SPIFFE id of its own, and its certificate.
    pub(crate) fn intermediate(&self, name: &str) -> Self {
        let mut params = authority_params(name);
        params.subject_alt_names = vec![uri("spiffe://example.org")];
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.signed_by(&key, &self.issuer).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    pub(crate) fn sign(&self, params: &CertificateParams) -> Issued {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let der = certificate.der().to_vec();
        Issued { chain: certificate.pem(), key: key.serialize_pem(), der }
    }

    /// Signs a certificate as a workload has it.
    pub(crate) fn workload(&self, id: &str) -> Issued {
        self.sign(&workload(id))
    }
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// Returns what a certificate without any names says.
pub(crate) fn nameless() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// Returns what the certificate of a workload says, which is reached at loopback.
pub(crate) fn workload(id: &str) -> CertificateParams {
    let loopback = SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST));
    with_names(vec![uri(id), loopback])
}

pub(crate) fn with_names(names: Vec<SanType>) -> CertificateParams {
    changed(nameless(), |params| params.subject_alt_names = names)
}

pub(crate) fn changed(
    mut params: CertificateParams,
    change: impl FnOnce(&mut CertificateParams),
) -> CertificateParams {
    change(&mut params);
    params
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub(crate) fn dns(name: &str) -> SanType {
    SanType::DnsName(name.try_into().unwrap())
}

/// A folder as Kubernetes shows a secret: every file is a link into the folder that a link names, and a change is that one
/// link set anew.
pub(crate) struct Folder {
    root: TempDir,
    version: u32,
}

impl Folder {
    pub(crate) fn new(issued: &Issued, roots: &str) -> Self {
        let mut folder = Self { root: tempfile::tempdir().unwrap(), version: 0 };
        folder.swap(issued, roots);
        for name in ["tls.crt", "tls.key", "ca.crt"] {
            symlink(Path::new("..data").join(name), folder.path(name)).unwrap();
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// Changes everything at once.
    pub(crate) fn swap(&mut self, issued: &Issued, roots: &str) {
        self.version += 1;
        let name = format!("..{}", self.version);
        fs::create_dir(self.path(&name)).unwrap();
        for (file, content) in
            [("tls.crt", &issued.chain[..]), ("tls.key", &issued.key), ("ca.crt", roots)]
        {
            write(&self.path(&name).join(file), content);
        }
        symlink(&name, self.path("..new")).unwrap();
        fs::rename(self.path("..new"), self.path("..data")).unwrap();
    }

    /// Writes one file in place.
    pub(crate) fn overwrite(&self, name: &str, content: &str) {
        write(&self.path(name), content);
    }

    pub(crate) fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Returns what a server is told that asks clients for certificates.
    pub(crate) fn server(&self, require_client_certificate: bool) -> TlsSettings {
        TlsSettings {
            certificate: self.path("tls.crt"),
            key: self.path("tls.key"),
            client_roots: Some(self.path("ca.crt")),
            require_client_certificate,
        }
    }

    /// Returns what a client is told that shows a certificate.
    pub(crate) fn client(&self) -> ClientTlsSettings {
        let key_pair = KeyPair { certificate: self.path("tls.crt"), key: self.path("tls.key") };
        ClientTlsSettings { roots: self.path("ca.crt"), key_pair: Some(key_pair) }
    }
}

fn write(path: &Path, content: &str) {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(content.as_bytes()).unwrap();
}
