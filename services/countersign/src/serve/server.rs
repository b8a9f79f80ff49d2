//! The composition root: services behind one listener, and an orderly stop.

use std::{collections::BTreeSet, fmt, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use countersign_audit::{ErasedUsers, audit_server};
use countersign_bus::{Bus, Publisher};
use countersign_challenge::{AssertionSigner, challenge_server};
use countersign_enrollment::{admin_server, enrollment_server};
use countersign_notification::{Followers, notification_server};
use countersign_policy::policy_server;
use countersign_proto::FILE_DESCRIPTOR_SET;
use countersign_providers::Messenger;
use countersign_service::{
    Board, FollowerReport, Foundation, PassedEvent,
    access::{AccessLayer, Identities, check_covers},
    deadline::DeadlineLayer,
    lifecycle::Lifecycle,
    limits::{CallerLimitsLayer, EntranceLayer, Limits, SlowBodyLayer, WhenceLayer, limited},
    peers::{
        AdmitPeersLayer, ForwardLayer, Forwarding, InstallationVoucher, KnownService,
        PeerAddresses, PeerTls, Vouch,
    },
    request_line::RequestLineLayer,
    transport,
};
use countersign_tls::{HandshakeLimits, Incoming, ServerTls};
use prost_reflect::DescriptorPool;
use tokio::{net::TcpListener, task::JoinHandle};
use tonic_health::{ServingStatus, server::HealthReporter};
use tonic_web::GrpcWebLayer;

use super::{
    Keyring, ServiceName,
    keyring::{Chronicle, KeyApi},
    status::StatusApi,
};

/// How long calls under way may take when the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Greatest size of a request's metadata in bytes.
const MAX_METADATA_BYTES: u32 = 16 * 1024;

/// How often a silent connection is asked whether anyone is still there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// Served by every process.
const STATUS_SERVICE: &str = "countersign.status.v1.StatusService";
const KEY_SERVICE: &str = "countersign.keys.v1.KeyService";

/// What a server is put together from.
pub struct Parts {
    /// What use cases stand on.
    pub foundation: Arc<Foundation>,
    /// Runs what acts because of events.
    pub bus: Arc<dyn Bus>,
    /// Copies the log to the bus, as one of the tasks of notification; `None` where nothing needs it.
    pub publisher: Option<Arc<Publisher>>,
    /// Carries messages to users.
    pub messenger: Arc<dyn Messenger>,
    /// Signs statements of proofs.
    pub signer: Arc<dyn AssertionSigner>,
    /// Who is let in besides the holders of keys and self-service tokens.
    pub identities: Arc<Identities>,
    /// TLS of the listener; `None` for plain text.
    pub tls: Option<ServerTls>,
    /// TLS to peers.
    pub peer_tls: Option<PeerTls>,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// What is taken on, from whom.
    pub limits: Limits,
    /// What is served here.
    pub services: BTreeSet<ServiceName>,
    /// Where the other services are.
    pub peers: PeerAddresses,
    /// The engine of the log.
    pub event_log: &'static str,
    /// The installation's own keys.
    pub keyring: Keyring,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// Services, serving.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    lifecycle: Lifecycle,
    health: HealthReporter,
    names: Vec<String>,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Server {
    /// Starts services behind `listener`, and what follows the log for them. Calls for other services are forwarded to
    /// peers.
    ///
    /// # Errors
    /// Names RPCs that have no row in the table of access, and says what the operating system refused.
    pub async fn start(
        listener: TcpListener,
        parts: Parts,
        lifecycle: Lifecycle,
    ) -> anyhow::Result<Self> {
        check_access()?;
        let address = listener.local_addr().context("the listener has no address")?;
        let foundation = &parts.foundation;
        let board = Board::default();
        let serves = |service| parts.services.contains(&service);
        let enrolling = countersign_enrollment::Followers::new(Arc::clone(foundation));
        if serves(ServiceName::Enrollment) {
            enrolling.spawn(&lifecycle, &parts.bus, &board);
        }
        let erased = Arc::<ErasedUsers>::default();
        if serves(ServiceName::Audit) {
            let passed_over = ErasedUsers::passed_over;
            board.run_projection(&lifecycle, foundation, Arc::clone(&erased), passed_over);
        }
        let followers = Followers::new(Arc::clone(foundation), parts.messenger);
        if serves(ServiceName::Notification) {
            followers.spawn(&lifecycle, &parts.bus, &board);
            if let Some(publisher) = parts.publisher {
                publish(publisher, &lifecycle, &board);
            }
        }
        let (health, health_server) = tonic_health::server::health_reporter();
        let names = health_names(&parts.services);
        for name in &names {
            health.set_service_status(name, ServingStatus::NotServing).await;
        }
        lifecycle.spawn(serve_when_caught_up(board.clone(), health.clone(), names.clone()));
        let status = StatusApi {
            board,
            services: parts.services.clone(),
            event_log: parts.event_log,
            log: Arc::clone(&foundation.log),
        };
        parts.keyring.look_after(&lifecycle);
        let chronicle = Arc::new(Chronicle::new(Arc::clone(foundation), parts.keyring.clone()));
        chronicle.keep(&lifecycle);
        let keys = KeyApi { foundation: Arc::clone(foundation), keyring: parts.keyring, chronicle };
        let known = ServiceName::ALL.map(|service| KnownService {
            name: service.as_str(),
            grpc_services: service.grpc_services(),
            is_here: serves(service),
        });
        let (vault, clock) = (foundation.vault.clone(), Arc::clone(&foundation.clock));
        let voucher = Arc::new(InstallationVoucher::new(vault, clock)) as Arc<dyn Vouch>;
        let forwarding =
            Forwarding::new(parts.request_timeout, Arc::clone(&voucher)).over(parts.peer_tls);
        let forward = ForwardLayer::new(&known, &parts.peers, &forwarding, &lifecycle);
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                // So that clients can show the details of errors.
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        };
        let limits = &parts.limits;
        let incoming = limited(incoming(listener, parts.tls, &lifecycle)?, limits);
        let router = tonic::transport::Server::builder()
            // Browsers and proxies that know only HTTP/1.1 speak gRPC-Web.
            .accept_http1(true)
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_max_header_list_size(MAX_METADATA_BYTES)
            .max_concurrent_streams(limits.max_calls_per_connection.get())
            .layer(GrpcWebLayer::new())
            .layer(WhenceLayer::new(limits))
            .layer(AdmitPeersLayer::new(voucher))
            // Outside all that may refuse, so that refusals are logged too.
            .layer(RequestLineLayer::new(Arc::clone(foundation)))
            .layer(DeadlineLayer::new(parts.request_timeout))
            // Before anything is read, looked up or passed on.
            .layer(EntranceLayer::new(limits))
            .layer(SlowBodyLayer::new(limits))
            .layer(forward)
            .layer(AccessLayer::new(Arc::clone(foundation), parts.identities))
            .layer(CallerLimitsLayer::new(limits))
            .layer(transport::layer())
            .add_service(health_server)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?)
            .add_service(status.into_server())
            .add_service(keys.into_server())
            .add_optional_service(
                serves(ServiceName::Enrollment).then(|| enrollment_server(Arc::clone(foundation))),
            )
            .add_optional_service(
                serves(ServiceName::Enrollment)
                    .then(|| admin_server(Arc::clone(foundation), enrolling.directory())),
            )
            .add_optional_service(
                serves(ServiceName::Challenge)
                    .then(|| challenge_server(Arc::clone(foundation), parts.signer, &lifecycle)),
            )
            .add_optional_service(
                serves(ServiceName::Policy).then(|| policy_server(Arc::clone(foundation))),
            )
            .add_optional_service(
                serves(ServiceName::Audit)
                    .then(|| audit_server(Arc::clone(foundation), &lifecycle, erased)),
            )
            .add_optional_service(
                serves(ServiceName::Notification)
                    .then(|| notification_server(Arc::clone(foundation), followers.deliveries())),
            );
        let stopping = lifecycle.stopping();
        let serving =
            tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopping.cancelled_owned()));
        Ok(Self { address, lifecycle, health, names, serving })
    }

    /// Returns where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until it cannot serve any more, and says why.
    pub async fn failed(&mut self) -> anyhow::Error {
        match (&mut self.serving).await {
            Ok(Ok(())) => anyhow::anyhow!("the server stopped by itself"),
            Ok(Err(error)) => anyhow::Error::new(error).context("the server cannot go on"),
            Err(error) => anyhow::Error::new(error).context("the server crashed"),
        }
    }

    /// Takes no new calls, lets those under way finish, and ends what follows the log.
    ///
    /// # Errors
    /// Says that calls under way did not finish in time.
    pub async fn stop(self) -> anyhow::Result<()> {
        for name in &self.names {
            self.health.set_service_status(name, ServingStatus::NotServing).await;
        }
        // Ends streams that would go on for ever, and tells the transport to stop.
        self.lifecycle.stop();
        let mut serving = self.serving;
        let finished = if serving.is_finished() {
            Ok(())
        } else {
            match tokio::time::timeout(STOP_WITHIN, &mut serving).await {
                Ok(served) => served.context("the server crashed")?.context("the server failed"),
                Err(_) => {
                    serving.abort();
                    let seconds = STOP_WITHIN.as_secs();
                    Err(anyhow::anyhow!("calls under way did not finish within {seconds} s"))
                }
            }
        };
        // A message that is being handed over is let arrive, within reason.
        if tokio::time::timeout(STOP_WITHIN, self.lifecycle.finished()).await.is_err() {
            tracing::warn!("a follower did not end in time; it begins again at its checkpoint");
        }
        finished
    }
}

