//! Services as processes of their own that speak TLS with each other: whoever calls one of them is the same for all.

use std::{path::PathBuf, sync::Arc};

use countersign::serve::ServiceName;
use countersign_proto::admin::GetTenantRequest;
use countersign_service::{SystemClock, peers::FORWARDED_METADATA};
use countersign_testkit::{
    IssuerClient, NatsServer, OidcIssuer, ReservedPort,
    authority::{Authority, replace},
    reserve_ports,
};
use countersign_tests::{
    Caller, Process, Tenant,
    cluster::Ground,
    first_key,
    process::{command, run, serve, text},
    reason, retry_after,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::{Code, Request, transport::Channel};

use crate::{
    client::Client,
    probes::{audits, is_nobody, knocks, newest, places},
    secured::LOGIN,
    tokens::AUDIENCE,
};

use ServiceName::{Audit, Challenge, Enrollment};

const WATCH: &str = "spiffe://example.org/ns/watch/sa/night";

fn id_of(service: ServiceName) -> String {
    format!("spiffe://example.org/ns/mfa/sa/{service}")
}

/// Three services, each a process; those within take nobody in who shows no certificate.
struct Services {
    ground: Ground,
    directory: TempDir,
    authority: Authority,
    issuer: OidcIssuer,
    ports: [ReservedPort; 3],
    running: Vec<Process>,
}

impl Services {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let authority = Authority::new("everybody's");
        replace(&directory.path().join("ca.pem"), &authority.pem);
        let issuer = IssuerClient::new("checkout").with_claims(json!({"groups": "platforms"}));
        let mut services = Self {
            ground: Ground::JetStream(NatsServer::start().await),
            directory,
            authority,
            issuer: OidcIssuer::start([issuer]).await,
            ports: reserve_ports(),
            running: Vec::new(),
        };
        let mut init = command(["init", "--json"]);
        init.envs(services.ground.settings()).env("COUNTERSIGN_DATA_DIR", services.data_dir());
        let output = run(init).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        for service in [Enrollment, Audit, Challenge] {
            let process = services.spawn(service, &services.address(service), json!({})).await;
            services.running.push(process);
        }
        services
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn address(&self, service: ServiceName) -> String {
        let place = [Enrollment, Audit, Challenge].iter().position(|known| *known == service);
        self.ports[place.unwrap()].address().to_string()
    }

    /// Starts one process of `service`; `expected` changes whom it expects its peers to be.
    async fn spawn(&self, service: ServiceName, listen: &str, expected: Value) -> Process {
        let name = format!("{service}-{}", listen.rsplit(':').next().unwrap());
        let files = self.authority.workload(&id_of(service)).place(self.directory.path(), &name);
        let roots = self.directory.path().join("ca.pem");
        let others = [Enrollment, Audit, Challenge].into_iter().filter(|other| *other != service);
        let peer = |other: ServiceName| {
            (other.to_string(), json!([format!("https://{}", self.address(other))]))
        };
        let peers: serde_json::Map<_, _> = others.clone().map(peer).collect();
        let id = |other: ServiceName| (other.to_string(), json!(id_of(other)));
        let mut ids: serde_json::Map<_, _> = others.map(id).collect();
        ids.extend(expected.as_object().unwrap().clone());
        let config = json!({
            "peers": peers,
            "tls": {
                "certificate": files.certificate,
                "key": files.key,
                "client_roots": roots,
                "require_client_certificate": service != Challenge,
            },
            "peer_tls": {
                "roots": roots,
                "certificate": files.certificate,
                "key": files.key,
                "spiffe_ids": ids,
            },
            "callers": self.callers(),
        });
        let path = self.directory.path().join(format!("{name}.yaml"));
        replace(&path, &config.to_string());
        let mut command = command(["serve", service.as_str(), "--log-format", "json"]);
        command.envs(self.ground.settings()).env("COUNTERSIGN_DATA_DIR", self.data_dir());
        command.args(["--listen", listen, "--config"]).arg(path);
        Process::spawn(command, &self.data_dir()).await
    }

    fn callers(&self) -> Value {
        let trusted =
            json!({"name": "login", "issuer": self.issuer.issuer(), "audiences": [AUDIENCE]});
        let rule =
            json!({"when": {"groups": "platforms"}, "tenant": "acme", "roles": ["verifier"]});
        json!({
            "issuers": [{"trusted": trusted, "callers": [rule]}],
            "certificates": [
                {"spiffe_id": LOGIN, "tenant": "acme", "roles": ["verifier"]},
                {"spiffe_id": WATCH, "tenant": "acme", "roles": ["auditor"]},
            ],
        })
    }

    /// Connects to the process at `address`, showing the certificate of `id`.
    async fn connect(&self, address: &str, id: Option<&str>) -> Channel {
        let name = format!("client-{}", id.unwrap_or_default().replace('/', "-"));
        let shows = id.map(|id| self.authority.workload(id).place(self.directory.path(), &name));
        let client = Client { roots: self.directory.path().join("ca.pem"), shows };
        client.connect(address.parse().unwrap()).await.unwrap()
    }

    /// Connects to the one process that lets everybody in.
    async fn entrance(&self, id: Option<&str>) -> Channel {
        self.connect(&self.address(Challenge), id).await
    }

    async fn tenant(&self) -> Tenant {
        let channel = self.entrance(None).await;
        let operator = Caller::new(channel.clone(), &first_key(&self.data_dir()));
        Tenant::create(&operator, channel, "acme", Arc::new(SystemClock)).await
    }

    async fn stop(self) {
        for process in self.running {
            let ended = process.stop().await;
            assert!(ended.status.success(), "{}", ended.log);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_the_same_through_a_process_that_passes_its_calls_on() {
    let services = Services::start().await;
    let tenant = services.tenant().await;
    let token = services.issuer.access_token("checkout", AUDIENCE).await;
    let with_token = Caller::new(services.entrance(None).await, &token);
    let with_certificate = Caller::stranger(services.entrance(Some(LOGIN)).await);
    for (caller, user, requester) in [
        (&tenant.platform, "ann", "api-key:acme."),
        (&with_token, "bob", "token:login:checkout"),
        (&with_certificate, "cid", "certificate:spiffe://example.org/ns/shop/sa/login"),
    ] {
        places(caller, user).await.unwrap();
        let event = newest(&tenant.auditor, user).await;
        assert!(event.requester.starts_with(requester), "{}", event.requester);
    }
    // Another certificate over the same connections between the processes is another caller.
    let watch = Caller::stranger(services.entrance(Some(WATCH)).await);
    assert_eq!(audits(&watch).await.unwrap(), "acme");
    assert_eq!(reason(&places(&watch, "ann").await.unwrap_err()), "PERMISSION_DENIED");
    newest(&watch, "ann").await;
    // Nobody is somebody because a process passed the call on, whose own certificate is nobody's here.
    is_nobody(&audits(&Caller::stranger(services.entrance(None).await)).await.unwrap_err());
    let as_process = services.connect(&services.address(Enrollment), Some(&id_of(Challenge))).await;
    is_nobody(&audits(&Caller::stranger(as_process.clone())).await.unwrap_err());
    // Not even a process is believed without a note that has the right tag.
    let mut request = Request::new(GetTenantRequest {});
    let note = "v1.1767225615.127.0.0.1.c3BpZmZlOi8vZXhhbXBsZS5vcmcvYQ.AAAA";
    request.metadata_mut().insert(FORWARDED_METADATA, note.parse().unwrap());
    let forged = Caller::stranger(as_process).admin().get_tenant(request).await.unwrap_err();
    assert_eq!(reason(&forged), "PEERS_MISCONFIGURED");
    services.stop().await;
}

#[tokio::test]
async fn a_process_that_does_not_know_whom_to_trust_does_not_start() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = serve(directory.path());
    command.args(["--peer", "audit=https://audit:7443"]);
    let output = run(command).await;
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("peer_tls is missing"), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_not_whom_it_should_be_is_not_spoken_to() {
    let services = Services::start().await;
    let tenant = services.tenant().await;
    let [port] = reserve_ports();
    let listen = port.address().to_string();
    // It takes the processes of enrollment for impostors.
    let expected = json!({"enrollment": "spiffe://example.org/ns/other/sa/enrollment"});
    let wary = services.spawn(Challenge, &listen, expected).await;
    let channel = services.connect(&listen, None).await;
    let status = audits(&tenant.auditor.over(channel.clone())).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Unavailable, "SERVICE_UNAVAILABLE"));
    assert!(status.message().contains("nothing was changed"), "{status:?}");
    assert!(retry_after(&status).is_some());
    // What it serves itself it does, and others it knows.
    assert_eq!(knocks(&tenant.platform.over(channel.clone())).await.unwrap(), "acme");
    tenant.auditor.over(channel).replay_in_the_end(Default::default()).await;
    assert!(wary.stop().await.status.success());
    services.stop().await;
}
