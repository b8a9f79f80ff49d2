//! TLS: the settings `tls` of the listener and `peer_tls` of connections to other processes.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use countersign_service::{lifecycle::Lifecycle, peers::PeerTls};
use countersign_tls::{ClientTls, ClientTlsSettings, KeyPair, ServerTls, SpiffeId, TlsSettings};
use serde::Deserialize;

use super::ServiceName;

/// TLS of the listener. The files are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The server's certificate in PEM, followed by those of the authorities between it and a root.
    pub certificate: PathBuf,
    /// Its key in PEM, readable by its owner and group at most.
    pub key: PathBuf,
    /// Certificates in PEM of the authorities that sign those of clients; clients are not asked for one without it.
    #[serde(default)]
    pub client_roots: Option<PathBuf>,
    /// Whether clients without a certificate are refused. Default false.
    #[serde(default)]
    pub require_client_certificate: bool,
}

/// TLS to other processes. The files are read again when they change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeerTlsConfig {
    /// Certificates in PEM of the authorities that sign those of the other processes. No others are trusted.
    pub roots: PathBuf,
    /// The certificate in PEM that is shown to them; none without it.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// Its key in PEM.
    #[serde(default)]
    pub key: Option<PathBuf>,
    /// The SPIFFE ids of the other services' processes. Where there is none, a certificate must name the host of the address.
    #[serde(default)]
    pub spiffe_ids: BTreeMap<ServiceName, String>,
}

impl TlsConfig {
    /// Reads the files.
    ///
    /// # Errors
    /// Names the file that cannot be used, and says why.
    pub fn open(&self) -> anyhow::Result<ServerTls> {
        let Self { certificate, key, client_roots, require_client_certificate } = self.clone();
        let settings = TlsSettings { certificate, key, client_roots, require_client_certificate };
        ServerTls::open(&settings).context("tls")
    }
}

impl PeerTlsConfig {
    /// Reads the files, and goes on reading them until `lifecycle` stops.
    ///
    /// # Errors
    /// Names the file or setting that cannot be used, and says why.
    pub fn open(&self, lifecycle: &Lifecycle) -> anyhow::Result<PeerTls> {
        let key_pair = match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => {
                Some(KeyPair { certificate: certificate.clone(), key: key.clone() })
            }
            (None, None) => None,
            (Some(_), None) => {
                anyhow::bail!("peer_tls.key is missing: a certificate needs its key")
            }
            (None, Some(_)) => anyhow::bail!("peer_tls.certificate is missing: a key needs one"),
        };
        let mut expected = BTreeMap::new();
        for (service, id) in &self.spiffe_ids {
            let name = service.as_str();
            let id = SpiffeId::parse(id).with_context(|| format!("peer_tls.spiffe_ids.{name}"))?;
            expected.insert(name.to_owned(), id);
        }
        let settings = ClientTlsSettings { roots: self.roots.clone(), key_pair };
        let client = ClientTls::open(&settings).context("peer_tls")?;
        lifecycle.spawn(Arc::clone(client.files()).follow());
        Ok(PeerTls::new(client, expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let config: PeerTlsConfig = serde_json::from_str(text).unwrap();
        format!("{:#}", config.open(&Lifecycle::new()).unwrap_err())
    }

    #[tokio::test]
    async fn what_does_not_go_together_is_named() {
        let text = refused(r#"{"roots": "ca.pem", "certificate": "tls.crt"}"#);
        assert!(text.starts_with("peer_tls.key is missing"), "{text}");
        let text = refused(r#"{"roots": "ca.pem", "key": "tls.key"}"#);
        assert!(text.starts_with("peer_tls.certificate is missing"), "{text}");
        let text = refused(r#"{"roots": "ca.pem", "spiffe_ids": {"audit": "https://a"}}"#);
        assert!(text.starts_with("peer_tls.spiffe_ids.audit: "), "{text}");
        let text = refused(r#"{"roots": "nowhere.pem"}"#);
        assert!(text.starts_with("peer_tls: ") && text.contains("nowhere.pem"), "{text}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let config = r#"{"certificate": "nowhere.crt", "key": "nowhere.key"}"#;
        let config: TlsConfig = serde_json::from_str(config).unwrap();
        let text = format!("{:#}", config.open().unwrap_err());
        assert!(text.starts_with("tls: ") && text.contains("nowhere"), "{text}");
    }
}