/// Opens the door, and follows the files of its certificates.
fn incoming(
    listener: TcpListener,
    tls: Option<ServerTls>,
    lifecycle: &Lifecycle,
) -> anyhow::Result<Incoming> {
    if let Some(tls) = &tls {
        lifecycle.spawn(Arc::clone(tls.files()).follow());
    }
    let incoming = Incoming::new(listener, tls, HandshakeLimits::default());
    incoming.context("the listener has no address")
}

fn schema() -> anyhow::Result<DescriptorPool> {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).context("the schema of this build is damaged")
}

/// Names of the services as health checks ask for them; the empty name stands for all that this process serves.
fn health_names(services: &BTreeSet<ServiceName>) -> Vec<String> {
    let named = services.iter().flat_map(|service| service.grpc_services().iter().copied());
    ["", STATUS_SERVICE, KEY_SERVICE].into_iter().chain(named).map(str::to_owned).collect()
}

/// Copies the log to the bus until `lifecycle` stops, or stands by while another replica does.
fn publish(publisher: Arc<Publisher>, lifecycle: &Lifecycle, board: &Board) {
    let status = publisher.status();
    board.add(move || {
        let report = status.report();
        let poison = report.newest_poison.into_iter().map(|parked| PassedEvent {
            position: None,
            place: parked.place,
            what: parked.reason,
        });
        vec![FollowerReport {
            name: "publisher".to_owned(),
            caught_up: true,
            standing_by: !report.active,
            position: report.position,
            passed_over: report.poison,
            newest_passed_over: poison.collect(),
            trouble: report.trouble,
            ..FollowerReport::default()
        }]
    });
    let stop = lifecycle.stopping();
    lifecycle.spawn_to_its_end(async move { publisher.run(stop).await });
}

