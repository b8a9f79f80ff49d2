//! Services as separate processes, two replicas of each, over a log that they share; and what happens when any of them, or
//! what they stand on, is killed, cut off or restarted.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed test says so by panicking"
)]

mod cuts;
mod deliveries;
mod killing;
mod poison;
mod replicas;
mod restarting;

use std::sync::Arc;

use countersign::serve::ServiceName;
use countersign_service::SystemClock;
use countersign_tests::{
    Tenant,
    cluster::Cluster,
    connect,
    load::{Load, widen},
};

/// Creates a tenant whose users live in real time and prove many times a minute.
async fn tenant(cluster: &Cluster) -> Tenant {
    let operator = cluster.operator(ServiceName::Enrollment, 0).await;
    let channel = connect(cluster.address(ServiceName::Enrollment, 0).parse().unwrap()).await;
    let tenant = Tenant::create(&operator, channel, "acme", Arc::new(SystemClock)).await;
    widen(&tenant).await;
    tenant
}

/// Sets platforms to work that do not give up: half of them enter through one replica of challenge, half through the
/// other, which pass on what is not theirs.
async fn insisting(cluster: &Cluster, tenant: &Tenant, name: &str, count: usize) -> Load {
    let mut tenants = Vec::new();
    for number in 0..count {
        let address = cluster.address(ServiceName::Challenge, number % 2);
        tenants.push(tenant.over(&lazily(address)));
    }
    Load::insisting(tenants, name)
}

/// Connects as soon as somebody listens, and again whenever the connection breaks.
fn lazily(address: &str) -> tonic::transport::Channel {
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
    endpoint.tcp_nodelay(true).connect_lazy()
}
