//! The limits of callers and tenants, where it is known who calls.

use std::{
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use countersign_core::TenantId;
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
    streams::{is_stream, keep},
    tally::{Counted, Full, Tally},
    user::UserBudget,
};
use crate::{ApiError, caller::Caller, ready::take_ready, to_status};

/// How many callers, and how many tenants, are remembered.
const REMEMBERED: usize = 20_000;

/// Puts [`CallerLimits`] around a service. Belongs right inside the access layer, which says who calls.
#[derive(Clone, Debug)]
pub struct CallerLimitsLayer {
    books: Arc<Books>,
    users: UserBudget,
}

impl CallerLimitsLayer {
    /// Keeps `limits`.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let books = Books {
            of_callers: Ledger::new(limits.caller, REMEMBERED),
            of_tenants: Ledger::new(limits.tenant, REMEMBERED),
            under_way: FairShares::new(count(limits.max_in_flight), limits.wait()),
            // All streams together are counted at the entrance.
            streams: Tally::new(count(limits.max_streams_per_caller), usize::MAX),
        };
        Self { books: Arc::new(books), users: UserBudget::new(limits) }
    }
}

impl<S> Layer<S> for CallerLimitsLayer {
    type Service = CallerLimits<S>;

    fn layer(&self, inner: S) -> CallerLimits<S> {
        CallerLimits { inner, books: Arc::clone(&self.books), users: self.users.clone() }
    }
}

/// What is counted of callers and tenants.
#[derive(Debug)]
struct Books {
    of_callers: Ledger,
    of_tenants: Ledger,
    under_way: Arc<FairShares<TenantId>>,
    streams: Arc<Tally<Arc<str>>>,
}

/// Serves a call if its caller and its tenant have not sent too many, and the tenant has not more than its share under way.
/// What anyone may call, such as health and reflection, has no caller and is let be.
#[derive(Clone, Debug)]
pub struct CallerLimits<S> {
    inner: S,
    books: Arc<Books>,
    users: UserBudget,
}

impl<S, B> Service<Request<B>> for CallerLimits<S>
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
        // Who the user is stands in the message, which is read further in.
        request.extensions_mut().insert(self.users.clone());
        let Some(caller) = request.extensions().get::<Caller>() else {
            return Box::pin(self.inner.call(request));
        };
        let tenant = caller.acts_on.as_ref().unwrap_or(&caller.home);
        if let Err(error) = self.books.charge(caller, tenant) {
            return Box::pin(ready(Ok(to_status(&error).into_http())));
        }
        if is_stream(request.uri().path()) {
            return match self.books.open(caller) {
                Err(error) => Box::pin(ready(Ok(to_status(&error).into_http()))),
                Ok(counted) => {
                    let answer = self.inner.call(request);
                    Box::pin(async move { Ok(keep(answer.await?, counted)) })
                }
            };
        }
        let tenant = tenant.clone();
        let mut inner = take_ready(&mut self.inner);
        let books = Arc::clone(&self.books);
        Box::pin(async move {
            let Some(turn) = books.under_way.enter(&tenant).await else {
                return Ok(to_status(&refusal::overloaded()).into_http());
            };
            let answer = inner.call(request).await;
            drop(turn);
            answer
        })
    }
}

impl Books {
    fn charge(&self, caller: &Caller, tenant: &TenantId) -> Result<(), ApiError> {
        let too_soon = |whose| move |wait| refusal::too_soon(whose, wait);
        self.of_callers.charge(&caller.requester).map_err(too_soon(Whose::Caller))?;
        self.of_tenants.charge(tenant).map_err(too_soon(Whose::Tenant))
    }

    fn open(&self, caller: &Caller) -> Result<Counted<Arc<str>>, ApiError> {
        let counted = self.streams.enter(Some(Arc::clone(&caller.requester)));
        counted.map_err(|full| match full {
            Full::ForOne => refusal::too_many_streams(Whose::Caller),
            Full::ForAll => refusal::overloaded(),
        })
    }
}
