//! More is asked than can be done.

use std::{convert::Infallible, sync::Arc, time::Duration};

use countersign_service::limits::{CallerLimitsLayer, EntranceLayer, Limits};
use http::{Request, Response};
use tokio::{sync::Semaphore, time::sleep};
use tonic::body::Body;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use crate::world::{UNARY, call_by, number, refusal};

/// How many calls the machine works on at once, and how long for: 400 calls a second.
const AT_ONCE: u32 = 40;
const TAKES: Duration = Duration::from_millis(100);
const A_SECOND: u32 = 400;

/// How many times as much is asked, and for how long.
const LOAD: u32 = 4;
const SECONDS: u32 = 20;

/// A caller is gone by then.
const PATIENCE: Duration = Duration::from_secs(1);

/// A service behind whose door calls queue for the machine.
fn slow() -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    let machine = Arc::new(Semaphore::new(usize::try_from(AT_ONCE).unwrap()));
    service_fn(move |_: Request<Body>| {
        let machine = Arc::clone(&machine);
        // Who is gone is worked for all the same, as it is with a transaction that has begun.
        let work = tokio::spawn(async move {
            let _turn = machine.acquire().await.unwrap();
            sleep(TAKES).await;
        });
        async move {
            work.await.unwrap();
            Ok(Response::new(Body::empty()))
        }
    })
}

/// What came of the calls of one tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Served {
    in_time: u32,
    refused: u32,
    late: u32,
}

/// Sends the load, of which every tenth call is of a quiet tenant, and returns what came of the quiet one's calls and of the
/// noisy one's.
async fn under_load<S>(service: S) -> (Served, Served)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    let mut calls = Vec::new();
    for number in 0..A_SECOND * LOAD * SECONDS {
        let is_quiet = number % 10 == 0;
        let tenant = if is_quiet { "quiet" } else { "noisy" };
        let answer = service.clone().oneshot(call_by(UNARY, tenant, "key", Some(tenant)));
        let answer = tokio::time::timeout(PATIENCE, answer);
        calls.push((is_quiet, tokio::spawn(answer)));
        sleep(Duration::from_secs(1) / (A_SECOND * LOAD)).await;
    }
    let (mut quiet, mut noisy) = (Served::default(), Served::default());
    for (is_quiet, call) in calls {
        let served = if is_quiet { &mut quiet } else { &mut noisy };
        match call.await.unwrap() {
            Ok(response) => match refusal(&response.unwrap()) {
                None => served.in_time += 1,
                Some(told) => {
                    assert_eq!(told.reason, "OVERLOADED");
                    assert!(told.retry_after.is_some());
                    served.refused += 1;
                }
            },
            Err(_) => served.late += 1,
        }
    }
    (quiet, noisy)
}

#[tokio::test(start_paused = true)]
async fn under_four_times_the_load_goodput_stays_and_a_quiet_tenant_is_served_whole() {
    let limits = Limits { max_in_flight: number(AT_ONCE), ..Limits::default() };
    let inside = CallerLimitsLayer::new(&limits).layer(slow());
    let service = EntranceLayer::new(&limits).layer(inside);
    let (quiet, noisy) = under_load(service).await;
    let asked_by_quiet = A_SECOND * LOAD * SECONDS / 10;
    assert_eq!(quiet, Served { in_time: asked_by_quiet, refused: 0, late: 0 }, "{noisy:?}");
    let could = A_SECOND * SECONDS;
    assert!(quiet.in_time + noisy.in_time >= could * 95 / 100, "{quiet:?} {noisy:?} of {could}");
    assert_eq!(noisy.late, 0, "who is refused knows it at once");
}

#[tokio::test(start_paused = true)]
async fn without_limits_the_same_load_makes_nearly_everything_late() {
    let (quiet, noisy) = under_load(slow()).await;
    let could = A_SECOND * SECONDS;
    assert!(quiet.in_time + noisy.in_time < could / 4, "{quiet:?} {noisy:?} of {could}");
}
