//! Certificates with odd names, and certificates in files.

use std::{
    fs,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink},
    path::{Path, PathBuf},
};

use countersign_testkit::authority::certificate;
pub(crate) use countersign_testkit::authority::{Authority, Issued, workload};
use countersign_tls::{ClientTlsSettings, KeyPair, TlsSettings};
use rcgen::{CertificateParams, SanType};
use tempfile::TempDir;

/// Returns what a certificate without any names says.
pub(crate) fn nameless() -> CertificateParams {
    certificate(&[])
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