/// Says that services serve once what follows the log for them has caught up: before, their answers would be behind.
async fn serve_when_caught_up(board: Board, health: HealthReporter, names: Vec<String>) {
    board.caught_up().await;
    for name in &names {
        health.set_service_status(name, ServingStatus::Serving).await;
    }
    tracing::info!("caught up with the log; ready");
}

/// Makes sure that the table of access has a row for every RPC.
fn check_access() -> anyhow::Result<()> {
    let mut methods = BTreeSet::new();
    for service in schema()?.services() {
        let paths = service.methods().map(|m| format!("/{}/{}", service.full_name(), m.name()));
        methods.extend(paths);
    }
    check_covers(&methods).map_err(|missing| {
        anyhow::anyhow!("no role may call {}: add rows to the table of access", missing.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use countersign_service::access::ROWS;

    use super::*;

    #[test]
    fn every_rpc_has_a_row_and_every_row_an_rpc() {
        check_access().unwrap();
        let schema = schema().unwrap();
        let known = |path: &str| {
            let (service, method) = path.trim_start_matches('/').split_once('/').unwrap();
            let service = schema.get_service_by_name(service).unwrap();
            service.methods().any(|known| known.name() == method)
        };
        assert!(ROWS.iter().all(|(path, _)| known(path)));
    }
}
