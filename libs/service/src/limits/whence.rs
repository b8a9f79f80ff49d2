//! The layer that says where each request comes from: the address and the certificate at the other end of its connection, or
//! the address that a trusted proxy names.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use countersign_tls::Connection;
use http::Request;
use tower::{Layer, Service};

use super::{Limits, forwarded_for::FORWARDED_FOR, source::TrustedProxies};
use crate::access::{ClientAddress, PeerCertificate};

/// Puts [`Whence`] around a service. Belongs outside everything that looks at where a call comes from.
#[derive(Clone, Debug)]
pub struct WhenceLayer {
    proxies: Arc<TrustedProxies>,
}

impl WhenceLayer {
    /// Believes the proxies that `limits` name.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { proxies: Arc::new(TrustedProxies::new(&limits.trusted_proxies)) }
    }
}

impl<S> Layer<S> for WhenceLayer {
    type Service = Whence<S>;

    fn layer(&self, inner: S) -> Whence<S> {
        Whence { inner, proxies: Arc::clone(&self.proxies) }
    }
}

/// Puts [`ClientAddress`] and [`PeerCertificate`] among the extensions of each request.
#[derive(Clone, Debug)]
pub struct Whence<S> {
    inner: S,
    proxies: Arc<TrustedProxies>,
}

impl<S, B> Service<Request<B>> for Whence<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let address = self.proxies.client(request.headers(), request.extensions());
        let connection = request.extensions().get::<Connection>();
        let certificate = connection.and_then(Connection::peer);
        let certificate = certificate.map(|peer| PeerCertificate(peer.spiffe_id().as_str().into()));
        // Nobody further in shall believe it again.
        request.headers_mut().remove(FORWARDED_FOR);
        if let Some(address) = address {
            request.extensions_mut().insert(ClientAddress(address));
        }
        if let Some(certificate) = certificate {
            request.extensions_mut().insert(certificate);
        }
        self.inner.call(request)
    }
}
