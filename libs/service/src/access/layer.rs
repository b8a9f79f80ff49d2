//! The layer that finds out who calls, and lets through only what the table allows.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use countersign_core::TenantId;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response, header::AUTHORIZATION};
use tonic::body::Body;
use tower::{Layer, Service};

use super::table::{OPEN_PREFIXES, allowed_roles};
use crate::{
    ApiError, Foundation, Reason,
    caller::{Caller, TENANT_METADATA},
    keys::ApiKeySecret,
    to_status,
};

/// Puts [`Access`] around a service.
#[derive(Clone, Debug)]
pub struct AccessLayer {
    foundation: Arc<Foundation>,
}

impl AccessLayer {
    /// Finds callers among the tenants of `foundation`.
    #[must_use]
    pub const fn new(foundation: Arc<Foundation>) -> Self {
        Self { foundation }
    }
}

impl<S> Layer<S> for AccessLayer {
    type Service = Access<S>;

    fn layer(&self, inner: S) -> Access<S> {
        Access { inner, foundation: Arc::clone(&self.foundation) }
    }
}

/// Lets a request through only if its caller may make it, and puts the [`Caller`] among its extensions.
#[derive(Clone, Debug)]
pub struct Access<S> {
    inner: S,
    foundation: Arc<Foundation>,
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
        // The clone takes the place of the service that was polled ready.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        if OPEN_PREFIXES.iter().any(|prefix| request.uri().path().starts_with(prefix)) {
            return Box::pin(inner.call(request));
        }
        let foundation = Arc::clone(&self.foundation);
        Box::pin(async move {
            match admit(&foundation, request.uri().path(), request.headers()).await {
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
    foundation: &Foundation,
    path: &str,
    headers: &HeaderMap,
) -> Result<Caller, ApiError> {
    let caller = identify(foundation, headers).await?;
    let roles = allowed_roles(path);
    if !roles.is_some_and(|roles| caller.has_any(roles)) {
        return Err(ApiError::new(Reason::PermissionDenied));
    }
    Ok(caller)
}

/// Finds out who calls. Everything that may be wrong with a key is told in the same words.
async fn identify(foundation: &Foundation, headers: &HeaderMap) -> Result<Caller, ApiError> {
    let unauthenticated = || ApiError::new(Reason::Unauthenticated);
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer =
        header.and_then(|value| value.strip_prefix("Bearer ")).ok_or_else(unauthenticated)?;
    let secret = ApiKeySecret::parse(bearer).ok_or_else(unauthenticated)?;
    let settings = foundation.tenant(secret.tenant()).await?;
    let key = settings.state.api_key(secret.key_id());
    let expected = key.map_or([0; 32], |key| key.secret_hash);
    let is_right = countersign_crypto::constant_time_eq(&secret.hash(), &expected);
    let key = key.filter(|key| is_right && key.is_usable(foundation.now()));
    let key = key.ok_or_else(unauthenticated)?;
    let home = secret.tenant().clone();
    let named = headers.get(TENANT_METADATA).map(|value| {
        TenantId::parse(value.to_str().unwrap_or("\u{0}"))
            .map_err(|problem| ApiError::field(TENANT_METADATA, problem))
    });
    let acts_on = match named.transpose()? {
        None if home.is_platform() => None,
        None => Some(home.clone()),
        Some(named) if home.is_platform() || named == home => Some(named),
        Some(_) => return Err(ApiError::new(Reason::PermissionDenied)),
    };
    Ok(Caller {
        requester: format!("api-key:{home}.{}", secret.key_id()).into(),
        home,
        roles: key.roles.as_slice().into(),
        acts_on,
    })
}
