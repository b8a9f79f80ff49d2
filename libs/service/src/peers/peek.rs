//! Looking into an answer before it is passed on: as long as nothing of it was, the call can be repeated.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::Frame;
use tokio::time::Instant;
use tonic::{Status, body::Body};

use super::{
    advice::Advice,
    failure::{Fate, ReplicaFailure, unavailable},
    held::next_frame,
    replica::UnderWay,
};
use crate::to_last_status;

/// Most bytes of an answer that are held back until it is complete. A larger one is passed on as it comes.
const MAX_HELD_BYTES: usize = 256 * 1024;

/// How long a stream that has nothing to say yet is held back.
const FIRST_MESSAGE_WITHIN: Duration = Duration::from_millis(250);

/// What lies at the beginning of an answer.
#[derive(Debug)]
pub(super) enum Peeked {
    /// An answer to pass on.
    Good(VecDeque<Frame<Bytes>>),
    /// Trailers that say that the service is unavailable, before anything else to pass on.
    Unavailable(HeaderMap, Advice),
    /// The connection was lost.
    Lost(Status),
    /// The time is over.
    OutOfTime,
}

/// Reads `body` up to its end, or up to its first message if it is a stream.
pub(super) async fn peek(body: &mut Body, streams: bool, give_up_at: Instant) -> Peeked {
    let until =
        if streams { give_up_at.min(Instant::now() + FIRST_MESSAGE_WITHIN) } else { give_up_at };
    let mut held = VecDeque::new();
    let mut bytes = 0;
    loop {
        let frame = match tokio::time::timeout_at(until, next_frame(body)).await {
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(status))) => return Peeked::Lost(status),
            Ok(None) => return Peeked::Good(held),
            Err(_) if streams => return Peeked::Good(held),
            Err(_) => return Peeked::OutOfTime,
        };
        if let Some(trailers) = frame.trailers_ref() {
            let advice = Advice::of(trailers);
            if advice != Advice::None {
                return Peeked::Unavailable(trailers.clone(), advice);
            }
        }
        bytes += frame.data_ref().map_or(0, Bytes::len);
        held.push_back(frame);
        if bytes > if streams { 0 } else { MAX_HELD_BYTES } {
            return Peeked::Good(held);
        }
    }
}

/// The body of an answer that is passed on: what was held back, then the rest as it comes. If the peer is lost on the way,
/// it ends with a status that says so.
#[derive(Debug)]
pub(super) struct PassedOn {
    held: VecDeque<Frame<Bytes>>,
    rest: Body,
    service: &'static str,
    /// `None` when the answer has ended.
    call: Option<UnderWay>,
}

impl PassedOn {
    pub(super) const fn new(
        held: VecDeque<Frame<Bytes>>,
        rest: Body,
        service: &'static str,
        call: UnderWay,
    ) -> Self {
        Self { held, rest, service, call: Some(call) }
    }

    fn lost(&mut self, status: Status) -> Option<Frame<Bytes>> {
        let call = self.call.take()?;
        call.failed();
        let address = call.replica().address();
        let failure = ReplicaFailure { address, source: Box::new(status) };
        let error = unavailable(self.service, Fate::Unknown).caused_by(failure);
        let mut trailers = HeaderMap::new();
        // What cannot be written to trailers is said without them, and so as an answer that was cut short.
        to_last_status(&error).add_header(&mut trailers).ok()?;
        Some(Frame::trailers(trailers))
    }
}

impl http_body::Body for PassedOn {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = self.get_mut();
        if let Some(frame) = this.held.pop_front() {
            return Poll::Ready(Some(Ok(frame)));
        }
        if this.call.is_none() {
            return Poll::Ready(None);
        }
        match Pin::new(&mut this.rest).poll_frame(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
            Poll::Ready(None) => {
                this.call = None;
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(status))) => Poll::Ready(this.lost(status).map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.held.is_empty() && (self.call.is_none() || self.rest.is_end_stream())
    }
}
