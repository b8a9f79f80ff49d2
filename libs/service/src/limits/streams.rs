//! Which calls are streams, and counting them as long as they are open.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};
use tonic::{Status, body::Body};

use crate::peers::{Effect, METHODS};

/// Streams of the services that anyone may call.
const OPEN_STREAMS: &[&str] = &[
    "/grpc.health.v1.Health/Watch",
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Returns whether the RPC at `path` is a stream, which may stay open for as long as its caller likes.
pub(super) fn is_stream(path: &str) -> bool {
    METHODS.iter().any(|(known, effect)| *effect == Effect::Follow && *known == path)
        || OPEN_STREAMS.contains(&path)
}

/// Keeps `guard` until the answer has been sent whole, or nobody wants the rest of it.
pub(super) fn keep<G: Send + Unpin + 'static>(
    response: Response<Body>,
    guard: G,
) -> Response<Body> {
    response.map(|body| Body::new(Keeping { body, guard: Some(guard) }))
}

struct Keeping<G> {
    body: Body,
    /// `None` when the answer has ended.
    guard: Option<G>,
}

impl<G> fmt::Debug for Keeping<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeping").finish_non_exhaustive()
    }
}

impl<G: Unpin> http_body::Body for Keeping<G> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) {
            this.guard = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
