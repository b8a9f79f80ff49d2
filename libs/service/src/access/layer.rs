//! The layer that finds out who calls, and lets through only what the table allows.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use futures_util::future::BoxFuture;
use http::{Extensions, HeaderMap, Request, Response};
use tonic::body::Body;
use tower::{Layer, Service};

use super::{
    identities::{Identities, identify},
    last_use::LastUse,
    table::{OPEN_PREFIXES, allowed_roles},
};
use crate::{ApiError, Foundation, Reason, caller::Caller, ready::take_ready, to_status};

/// Tells when a tenant was erased, and completes it.
const ENDS_TENANTS: &str = "/countersign.admin.v1.AdminService/EraseTenant";

/// What callers are found with.
#[derive(Clone, Debug)]
struct Means {
    foundation: Arc<Foundation>,
    identities: Arc<Identities>,
    last_use: LastUse,
}

/// Puts [`Access`] around a service.
#[derive(Clone, Debug)]
pub struct AccessLayer {
    means: Means,
}

impl AccessLayer {
    /// Finds callers among the tenants of `foundation` and those that `identities` know.
    #[must_use]
    pub fn new(foundation: Arc<Foundation>, identities: Arc<Identities>) -> Self {
        Self { means: Means { foundation, identities, last_use: LastUse::default() } }
    }
}

impl<S> Layer<S> for AccessLayer {
    type Service = Access<S>;

    fn layer(&self, inner: S) -> Access<S> {
        Access { inner, means: self.means.clone() }
    }
}

/// Lets a request through only if its caller may make it, and puts the [`Caller`] among its extensions.
#[derive(Clone, Debug)]
pub struct Access<S> {
    inner: S,
    means: Means,
}

impl<S, B> Service<Request<B>> for Access<S>
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

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let mut inner = take_ready(&mut self.inner);
        if OPEN_PREFIXES.iter().any(|prefix| request.uri().path().starts_with(prefix)) {
            return Box::pin(inner.call(request));
        }
        let means = self.means.clone();
        Box::pin(async move {
            let (path, headers) = (request.uri().path(), request.headers());
            match admit(means, path, headers, request.extensions()).await {
                Ok(caller) => {
                    request.extensions_mut().insert(caller.clone());
                    let mut response = inner.call(request).await?;
                    // For whoever logs the response further out.
                    response.extensions_mut().insert(caller);
                    Ok(response)
                }
                Err(error) => Ok(to_status(&error).into_http()),
            }
        })
    }
}

async fn admit(
    means: Means,
    path: &str,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Caller, ApiError> {
    let Means { foundation, identities, last_use } = &means;
    let caller = identify(foundation, identities, last_use, headers, extensions).await?;
    let caller = caller.narrowed(allowed_roles(path).unwrap_or_default())?;
    if path != ENDS_TENANTS {
        check_not_erased(foundation, &caller).await?;
    }
    Ok(caller)
}

/// Lets nobody act on a tenant that was erased. What cannot be read is no answer: whoever needs it reads it again.
async fn check_not_erased(foundation: &Foundation, caller: &Caller) -> Result<(), ApiError> {
    let Some(tenant) = &caller.acts_on else { return Ok(()) };
    // The keys of an erased tenant open nothing, so one that did says enough.
    if *tenant == caller.home && caller.requester.starts_with("api-key:") {
        return Ok(());
    }
    match foundation.tenant(tenant).await {
        Ok(settings) if settings.state.erased_at().is_some() => {
            Err(ApiError::new(Reason::TenantNotFound))
        }
        _ => Ok(()),
    }
}
