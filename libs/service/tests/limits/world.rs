//! Calls, callers, and what they are answered.

use std::{
    net::SocketAddr,
    num::NonZeroU32,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use countersign_core::TenantId;
use countersign_domain::tenant::Role;
use countersign_service::{access::ClientAddress, caller::Caller, limits::Rate};
use http::{Request, Response};
use http_body::Frame;
use tonic::{Status, body::Body, transport::server::TcpConnectInfo};
use tonic_types::StatusExt as _;

/// An RPC that answers once.
pub(crate) const UNARY: &str = "/countersign.challenge.v1.ChallengeService/VerifyChallenge";

/// An RPC that answers with a stream.
pub(crate) const STREAM: &str = "/countersign.challenge.v1.ChallengeService/WatchChallenge";

/// A number of a setting.
pub(crate) fn number(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

/// One request a minute, `burst` at once.
pub(crate) fn slow(burst: u32) -> Rate {
    Rate::new(number(1), number(60), number(burst)).unwrap()
}

/// A call of `path` over a connection from `address`.
pub(crate) fn call(path: &str, address: &str) -> Request<Body> {
    let mut request = Request::builder().uri(path).body(Body::empty()).unwrap();
    let remote_addr = Some(SocketAddr::new(address.parse().unwrap(), 4_711));
    request.extensions_mut().insert(TcpConnectInfo { local_addr: None, remote_addr });
    request.extensions_mut().insert(ClientAddress(address.parse().unwrap()));
    request
}

/// A call of `path` whose caller, with the key `key` of `home`, is known.
pub(crate) fn call_by(path: &str, home: &str, key: &str, acts_on: Option<&str>) -> Request<Body> {
    let tenant = |name: &str| TenantId::parse(name).unwrap();
    let mut request = call(path, "192.0.2.1");
    request.extensions_mut().insert(Caller {
        requester: format!("api-key:{home}.{key}").into(),
        home: tenant(home),
        roles: Arc::new([Role::Verifier]),
        organisation: None,
        user: None,
        acts_on: acts_on.map(tenant),
    });
    request
}

/// What a caller is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) reason: String,
    pub(crate) limit: String,
    pub(crate) retry_after: Option<Duration>,
}

/// Returns the refusal that `response` is, if it is one.
pub(crate) fn refusal(response: &Response<Body>) -> Option<Refusal> {
    let details = Status::from_header_map(response.headers())?.get_error_details();
    let told = details.error_info().unwrap();
    Some(Refusal {
        reason: told.reason.clone(),
        limit: told.metadata.get("limit").cloned().unwrap_or_default(),
        retry_after: details.retry_info().and_then(|info| info.retry_delay),
    })
}

/// The answer of a stream that stays open.
struct Open;

impl http_body::Body for Open {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        Poll::Pending
    }
}

/// Answers `request`: with a stream that stays open if it is for one.
pub(crate) fn answer(request: &Request<Body>) -> Response<Body> {
    let is_stream = request.uri().path() == STREAM;
    Response::new(if is_stream { Body::new(Open) } else { Body::empty() })
}
