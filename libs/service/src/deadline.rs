//! Deadlines: whoever asks says how long an answer is of use, in the header `grpc-timeout`; the server has a limit of its
//! own. What is not answered in time is answered with DEADLINE_EXCEEDED, and never hangs. Whoever waits for something that may
//! be away gives up a little earlier, so that the caller learns of the outage and when to ask again.

use std::{
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use tokio::time::Instant;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::{ApiError, Reason, to_status};

/// How much earlier than the caller's own limit is answered, so that the answer arrives before the caller, and the
/// transport below, give up by themselves.
pub(crate) const HEAD_START: Duration = Duration::from_millis(10);

/// How much earlier than that it is given up on what may be away.
const GIVE_UP_EARLIER: Duration = Duration::from_millis(100);

/// A caller with less time than this is told that it was too little, and not that something was away.
const LEAST_TO_BLAME_AN_OUTAGE: Duration = Duration::from_secs(1);

tokio::task_local! {
    /// When the request that is being dealt with gives up.
    static GIVE_UP_AT: Option<Instant>;
}

/// Completes when the request that is being dealt with has to give up on what may be away; never outside of requests, and
/// for those with so little time that nothing need be away for it to pass.
pub async fn time_to_give_up() {
    match GIVE_UP_AT.try_with(|at| *at).ok().flatten() {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Puts [`Deadline`] around a service.
#[derive(Clone, Copy, Debug)]
pub struct DeadlineLayer {
    limit: Duration,
}

impl DeadlineLayer {
    /// Answers within `limit`, and within what the caller asks for if that is less.
    #[must_use]
    pub const fn new(limit: Duration) -> Self {
        Self { limit }
    }
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Deadline<S> {
        Deadline { inner, limit: self.limit }
    }
}

/// Answers in time. A stream has to begin in time and may then go on.
#[derive(Clone, Debug)]
pub struct Deadline<S> {
    inner: S,
    limit: Duration,
}

impl<S, B> Service<Request<B>> for Deadline<S>
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

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let asked = requested(request.headers()).map(|asked| asked.saturating_sub(HEAD_START));
        let limit = asked.map_or(self.limit, |asked| asked.min(self.limit));
        let give_up_at = (limit >= LEAST_TO_BLAME_AN_OUTAGE)
            .then(|| Instant::now() + limit.saturating_sub(GIVE_UP_EARLIER));
        let answered = GIVE_UP_AT.scope(give_up_at, self.inner.call(request));
        let answer = tokio::time::timeout(limit, answered);
        Box::pin(async move {
            answer.await.unwrap_or_else(|_| {
                Ok(to_status(&ApiError::new(Reason::DeadlineExceeded)).into_http())
            })
        })
    }
}

/// Reads `grpc-timeout`: one to eight digits and a unit. What does not have that form asks for nothing.
pub(crate) fn requested(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let amount: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(amount * 3_600)),
        "M" => Some(Duration::from_secs(amount * 60)),
        "S" => Some(Duration::from_secs(amount)),
        "m" => Some(Duration::from_millis(amount)),
        "u" => Some(Duration::from_micros(amount)),
        "n" => Some(Duration::from_nanos(amount)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use http::HeaderValue;
    use tonic::Code;
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    fn asking(timeout: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(
            http::header::HeaderName::from_static("grpc-timeout"),
            HeaderValue::from_static(timeout),
        )])
    }

    #[test]
    fn a_timeout_is_digits_and_a_unit() {
        assert_eq!(requested(&asking("250m")), Some(Duration::from_millis(250)));
        assert_eq!(requested(&asking("99999999H")), Some(Duration::from_secs(359_999_996_400)));
        for nonsense in ["", "m", "5", "5x", "-5S", "123456789S", "1.5S"] {
            assert_eq!(requested(&asking(nonsense)), None, "{nonsense}");
        }
    }

    /// Serves what is away until it is given up, and returns how long that took; `None` if the deadline came first.
    async fn given_up_after(limit: &'static str) -> Option<Duration> {
        let away = service_fn(|_: Request<()>| async {
            time_to_give_up().await;
            Ok::<_, Infallible>(Response::new(Body::empty()))
        });
        let service = DeadlineLayer::new(Duration::from_secs(10)).layer(away);
        let mut request = Request::new(());
        *request.headers_mut() = asking(limit);
        let began = Instant::now();
        let response = service.oneshot(request).await.unwrap();
        let late = tonic::Status::from_header_map(response.headers()).is_some();
        (!late).then(|| began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_away_is_given_up_before_the_deadline_unless_that_leaves_no_time_at_all() {
        assert_eq!(given_up_after("2S").await, Some(Duration::from_millis(1_890)));
        assert_eq!(given_up_after("1H").await, Some(Duration::from_millis(9_900)));
        assert_eq!(given_up_after("500m").await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn what_takes_too_long_is_answered_before_the_caller_gives_up() {
        let never = service_fn(|_: Request<()>| pending::<Result<Response<Body>, Infallible>>());
        let service = DeadlineLayer::new(Duration::from_secs(10)).layer(never);
        let mut request = Request::new(());
        *request.headers_mut() = asking("200m");
        let began = tokio::time::Instant::now();
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_millis(190));
        let status = tonic::Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), Code::DeadlineExceeded);
    }
}
