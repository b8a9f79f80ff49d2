//! A process that passes calls on, and its callers.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use countersign_core::Timestamp;
use countersign_proto::{
    audit::{GetStateAsOfRequest, audit_service_client::AuditServiceClient},
    policy::{
        EvaluateSignInRequest, policy_service_client::PolicyServiceClient,
        policy_service_server::PolicyServiceServer,
    },
};
use countersign_service::{
    deadline::DeadlineLayer,
    lifecycle::Lifecycle,
    peers::{AdmitPeersLayer, ForwardLayer, Forwarding, KnownService, PeerAddresses, Vouch},
};
use tokio::net::TcpListener;
use tonic::{
    Request, Status,
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_types::StatusExt as _;

use crate::peer::Script;

/// How long a request may take where the test does not say.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// Knows who is of this installation as long as nobody guesses how.
#[derive(Debug)]
pub(crate) struct Voucher(pub(crate) u8);

impl Vouch for Voucher {
    fn tag(&self, statement: &[u8]) -> [u8; 32] {
        std::array::from_fn(|n| {
            statement.iter().fold(self.0, |sum, byte| {
                sum.wrapping_mul(31).wrapping_add(*byte).wrapping_add(u8::try_from(n).unwrap())
            })
        })
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(1_000)
    }
}

/// Passes calls on within a limit.
pub(crate) fn forwarding(limit: Duration) -> Forwarding {
    Forwarding::new(limit, Arc::new(Voucher(1)))
}

/// A process that serves `challenge` and nothing else, unless it says so.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    channel: Channel,
    lifecycle: Lifecycle,
}

impl Front {
    /// Passes everything on to `addresses`.
    pub(crate) async fn to(addresses: &[SocketAddr]) -> Self {
        Self::within(LIMIT, addresses).await
    }

    /// The same with another limit.
    pub(crate) async fn within(limit: Duration, addresses: &[SocketAddr]) -> Self {
        let urls: Vec<_> = addresses.iter().map(|address| format!("http://{address}")).collect();
        let peers = PeerAddresses::parse([("audit", &urls), ("policy", &urls)]).unwrap();
        Self::start(&peers, limit, &forwarding(limit), None).await
    }

    /// Serves `policy` by `here` if there is one.
    pub(crate) async fn start(
        peers: &PeerAddresses,
        limit: Duration,
        forwarding: &Forwarding,
        here: Option<Script>,
    ) -> Self {
        let known = |name, grpc_services, is_here| KnownService { name, grpc_services, is_here };
        let services = [
            known("audit", &["countersign.audit.v1.AuditService"], false),
            known("policy", &["countersign.policy.v1.PolicyService"], here.is_some()),
            known("challenge", &["countersign.challenge.v1.ChallengeService"], true),
        ];
        let lifecycle = Lifecycle::new();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Server::builder()
            .layer(AdmitPeersLayer::new(Arc::new(Voucher(1))))
            .layer(DeadlineLayer::new(limit))
            .layer(ForwardLayer::new(&services, peers, forwarding, &lifecycle))
            .add_service(PolicyServiceServer::new(here.unwrap_or(Script::new("front"))));
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        lifecycle.spawn(async move { router.serve_with_incoming(incoming).await.unwrap() });
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
        let channel = endpoint.tcp_nodelay(true).connect_lazy();
        Self { address, channel, lifecycle }
    }

    pub(crate) fn audit(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone())
    }

    pub(crate) fn policy(&self) -> PolicyServiceClient<Channel> {
        PolicyServiceClient::new(self.channel.clone())
    }

    /// Reads something, and returns who answered.
    pub(crate) async fn read(&self) -> Result<String, Status> {
        self.read_within(None).await
    }

    /// The same with a deadline.
    pub(crate) async fn read_within(&self, timeout: Option<Duration>) -> Result<String, Status> {
        let mut request = Request::new(GetStateAsOfRequest::default());
        if let Some(timeout) = timeout {
            request.set_timeout(timeout);
        }
        let response = self.audit().get_state_as_of(request).await?;
        Ok(response.metadata().get("answered-by").unwrap().to_str().unwrap().to_owned())
    }

    /// Changes something, and returns who answered.
    pub(crate) async fn change(&self, request_id: &str) -> Result<String, Status> {
        let request_id = request_id.to_owned();
        let request = EvaluateSignInRequest { request_id, ..EvaluateSignInRequest::default() };
        let response = self.policy().evaluate_sign_in(request).await?;
        Ok(response.metadata().get("answered-by").unwrap().to_str().unwrap().to_owned())
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.lifecycle.stop();
    }
}

pub(crate) fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

/// Says that `status` is an outage that the caller can wait for.
#[track_caller]
pub(crate) fn assert_outage(status: &Status) {
    assert_eq!(status.code(), tonic::Code::Unavailable, "{status:?}");
    assert_eq!(reason(status), "SERVICE_UNAVAILABLE");
    assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
}

/// An address at which nobody listens, held so that nobody begins to.
pub(crate) fn nobody() -> (tokio::net::TcpSocket, SocketAddr) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}
