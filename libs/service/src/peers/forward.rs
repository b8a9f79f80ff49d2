//! The layer that passes calls on.

use std::{
    convert::Infallible,
    fmt,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

use super::{
    address::PeerAddresses,
    call,
    failure::{misdirected, not_served},
    note::{Forwarded, Vouch},
    replicas::Replicas,
    resolve::{Resolve, SystemResolver},
    routes::{KnownService, Place, Routes},
    secure::PeerTls,
};
use crate::{lifecycle::Lifecycle, to_status};

/// Metadata of a call that a peer passed on, with the peer's note: it is not passed on again.
pub const FORWARDED_METADATA: &str = "countersign-forwarded";

/// How often names are looked up.
const RESOLVE_EVERY: Duration = Duration::from_secs(5);

/// How calls are passed on.
#[derive(Clone)]
pub struct Forwarding {
    request_timeout: Duration,
    voucher: Arc<dyn Vouch>,
    tls: Option<PeerTls>,
    resolver: Arc<dyn Resolve>,
    resolve_every: Duration,
}

impl Forwarding {
    /// Takes at most `request_timeout` for a call, as the deadline layer outside does, lets `voucher` say where calls come
    /// from, and looks names up in DNS.
    #[must_use]
    pub fn new(request_timeout: Duration, voucher: Arc<dyn Vouch>) -> Self {
        Self {
            request_timeout,
            voucher,
            tls: None,
            resolver: Arc::new(SystemResolver),
            resolve_every: RESOLVE_EVERY,
        }
    }

    /// Speaks TLS to those whose address is `https`.
    #[must_use]
    pub fn over(self, tls: Option<PeerTls>) -> Self {
        Self { tls, ..self }
    }

    /// Looks names up with `resolver`, `every` so often.
    #[must_use]
    pub fn resolving(mut self, resolver: Arc<dyn Resolve>, every: Duration) -> Self {
        self.resolver = resolver;
        self.resolve_every = every;
        self
    }
}

impl fmt::Debug for Forwarding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarding").finish_non_exhaustive()
    }
}

/// Puts [`Forward`] around a service. Belongs inside the deadline layer and outside the access layer: access is checked
/// where the call is served.
#[derive(Clone, Debug)]
pub struct ForwardLayer {
    routes: Arc<Routes>,
    voucher: Arc<dyn Vouch>,
    request_timeout: Duration,
}

impl ForwardLayer {
    /// Passes calls for those of `services` that are not here on to `addresses`. Names are looked up until `lifecycle`
    /// stops.
    #[must_use]
    pub fn new(
        services: &[KnownService],
        addresses: &PeerAddresses,
        forwarding: &Forwarding,
        lifecycle: &Lifecycle,
    ) -> Self {
        let mut routes = Routes::default();
        for service in services {
            let peers = addresses.of(service.name);
            let is_peer = !service.is_here && !peers.is_empty();
            let tls = forwarding.tls.clone();
            let replicas = is_peer.then(|| Arc::new(Replicas::new(service.name, peers, tls)));
            if let Some(replicas) = &replicas {
                let (replicas, peers) = (Arc::clone(replicas), peers.to_vec());
                let (resolver, every) =
                    (Arc::clone(&forwarding.resolver), forwarding.resolve_every);
                lifecycle.spawn(async move { replicas.follow(&peers, &*resolver, every).await });
            }
            routes.add(*service, replicas);
        }
        let voucher = Arc::clone(&forwarding.voucher);
        Self { routes: Arc::new(routes), voucher, request_timeout: forwarding.request_timeout }
    }
}

impl<S> Layer<S> for ForwardLayer {
    type Service = Forward<S>;

    fn layer(&self, inner: S) -> Forward<S> {
        let (routes, voucher) = (Arc::clone(&self.routes), Arc::clone(&self.voucher));
        Forward { inner, routes, voucher, request_timeout: self.request_timeout }
    }
}

/// Passes calls for services that are not served here on to peers.
#[derive(Clone, Debug)]
pub struct Forward<S> {
    inner: S,
    routes: Arc<Routes>,
    voucher: Arc<dyn Vouch>,
    request_timeout: Duration,
}

impl<S> Service<Request<Body>> for Forward<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (service, place) = self.routes.place(request.uri().path());
        let is_forwarded = request.extensions().get::<Forwarded>().is_some();
        let answer = match place {
            Place::Here => return Box::pin(self.inner.call(request)),
            Place::Elsewhere(_) | Place::Unknown if is_forwarded => {
                misdirected(service, &self.routes.here())
            }
            Place::Unknown => to_status(&not_served(service, &self.routes.here())).into_http(),
            Place::Elsewhere(replicas) => {
                let (replicas, limit) = (Arc::clone(replicas), self.request_timeout);
                let voucher = Arc::clone(&self.voucher);
                return Box::pin(async move {
                    Ok(call::forward(&replicas, request, limit, &*voucher).await)
                });
            }
        };
        Box::pin(std::future::ready(Ok(answer)))
    }
}
