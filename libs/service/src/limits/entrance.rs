//! The limits at the entrance, where nobody knows yet who calls.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{BoxFuture, ready};
use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

use super::{
    Limits,
    ledger::Ledger,
    refusal::{self, Whose},
    settings::count,
    shares::FairShares,
    source::{Origin, Source},
    streams::{is_stream, keep},
    tally::{Full, Tally},
};
use crate::{ApiError, ready::take_ready, to_status};

/// How many source addresses are remembered.
const SOURCES: usize = 100_000;

/// How much more is let in here than is served at once: room for calls that are passed on, that wait further in, or that
/// are about to be refused there. Which tenant has how much of it is known only further in, and must not be decided here.
const ROOM: usize = 2;

/// An orchestrator that is refused an answer about health stops a process that is only busy.
const HEALTH: &str = "/grpc.health.v1.Health/Check";

/// Puts [`Entrance`] around a service. Belongs outside whatever looks at credentials or passes calls on, and inside the
/// deadline layer.
#[derive(Clone, Debug)]
pub struct EntranceLayer {
    gate: Arc<Gate>,
}

impl EntranceLayer {
    /// Keeps `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let gate = Gate {
            requests: Ledger::new(limits.source, SOURCES),
            under_way: FairShares::new(count(limits.max_in_flight) * ROOM, limits.wait()),
            streams: Tally::new(count(limits.max_streams_per_caller), count(limits.max_streams)),
        };
        Self { gate: Arc::new(gate) }
    }
}

impl<S> Layer<S> for EntranceLayer {
    type Service = Entrance<S>;

    fn layer(&self, inner: S) -> Entrance<S> {
        Entrance { inner, gate: Arc::clone(&self.gate) }
    }
}

/// What is counted at the entrance.
#[derive(Debug)]
struct Gate {
    requests: Ledger,
    under_way: Arc<FairShares<Origin>>,
    streams: Arc<Tally<Source>>,
}

/// Lets a call in if its source address has not sent too many, and there is room for it.
#[derive(Clone, Debug)]
pub struct Entrance<S> {
    inner: S,
    gate: Arc<Gate>,
}

impl<S, B> Service<Request<B>> for Entrance<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let origin = Origin::of(request.extensions());
        if let Err(error) = self.gate.charge(origin) {
            return Box::pin(ready(Ok(to_status(&error).into_http())));
        }
        let path = request.uri().path();
        if path == HEALTH {
            return Box::pin(self.inner.call(request));
        }
        if is_stream(path) {
            let counted = self.gate.open(origin);
            return match counted {
                Err(error) => Box::pin(ready(Ok(to_status(&error).into_http()))),
                Ok(counted) => {
                    let answer = self.inner.call(request);
                    Box::pin(async move { Ok(keep(answer.await?, counted)) })
                }
            };
        }
        let mut inner = take_ready(&mut self.inner);
        let gate = Arc::clone(&self.gate);
        Box::pin(async move {
            let Some(turn) = gate.under_way.enter(&origin).await else {
                return Ok(to_status(&refusal::overloaded()).into_http());
            };
            let answer = inner.call(request).await;
            drop(turn);
            answer
        })
    }
}

impl Gate {
    /// Charges where a call comes from, unless a peer did.
    fn charge(&self, origin: Origin) -> Result<(), ApiError> {
        if origin == Origin::Peer {
            return Ok(());
        }
        let charged = self.requests.charge(&origin);
        charged.map_err(|wait| refusal::too_soon(Whose::Source, wait))
    }

    /// Counts a stream.
    fn open(&self, origin: Origin) -> Result<super::tally::Counted<Source>, ApiError> {
        let source = match origin {
            Origin::Source(source) => Some(source),
            Origin::Peer | Origin::Unknown => None,
        };
        self.streams.enter(source).map_err(|full| match full {
            Full::ForOne => refusal::too_many_streams(Whose::Source),
            Full::ForAll => refusal::overloaded(),
        })
    }
}
