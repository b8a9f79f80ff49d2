//! Clients that show certificates.

use std::{net::SocketAddr, path::PathBuf};

use countersign_testkit::authority::IssuedFiles;
use countersign_tls::{ClientTls, ClientTlsSettings, ExpectedPeer, KeyPair};
use tonic::transport::{Channel, Endpoint};

/// A client on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    /// The authorities that it trusts.
    pub(crate) roots: PathBuf,
    /// What it shows.
    pub(crate) shows: Option<IssuedFiles>,
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
        let key_pair = |IssuedFiles { certificate, key }| KeyPair { certificate, key };
        let key_pair = self.shows.clone().map(key_pair);
        let settings = ClientTlsSettings { roots: self.roots.clone(), key_pair };
        let tls = ClientTls::open(&settings).unwrap();
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        endpoint.connect_with_connector(tls.connector(ExpectedPeer::Host)).await
    }
}
