//! The real program as a process that speaks TLS and asks clients for certificates.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use countersign_service::SystemClock;
use countersign_testkit::authority::{Authority, IssuedFiles, replace};
use countersign_tests::{Caller, Process, Tenant, process::serve};
use tempfile::TempDir;
use tonic::transport::Channel;

use crate::client::Client;

/// What a platform of tenant `acme` is called.
pub(crate) const LOGIN: &str = "spiffe://example.org/ns/shop/sa/login";

const SERVER: &str = "spiffe://example.org/ns/mfa/sa/countersign";

/// A server, and the authorities of its certificate and of its clients'.
pub(crate) struct Secured {
    pub(crate) directory: TempDir,
    pub(crate) clients: Authority,
    pub(crate) process: Process,
    pub(crate) tenant: Tenant,
}

impl Secured {
    pub(crate) async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
        let path = |name: &str| directory.path().join(name);
        let own = servers.workload(SERVER).place(directory.path(), "server");
        replace(&path("servers.pem"), &servers.pem);
        replace(&path("clients.pem"), &clients.pem);
        let config = serde_json::json!({
            "tls": {
                "certificate": own.certificate,
                "key": own.key,
                "client_roots": path("clients.pem"),
            },
            "callers": {"certificates": [
                {"spiffe_id": LOGIN, "tenant": "acme", "roles": ["verifier"]},
                {"spiffe_id": "spiffe://example.org/ns/watch/*", "tenant": "platform",
                 "roles": ["auditor"]},
            ]},
        });
        // JSON is YAML.
        replace(&path("countersign.yaml"), &config.to_string());
        let data_dir = path("data");
        let mut command = serve(&data_dir);
        command.arg("--config").arg(path("countersign.yaml"));
        let process = Process::spawn(command, &data_dir).await;
        let client = Client { roots: path("servers.pem"), shows: None };
        let channel = client.connect(process.address()).await.unwrap();
        let operator = Caller::new(channel.clone(), &process.first_key());
        let tenant = Tenant::create(&operator, channel, "acme", Arc::new(SystemClock)).await;
        Self { directory, clients, process, tenant }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.process.address()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Has the clients' authority sign for a workload.
    pub(crate) fn sign(&self, name: &str, spiffe_id: &str) -> IssuedFiles {
        self.clients.workload(spiffe_id).place(self.directory.path(), name)
    }

    /// Returns a client that shows `files` and trusts the server.
    pub(crate) fn client(&self, files: IssuedFiles) -> Client {
        Client { roots: self.path("servers.pem"), shows: Some(files) }
    }

    /// Connects with a certificate.
    pub(crate) async fn connect(&self, files: IssuedFiles) -> Channel {
        self.client(files).connect(self.address()).await.unwrap()
    }

    /// Replaces the server's certificate and the authority of its clients'.
    pub(crate) fn swap(&self, servers: &Authority, clients: &Authority) {
        servers.workload(SERVER).place(self.directory.path(), "server");
        replace(&self.path("clients.pem"), &clients.pem);
    }
}
