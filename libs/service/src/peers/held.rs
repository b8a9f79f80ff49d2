//! A request that is held, so that it can be sent again, and knowledge of whether it was.

use std::{
    fmt,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use countersign_core::Rng as _;
use http::{
    HeaderMap, HeaderValue, Method, Request, Version,
    header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderName, TE, TRANSFER_ENCODING, UPGRADE},
    uri::PathAndQuery,
};
use http_body::{Body as _, Frame};
use tonic::{Status, body::Body};
use uuid::Uuid;

use super::{
    budget::Budget,
    forward::FORWARDED_METADATA,
    methods::PREFIX,
    note::{Forwarded, Vouch},
};
use crate::{
    ApiError, OsRandom, Reason,
    request_line::{CORRELATION_METADATA, CorrelationId},
};

/// Most bytes of a request's message, as at the services.
const MAX_REQUEST_BYTES: usize = 64 * 1024;

/// Metadata of one connection, which says nothing about the next (RFC 9113 section 8.2.2), and of one host.
const OF_ONE_CONNECTION: [HeaderName; 7] = [
    CONNECTION,
    CONTENT_LENGTH,
    HOST,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// A whole request.
#[derive(Clone, Debug)]
pub(super) struct Held {
    method: Method,
    path: PathAndQuery,
    headers: HeaderMap,
    framed: Bytes,
    /// Where it came from.
    note: Forwarded,
}

impl Held {
    /// Reads all of `request`.
    ///
    /// # Errors
    /// Says that it is too large, or that the caller did not send all of it.
    pub(super) async fn read(request: Request<Body>) -> Result<Self, ApiError> {
        let (parts, mut body) = request.into_parts();
        let mut framed = BytesMut::new();
        while let Some(frame) = next_frame(&mut body).await {
            let frame = frame
                .map_err(|status| ApiError::new(Reason::RequestMalformed).caused_by(status))?;
            if let Ok(part) = frame.into_data() {
                if framed.len() + part.len() > PREFIX + MAX_REQUEST_BYTES {
                    return Err(ApiError::new(Reason::RequestTooLarge));
                }
                framed.extend_from_slice(&part);
            }
        }
        let mut headers = parts.headers;
        for name in &OF_ONE_CONNECTION {
            headers.remove(name);
        }
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.remove(FORWARDED_METADATA);
        headers.remove(CORRELATION_METADATA);
        // Named further out, so that both sides write their lines under the same name.
        let id = parts.extensions.get::<CorrelationId>().map_or_else(random_id, |id| id.0);
        let note = Forwarded::of(&parts.extensions, id);
        if let Ok(id) = HeaderValue::try_from(id.to_string()) {
            headers.insert(CORRELATION_METADATA, id);
        }
        let path = parts.uri.into_parts().path_and_query;
        let path = path.unwrap_or(PathAndQuery::from_static("/"));
        Ok(Self { method: parts.method, path, headers, framed: framed.freeze(), note })
    }

    /// Returns the request's messages, each with its prefix.
    pub(super) fn framed(&self) -> &[u8] {
        &self.framed
    }

    /// Makes the request that a peer is sent.
    pub(super) fn request(
        &self,
        budget: Budget,
        delivery: &Arc<Delivery>,
        voucher: &dyn Vouch,
    ) -> Request<Body> {
        let mut request = Request::new(Body::new(Once::new(self.framed.clone(), delivery)));
        *request.method_mut() = self.method.clone();
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = http::Uri::from(self.path.clone());
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().insert("grpc-timeout", budget.told());
        let note = self.note.write(self.path.path(), voucher);
        if let Ok(note) = HeaderValue::try_from(note) {
            request.headers_mut().insert(FORWARDED_METADATA, note);
        }
        request
    }
}

fn random_id() -> Uuid {
    let mut bytes = [0; 16];
    OsRandom.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Returns the next frame of `body`.
pub(super) async fn next_frame(body: &mut Body) -> Option<Result<Frame<Bytes>, Status>> {
    poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await
}

const KEPT: u8 = 0;
const TAKEN: u8 = 1;
const WITHDRAWN: u8 = 2;

/// Whether the transport took a request's message to send it. Without its message no peer carries a call out: so what was
/// not taken certainly was not delivered.
#[derive(Default)]
pub(super) struct Delivery(AtomicU8);

impl Delivery {
    /// Takes the message back. Returns whether that came in time: then it never leaves this process.
    pub(super) fn withdraw(&self) -> bool {
        self.leave_kept(WITHDRAWN)
    }

    fn take(&self) -> bool {
        self.leave_kept(TAKEN)
    }

    fn leave_kept(&self, now: u8) -> bool {
        self.0.compare_exchange(KEPT, now, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.load(Ordering::Acquire) {
            KEPT => "Kept",
            TAKEN => "Taken",
            _ => "Withdrawn",
        })
    }
}

/// The body of a request: its message, once, unless it was withdrawn.
pub(super) struct Once {
    framed: Option<Bytes>,
    delivery: Arc<Delivery>,
}

impl Once {
    pub(super) fn new(framed: Bytes, delivery: &Arc<Delivery>) -> Self {
        Self { framed: Some(framed), delivery: Arc::clone(delivery) }
    }
}

impl http_body::Body for Once {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let framed = self.framed.take();
        Poll::Ready(framed.map(|framed| {
            if self.delivery.take() {
                Ok(Frame::data(framed))
            } else {
                Err(io::Error::other("the call went to another replica"))
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.framed.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_message_that_was_withdrawn_is_never_sent() {
        let delivery = Arc::<Delivery>::default();
        let once =
            || Once { framed: Some(Bytes::from_static(b"hello")), delivery: Arc::clone(&delivery) };
        let mut late = Body::new(once());
        assert!(delivery.withdraw());
        assert!(next_frame(&mut late).await.unwrap().is_err());
    }

    #[tokio::test]
    async fn a_message_that_was_taken_cannot_be_withdrawn() {
        let delivery = Arc::<Delivery>::default();
        let mut body = Body::new(Once::new(Bytes::from_static(b"hello"), &delivery));
        let frame = next_frame(&mut body).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), "hello");
        assert!(!delivery.withdraw());
        assert!(next_frame(&mut body).await.is_none());
    }

    #[tokio::test]
    async fn what_belongs_to_one_connection_is_not_passed_on() {
        let mut request = Request::new(Body::empty());
        for (name, value) in [
            ("connection", "close"),
            ("content-length", "5"),
            ("countersign-correlation-id", "forged"),
            ("countersign-forwarded", "forged"),
            ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            ("authorization", "Bearer key"),
        ] {
            request.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        request.extensions_mut().insert(CorrelationId(uuid::Uuid::max()));
        let held = Held::read(request).await.unwrap();
        assert!(!held.headers.contains_key("connection"));
        assert!(!held.headers.contains_key("content-length"));
        assert!(held.headers.contains_key("traceparent"));
        assert_eq!(held.headers["authorization"], "Bearer key");
        assert!(!held.headers.contains_key(FORWARDED_METADATA));
        assert_eq!(held.headers[CORRELATION_METADATA], uuid::Uuid::max().to_string());
    }
}
