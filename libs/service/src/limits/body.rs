//! Requests whose message trickles in: whoever sends it a byte at a time is cut.

use std::{
    convert::Infallible,
    fmt,
    future::Future as _,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use tokio::time::{Sleep, sleep};
use tonic::{Status, body::Body};
use tower::{Layer, Service};

use super::{Limits, streams::is_stream};
use crate::{ApiError, Reason, to_status};

/// Puts [`SlowBody`] around a service.
#[derive(Clone, Copy, Debug)]
pub struct SlowBodyLayer {
    limit: Duration,
}

impl SlowBodyLayer {
    /// Gives a request's message as long as `limits` say.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self { limit: limits.body_timeout() }
    }
}

impl<S> Layer<S> for SlowBodyLayer {
    type Service = SlowBody<S>;

    fn layer(&self, inner: S) -> SlowBody<S> {
        SlowBody { inner, limit: self.limit }
    }
}

/// Cuts requests whose message takes too long to arrive. The time runs from when somebody begins to read it until its end;
/// streams of requests, as reflection has them, have no end to wait for.
#[derive(Clone, Debug)]
pub struct SlowBody<S> {
    inner: S,
    limit: Duration,
}

impl<S> Service<Request<Body>> for SlowBody<S>
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
        if is_endless(request.uri().path()) {
            return Box::pin(self.inner.call(request));
        }
        let was_cut = Arc::<AtomicBool>::default();
        let cut = Arc::clone(&was_cut);
        let limit = self.limit;
        let timed = |body| Body::new(Timed { body, limit, timer: None, was_cut: cut });
        let answer = self.inner.call(request.map(timed));
        Box::pin(async move {
            let response = answer.await?;
            // Whoever read it says that it broke off; why, is known here.
            Ok(if was_cut.load(Ordering::Acquire) { too_slow().into_http() } else { response })
        })
    }
}

/// Whether the requests of an RPC are a stream as well.
fn is_endless(path: &str) -> bool {
    path.starts_with("/grpc.reflection.") && is_stream(path)
}

fn too_slow() -> Status {
    to_status(&ApiError::new(Reason::RequestTooSlow))
}

/// A body that has to arrive in time.
struct Timed {
    body: Body,
    limit: Duration,
    /// Runs while the body is awaited.
    timer: Option<Pin<Box<Sleep>>>,
    was_cut: Arc<AtomicBool>,
}

impl fmt::Debug for Timed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timed").finish_non_exhaustive()
    }
}

impl http_body::Body for Timed {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        let limit = this.limit;
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(limit)));
        std::task::ready!(timer.as_mut().poll(context));
        this.was_cut.store(true, Ordering::Release);
        Poll::Ready(Some(Err(too_slow())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt as _, stream};
    use http_body::Body as _;
    use tokio::time::Instant;
    use tonic::Code;
    use tower::{ServiceExt as _, service_fn};

    use super::*;
    use crate::peers::METHODS;

    /// Sends so many bytes, each after a `pause`.
    struct Trickle {
        left: usize,
        pause: Duration,
        timer: Pin<Box<Sleep>>,
    }

    impl Trickle {
        fn body(left: usize, pause: Duration) -> Body {
            Body::new(Self { left, pause, timer: Box::pin(sleep(pause)) })
        }
    }

    impl http_body::Body for Trickle {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            std::task::ready!(self.timer.as_mut().poll(context));
            let Some(left) = self.left.checked_sub(1) else { return Poll::Ready(None) };
            self.left = left;
            self.timer = Box::pin(sleep(self.pause));
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
        }
    }

    /// Sends `body` to a service that reads all of it and calls what breaks off malformed. Returns what came of it.
    async fn sent(path: &'static str, body: Body) -> Option<Status> {
        let reads = service_fn(|request: Request<Body>| async {
            let mut body = request.into_body();
            let frames = stream::poll_fn(move |context| Pin::new(&mut body).poll_frame(context));
            let broke_off = frames.any(|frame| std::future::ready(frame.is_err())).await;
            let malformed = || to_status(&ApiError::new(Reason::RequestMalformed)).into_http();
            Ok(if broke_off { malformed() } else { Response::new(Body::empty()) })
        });
        let layer = SlowBodyLayer::new(&Limits::default());
        let request = Request::builder().uri(path).body(body).unwrap();
        let response = layer.layer(reads).oneshot(request).await.unwrap();
        Status::from_header_map(response.headers())
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_comes_a_byte_a_second_is_cut_and_the_caller_told() {
        let began = Instant::now();
        let status = sent(METHODS[0].0, Trickle::body(64, Duration::from_secs(1))).await.unwrap();
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert!(status.message().contains("did not arrive in time"), "{}", status.message());
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_comes_in_time_is_let_be() {
        let body = Trickle::body(64, Duration::from_millis(50));
        assert!(sent(METHODS[0].0, body).await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_requests_may_go_on() {
        let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
        assert!(sent(path, Trickle::body(64, Duration::from_secs(1))).await.is_none());
    }
}
