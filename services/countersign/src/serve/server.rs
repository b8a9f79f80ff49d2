//! The composition root: every service behind one listener, and an orderly stop.

use std::{collections::BTreeSet, fmt, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use countersign_audit::audit_server;
use countersign_challenge::{AssertionSigner, challenge_server};
use countersign_enrollment::{TenantDirectory, admin_server, enrollment_server};
use countersign_eventsourcing::{CheckpointStore, MemoryCheckpoints, run_projection};
use countersign_notification::{Followers, notification_server};
use countersign_policy::policy_server;
use countersign_proto::FILE_DESCRIPTOR_SET;
use countersign_providers::Messenger;
use countersign_service::{
    Foundation,
    access::{AccessLayer, check_covers},
    deadline::DeadlineLayer,
    lifecycle::Lifecycle,
    request_line::RequestLineLayer,
    transport,
};
use prost_reflect::DescriptorPool;
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::transport::server::TcpIncoming;
use tonic_health::{ServingStatus, server::HealthReporter};
use tonic_web::GrpcWebLayer;

/// How long calls under way may take when the server stops.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Greatest size of a request's metadata in bytes.
const MAX_METADATA_BYTES: u32 = 16 * 1024;

/// How often a silent connection is asked whether anyone is still there.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(30);

/// What a server is put together from.
pub struct Parts {
    /// What use cases stand on.
    pub foundation: Arc<Foundation>,
    /// Where reactors keep how far they have come.
    pub checkpoints: Arc<dyn CheckpointStore>,
    /// Carries messages to users.
    pub messenger: Arc<dyn Messenger>,
    /// Signs statements of proofs.
    pub signer: Arc<dyn AssertionSigner>,
    /// How long a request may take.
    pub request_timeout: Duration,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").finish_non_exhaustive()
    }
}

/// All services, serving.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    lifecycle: Lifecycle,
    health: HealthReporter,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Server {
    /// Starts every service behind `listener`, and what follows the log.
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
        let directory = follow_tenants(foundation, &lifecycle);
        let followers = Followers::new(Arc::clone(foundation), parts.messenger);
        followers.spawn(&lifecycle, &parts.checkpoints);
        let (health, health_server) = tonic_health::server::health_reporter();
        for service in services()? {
            health.set_service_status(service, ServingStatus::Serving).await;
        }
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                // So that clients can show the details of errors.
                .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        };
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let router = tonic::transport::Server::builder()
            // Browsers and proxies that know only HTTP/1.1 speak gRPC-Web.
            .accept_http1(true)
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_max_header_list_size(MAX_METADATA_BYTES)
            .layer(GrpcWebLayer::new())
            // Outside all that may refuse, so that refusals are logged too.
            .layer(RequestLineLayer::new(Arc::clone(foundation)))
            .layer(DeadlineLayer::new(parts.request_timeout))
            .layer(AccessLayer::new(Arc::clone(foundation)))
            .layer(transport::layer())
            .add_service(health_server)
            .add_service(reflection().build_v1()?)
            .add_service(reflection().build_v1alpha()?)
            .add_service(enrollment_server(Arc::clone(foundation)))
            .add_service(admin_server(Arc::clone(foundation), directory))
            .add_service(challenge_server(Arc::clone(foundation), parts.signer, &lifecycle))
            .add_service(policy_server(Arc::clone(foundation)))
            .add_service(audit_server(Arc::clone(foundation), &lifecycle))
            .add_service(notification_server(Arc::clone(foundation), followers.deliveries()));
        let stopping = lifecycle.stopping();
        let serving =
            tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopping.cancelled_owned()));
        Ok(Self { address, lifecycle, health, serving })
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
        for service in services()? {
            self.health.set_service_status(service, ServingStatus::NotServing).await;
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

/// Starts the read model of which tenants there are; it lives in memory and is rebuilt at every start.
fn follow_tenants(foundation: &Arc<Foundation>, lifecycle: &Lifecycle) -> Arc<TenantDirectory> {
    let directory = Arc::<TenantDirectory>::default();
    let checkpoints = Arc::<MemoryCheckpoints>::default();
    let (foundation, followed) = (Arc::clone(foundation), Arc::clone(&directory));
    lifecycle.spawn_follower(move || {
        let (foundation, directory) = (Arc::clone(&foundation), Arc::clone(&followed));
        let checkpoints = Arc::clone(&checkpoints);
        async move { run_projection(&foundation.log, &*directory, &*checkpoints).await }
    });
    directory
}

fn schema() -> anyhow::Result<DescriptorPool> {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).context("the schema of this build is damaged")
}

/// Names of the services as health checks ask for them; the empty name stands for all.
fn services() -> anyhow::Result<Vec<String>> {
    let schema = schema()?;
    let named = schema.services().map(|service| service.full_name().to_owned());
    Ok(std::iter::once(String::new()).chain(named).collect())
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
