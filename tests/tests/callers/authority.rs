//! Authorities, and the certificates that they sign, in files.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use countersign_tls::{ClientTls, ClientTlsSettings, ExpectedPeer, KeyPair};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, SanType,
    date_time_ymd,
};
use std::net::SocketAddr;
use tonic::transport::{Channel, Endpoint};

/// Signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, rcgen::KeyPair>,
    pub(crate) pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// Signs for a workload on this machine, and puts its files into `directory` under `name`.
    pub(crate) fn sign(&self, directory: &Path, name: &str, spiffe_id: &str) -> KeyPair {
        self.place(directory, name, &workload(spiffe_id))
    }

    /// Signs what expired long ago.
    pub(crate) fn sign_expired(&self, directory: &Path, name: &str, spiffe_id: &str) -> KeyPair {
        let mut params = workload(spiffe_id);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 2);
        self.place(directory, name, &params)
    }

    fn place(&self, directory: &Path, name: &str, params: &CertificateParams) -> KeyPair {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap().pem();
        let files = KeyPair {
            certificate: directory.join(format!("{name}.crt")),
            key: directory.join(format!("{name}.key")),
        };
        replace(&files.certificate, &certificate);
        replace(&files.key, &key.serialize_pem());
        files
    }
}

fn workload(spiffe_id: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![
        SanType::URI(spiffe_id.try_into().unwrap()),
        SanType::IpAddress([127, 0, 0, 1].into()),
    ];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// Puts a file in place whole, as whoever looks after certificates does; its owner and group may read it.
pub(crate) fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o440).open(&new).unwrap();
    file.write_all(content.as_bytes()).unwrap();
    fs::rename(new, path).unwrap();
}

/// A client on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The authorities that it trusts.
    pub(crate) roots: PathBuf,
    /// What it shows.
    pub(crate) shows: Option<KeyPair>,
}

impl Client {
    /// Connects to the server at `address`, whoever it is.
    ///
    /// # Errors
    /// Says why no connection comes about.
    pub(crate) async fn connect(
        &self,
        address: SocketAddr,
    ) -> Result<Channel, tonic::transport::Error> {
        let settings =
            ClientTlsSettings { roots: self.roots.clone(), key_pair: self.shows.clone() };
        let tls = ClientTls::open(&settings).unwrap();
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        endpoint.connect_with_connector(tls.connector(ExpectedPeer::Host)).await
    }
}
