//! One call and all its tries.

use std::time::Duration;

use countersign_core::Chain;
use countersign_core::Rng as _;
use http::{Request, Response};
use tonic::body::Body;

use super::{
    attempt::{Outcome, attempt},
    budget::Budget,
    failure::{Fate, unavailable},
    held::Held,
    methods::treatment,
    note::Vouch,
    replicas::Replicas,
};
use crate::{ApiError, OsRandom, Reason, to_status};

/// Most times that a call is sent.
const TRIES: usize = 3;

/// About how long to wait before the second try; twice as long before the third.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest wait before another try. Whoever is told to wait longer than that does it better themselves.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Passes `request` on to one of `replicas`, and its answer back.
pub(super) async fn forward(
    replicas: &Replicas,
    request: Request<Body>,
    limit: Duration,
    voucher: &dyn Vouch,
) -> Response<Body> {
    let budget = Budget::of(request.headers(), limit);
    let answered = async {
        let path = request.uri().path().to_owned();
        let read = tokio::time::timeout_at(budget.give_up_at(), Held::read(request)).await;
        let held = read.map_err(|_| ApiError::new(Reason::DeadlineExceeded))??;
        let carried = Carried { path: &path, held: &held, voucher };
        Ok::<_, ApiError>(carry(replicas, carried, budget).await)
    };
    answered.await.unwrap_or_else(|error| to_status(&error).into_http())
}

/// What is passed on.
#[derive(Clone, Copy)]
struct Carried<'a> {
    path: &'a str,
    held: &'a Held,
    voucher: &'a dyn Vouch,
}

async fn carry(replicas: &Replicas, carried: Carried<'_>, budget: Budget) -> Response<Body> {
    let Carried { path, held, voucher } = carried;
    let service = replicas.service();
    let treatment = treatment(path, held.framed());
    let mut tried = Vec::with_capacity(TRIES);
    // Whether any of the tries may have been carried out.
    let mut fate = Fate::NotSent;
    loop {
        let Some(call) = replicas.enter(&tried, budget).await else {
            return to_status(&unavailable(service, fate)).into_http();
        };
        let address = call.replica().address();
        tried.push(address);
        // What never got anywhere goes elsewhere without waiting, once.
        let at_once = (tried.len() == 1).then_some(Duration::ZERO);
        let (answer, may_repeat, wait) = match attempt(
            call,
            service,
            (held, voucher),
            treatment,
            budget,
        )
        .await
        {
            Outcome::Answered(response) => return response,
            Outcome::Away(response, wait) => (response, treatment.may_repeat, wait),
            Outcome::Misdirected(response) => (response, true, at_once),
            Outcome::Failed(this, failure) => {
                tracing::debug!(service, path, %address, ?this, error = %Chain(&failure), "try failed");
                fate = fate.and(this);
                let answer = to_status(&unavailable(service, fate).caused_by(failure)).into_http();
                let is_safe = this == Fate::NotSent;
                (answer, is_safe || treatment.may_repeat, at_once.filter(|_| is_safe))
            }
            Outcome::OutOfTime(this) => {
                return to_status(&unavailable(service, fate.and(this))).into_http();
            }
        };
        let pause = wait.unwrap_or_else(|| jittered(tried.len()));
        let is_too_long = pause > LONGEST_PAUSE || pause >= budget.left();
        if !may_repeat || tried.len() >= TRIES || is_too_long {
            return answer;
        }
        tokio::time::sleep(pause).await;
    }
}

/// Returns how long to wait after so many tries: between half and all of it, so that callers who failed together do not
/// come back together.
fn jittered(tries: usize) -> Duration {
    let mut random = [0; 1];
    OsRandom.fill(&mut random);
    let longest = PAUSE.saturating_mul(u32::try_from(tries).unwrap_or(u32::MAX));
    let [random] = random;
    longest / 2 + longest.saturating_mul(u32::from(random)) / 512
}
