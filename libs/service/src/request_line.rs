//! One span and one canonical line per RPC, and the id by which callers and operators speak of the same request.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use countersign_core::Chain;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Request, Response, header::HeaderName};
use tonic::{Code, Status, body::Body};
use tonic_types::StatusExt as _;
use tower::{Layer, Service};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::{Foundation, caller::Caller, peers::Forwarded, seldom::Seldom};

/// Response metadata that names the request in the server's log and in the events that it caused.
pub const CORRELATION_METADATA: &str = "countersign-correlation-id";

/// Names one request across services.
#[derive(Clone, Copy, Debug)]
pub struct CorrelationId(pub Uuid);

/// Puts [`RequestLine`] around a service. Belongs outside the access layer, so that refused callers are logged too.
#[derive(Clone, Debug)]
pub struct RequestLineLayer {
    foundation: Arc<Foundation>,
    seldom: Arc<Seldom>,
}

impl RequestLineLayer {
    /// Names requests by the clock and the randomness of `foundation`.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>) -> Self {
        Self { foundation, seldom: Arc::default() }
    }
}

impl<S> Layer<S> for RequestLineLayer {
    type Service = RequestLine<S>;

    fn layer(&self, inner: S) -> RequestLine<S> {
        let (foundation, seldom) = (Arc::clone(&self.foundation), Arc::clone(&self.seldom));
        RequestLine { inner, foundation, seldom }
    }
}

/// Runs each RPC in a span, and logs one line when its response begins. Arguments are never logged. Of those who are refused
/// because they ask for too much one a second stands for all, for each reason.
#[derive(Clone, Debug)]
pub struct RequestLine<S> {
    inner: S,
    foundation: Arc<Foundation>,
    /// Shared by all connections.
    seldom: Arc<Seldom>,
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
        let seldom = Arc::clone(&self.seldom);
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
            span.in_scope(|| log(&seldom, id, &path, &response, started.elapsed()));
            Ok(response)
        })
    }
}

/// Writes the canonical line, with what lies underneath a failure. Without a status in the headers the call went well, or
/// goes on as a stream. What is not told is there for whoever looks closer.
fn log(seldom: &Seldom, id: Uuid, path: &str, response: &Response<Body>, took: Duration) {
    let status = Status::from_header_map(response.headers());
    let untold = seldom.untold(status.as_ref());
    let not_before = untold.filter(|untold| *untold > 0);
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
                untold = not_before,
                duration_us,
                correlation_id = %id,
                "rpc finished"
            )
        };
    }
    if untold.is_none() {
        line!(debug);
    } else if matches!(code, Code::Internal | Code::DataLoss | Code::Unknown) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApiError, Reason, telemetry::written::Written, to_status};

    /// Returns what is written at `level` of so many refusals.
    fn lines(level: tracing::Level, reason: Reason, times: usize) -> Vec<String> {
        let written = Written::default();
        let writer = written.clone();
        let lines = tracing_subscriber::fmt()
            .with_max_level(level)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(lines, || {
            let seldom = Seldom::default();
            for _ in 0..times {
                let response = to_status(&ApiError::new(reason)).into_http();
                log(&seldom, Uuid::nil(), "/a.B/C", &response, Duration::ZERO);
            }
        });
        written.text().lines().map(str::to_owned).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_refusals_is_one_line_and_whoever_looks_closer_sees_each() {
        let told = lines(tracing::Level::INFO, Reason::Overloaded, 1_000);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains("WARN") && told[0].contains("reason=OVERLOADED"), "{told:?}");
        assert_eq!(lines(tracing::Level::DEBUG, Reason::Overloaded, 1_000).len(), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_told_of_every_request_that_it_fails() {
        let told = lines(tracing::Level::WARN, Reason::LogUnavailable, 100);
        assert_eq!(told.len(), 100);
        assert!(told.iter().all(|line| line.contains("LOG_UNAVAILABLE")), "{told:?}");
        assert!(!told[0].contains("untold"), "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_line_says_how_many_went_untold() {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let _default = tracing::subscriber::set_default(subscriber);
        let seldom = Seldom::default();
        let response = to_status(&ApiError::new(Reason::RateLimited)).into_http();
        for wait in [0, 0, 0, 1] {
            tokio::time::advance(Duration::from_secs(wait)).await;
            log(&seldom, Uuid::nil(), "/a.B/C", &response, Duration::ZERO);
        }
        let told = written.text();
        assert_eq!((told.lines().count(), told.matches("untold").count()), (2, 1), "{told}");
    }
}
