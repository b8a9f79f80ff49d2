//! The layer that knows calls which peers passed on, and refuses those that only say so.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::{Either, Ready, ready};
use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

use super::{
    forward::FORWARDED_METADATA,
    note::{Forwarded, Vouch},
};
use crate::{
    ApiError, Reason,
    access::{ClientAddress, PeerCertificate},
    to_status,
};

/// Puts [`AdmitPeers`] around a service. Belongs outside everything that looks at where a call came from.
#[derive(Clone, Debug)]
pub struct AdmitPeersLayer {
    voucher: Arc<dyn Vouch>,
}

impl AdmitPeersLayer {
    /// Knows peers by `voucher`.
    #[must_use]
    pub fn new(voucher: Arc<dyn Vouch>) -> Self {
        Self { voucher }
    }
}

impl<S> Layer<S> for AdmitPeersLayer {
    type Service = AdmitPeers<S>;

    fn layer(&self, inner: S) -> AdmitPeers<S> {
        AdmitPeers { inner, voucher: Arc::clone(&self.voucher) }
    }
}

/// Puts [`Forwarded`] among the extensions of a call that a peer passed on, and in place of the peer's own address and
/// certificate those of the caller.
#[derive(Clone, Debug)]
pub struct AdmitPeers<S> {
    inner: S,
    voucher: Arc<dyn Vouch>,
}

impl<S, B> Service<Request<B>> for AdmitPeers<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response<Body>, Infallible>>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if request.headers().contains_key(FORWARDED_METADATA) {
            let note = Forwarded::read(request.uri().path(), request.headers(), &*self.voucher);
            // Not taken for a call of its own: between processes that do not know each other it would go round for ever.
            let Some(note) = note else {
                return Either::Left(ready(Ok(unknown_peer())));
            };
            let extensions = request.extensions_mut();
            extensions.remove::<ClientAddress>();
            extensions.remove::<PeerCertificate>();
            if let Some(address) = note.address {
                extensions.insert(ClientAddress(address));
            }
            if let Some(certificate) = &note.certificate {
                extensions.insert(PeerCertificate(Arc::clone(certificate)));
            }
            extensions.insert(note);
        }
        Either::Right(self.inner.call(request))
    }
}

fn unknown_peer() -> Response<Body> {
    let message = "whoever passed this call on has other keys than this process, or another time by more than a minute";
    to_status(&ApiError::with_message(Reason::PeersMisconfigured, message)).into_http()
}
