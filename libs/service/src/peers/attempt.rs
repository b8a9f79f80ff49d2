//! One try of a call at one replica.

use std::{error::Error, sync::Arc, time::Duration};

use http::Response;
use tonic::{Status, TimeoutExpired, body::Body};
use tower::ServiceExt as _;

use super::{
    advice::{Advice, is_on_the_way},
    budget::Budget,
    failure::{Fate, ReplicaFailure, is_misdirected},
    held::{Delivery, Held},
    methods::Treatment,
    note::Vouch,
    peek::{PassedOn, Peeked, peek},
    replica::{CONNECT_WITHIN, UnderWay},
};

/// How long a connection may take to take a call before it goes elsewhere: calls queue behind one that comes about.
/// At most half of the time that is left, so that elsewhere somebody has time, too.
const TAKEN_WITHIN: Duration = CONNECT_WITHIN.saturating_add(Duration::from_millis(200));

/// A shorter wait than this says nothing about a replica.
const TELLING: Duration = Duration::from_millis(250);

/// What came of one try.
#[derive(Debug)]
pub(super) enum Outcome {
    /// An answer for the caller.
    Answered(Response<Body>),
    /// The service itself says that it is unavailable: the answer, and how long to wait before asking again.
    Away(Response<Body>, Option<Duration>),
    /// The process there serves something else, and says so. Nothing was carried out.
    Misdirected(Response<Body>),
    /// Nobody answered.
    Failed(Fate, ReplicaFailure),
    /// The time for all tries is over.
    OutOfTime(Fate),
}

/// Sends the request to the replica of `call`, and looks into the answer.
pub(super) async fn attempt(
    call: UnderWay,
    service: &'static str,
    (held, voucher): (&Held, &dyn Vouch),
    treatment: Treatment,
    budget: Budget,
) -> Outcome {
    let delivery = Arc::<Delivery>::default();
    let response =
        match send(&call, held.request(budget, &delivery, voucher), &delivery, budget).await {
            Ok(response) => response,
            Err(outcome) => return outcome,
        };
    if is_misdirected(&response) {
        call.failed();
        return Outcome::Misdirected(response);
    }
    let advice =
        if is_on_the_way(&response) { Advice::OnTheWay } else { Advice::of(response.headers()) };
    if advice != Advice::None {
        return away(&call, response, advice);
    }
    let (parts, mut body) = response.into_parts();
    match peek(&mut body, treatment.streams, budget.give_up_at()).await {
        Peeked::Good(frames) => {
            call.answered();
            let passed_on = PassedOn::new(frames, body, service, call);
            Outcome::Answered(Response::from_parts(parts, Body::new(passed_on)))
        }
        Peeked::Unavailable(trailers, advice) => {
            let mut response = Response::from_parts(parts, Body::empty());
            // Without a message before them trailers stand where headers do.
            response.headers_mut().extend(trailers);
            away(&call, response, advice)
        }
        Peeked::Lost(status) => failed(&call, Fate::Unknown, Box::new(status)),
        Peeked::OutOfTime => Outcome::OutOfTime(Fate::Unknown),
    }
}

/// Waits for the beginning of an answer.
async fn send(
    call: &UnderWay,
    request: http::Request<Body>,
    delivery: &Delivery,
    budget: Budget,
) -> Result<Response<Body>, Outcome> {
    let fate = || if delivery.withdraw() { Fate::NotSent } else { Fate::Unknown };
    let mut answer = std::pin::pin!(call.replica().channel().oneshot(request));
    let taken_within = TAKEN_WITHIN.min(budget.left() / 2);
    let mut answered = tokio::time::timeout(taken_within, &mut answer).await.ok();
    if answered.is_none() {
        if delivery.withdraw() {
            if taken_within >= TELLING {
                call.failed();
            }
            let address = call.replica().address();
            let source = Box::from("no connection came about in time");
            return Err(Outcome::Failed(Fate::NotSent, ReplicaFailure { address, source }));
        }
        answered = tokio::time::timeout_at(budget.give_up_at(), &mut answer).await.ok();
    }
    match answered {
        Some(Ok(response)) => Ok(response),
        // The channel has the same limit as the peer: what is left of the time.
        Some(Err(error)) if is_timeout(&error) => Err(Outcome::OutOfTime(fate())),
        Some(Err(error)) => Err(failed(call, fate(), Box::new(error))),
        None => Err(Outcome::OutOfTime(fate())),
    }
}

fn failed(call: &UnderWay, fate: Fate, source: Box<dyn Error + Send + Sync>) -> Outcome {
    call.failed();
    Outcome::Failed(fate, ReplicaFailure { address: call.replica().address(), source })
}

fn away(call: &UnderWay, response: Response<Body>, advice: Advice) -> Outcome {
    match advice {
        Advice::OnTheWay => {
            let status = Status::from_header_map(response.headers());
            let status = status.unwrap_or_else(|| {
                Status::unavailable(format!("HTTP status {}", response.status()))
            });
            failed(call, Fate::Unknown, Box::new(status))
        }
        Advice::Service { wait } => {
            call.answered();
            Outcome::Away(response, wait)
        }
        Advice::Never | Advice::None => {
            call.answered();
            Outcome::Answered(response)
        }
    }
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    error.is::<TimeoutExpired>() || error.source().is_some_and(is_timeout)
}
