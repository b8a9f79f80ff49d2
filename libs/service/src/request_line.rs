//! One span and one canonical line per RPC, and the id by which callers and operators speak of the same request.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use countersign_core::Chain;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, header::HeaderName};
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt as _;
use tower::{Layer, Service};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{Foundation, caller::Caller, peers::Forwarded};

/// Response metadata that names the request in the server's log and in the events that it caused.
pub const CORRELATION_METADATA: &str = "countersign-correlation-id";

/// Names one request across services.
#[derive(Clone, Copy, Debug)]
pub struct CorrelationId(pub Uuid);

/// Puts [`RequestLine`] around a service. Belongs outside the access layer, so that refused callers are logged too.
#[derive(Clone, Debug)]
pub struct RequestLineLayer {
    foundation: Arc<Foundation>,
}

impl RequestLineLayer {
    /// Names requests by the clock and the randomness of `foundation`.
    #[must_use]
    pub const fn new(foundation: Arc<Foundation>) -> Self {
        Self { foundation }
    }
}

impl<S> Layer<S> for RequestLineLayer {
    type Service = RequestLine<S>;

    fn layer(&self, inner: S) -> RequestLine<S> {
        RequestLine { inner, foundation: Arc::clone(&self.foundation) }
    }
}

/// Runs each RPC in a span, and logs one line when its response begins. Arguments are never logged.
#[derive(Clone, Debug)]
pub struct RequestLine<S> {
    inner: S,
    foundation: Arc<Foundation>,
}

impl<S, B> Service<Request<B>> for RequestLine<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        // A peer gave the request a name before it passed it on: both write their lines under it.
        let given = request.extensions().get::<Forwarded>().map(|note| note.correlation_id);
        let id = given.unwrap_or_else(|| self.foundation.new_id());
        request.extensions_mut().insert(CorrelationId(id));
        let path = request.uri().path().to_owned();
        // At this level nobody pays for it who does not look closer: the line says the same.
        let span = tracing::debug_span!(
            "rpc",
            rpc.method = path.trim_start_matches('/'),
            countersign.correlation_id = %id,
        );
        let started = tokio::time::Instant::now();
        let answer = self.inner.call(request).instrument(span.clone());
        Box::pin(async move {
            let mut response = answer.await?;
            if let Ok(mut value) = HeaderValue::try_from(id.to_string()) {
                // Kept out of the connection's table of headers, where it would push out those that come again.
                value.set_sensitive(true);
                let name = HeaderName::from_static(CORRELATION_METADATA);
                response.headers_mut().insert(name, value);
            }
            span.in_scope(|| log(id, &path, &response, started.elapsed()));
            Ok(response)
        })
    }
}

/// Writes the canonical line, with what lies underneath a failure. Without a status in the headers the call went well, or
/// goes on as a stream.
fn log(id: Uuid, path: &str, response: &Response<Body>, took: std::time::Duration) {
    let status = Status::from_header_map(response.headers());
    let code = status.as_ref().map_or(Code::Ok, Status::code);
    let caller = response.extensions().get::<Caller>();
    let requester = caller.map_or("", |caller| &*caller.requester);
    let reason = Reason(status.as_ref());
    let source = response.extensions().get::<Status>().and_then(Error::source);
    let source = source.map(Chain);
    let source = source.as_ref().map(tracing::field::display);
    let duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                rpc = path,
                ?code,
                %reason,
                source,
                requester,
                duration_us,
                correlation_id = %id,
                "rpc finished"
            )
        };
    }
    if matches!(code, Code::Internal | Code::DataLoss | Code::Unknown) {
        line!(error);
    } else if code == Code::Unavailable {
        line!(warn);
    } else {
        line!(info);
    }
}

/// The reason that a status gives, looked up only if somebody reads the line.
struct Reason<'a>(Option<&'a Status>);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let details = self.0.and_then(Status::get_details_error_info);
        f.write_str(details.as_ref().map_or("", |found| &found.reason))
    }
}
