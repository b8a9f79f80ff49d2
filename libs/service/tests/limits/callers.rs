//! Who may call how often.

use std::{convert::Infallible, time::Duration};

use countersign_service::limits::{CallerLimits, CallerLimitsLayer, Limits};
use http::{Request, Response};
use tonic::body::Body;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use crate::world::{STREAM, UNARY, answer, call, call_by, number, refusal, slow};

type Answer = std::future::Ready<Result<Response<Body>, Infallible>>;
type Answering = tower::util::ServiceFn<fn(Request<Body>) -> Answer>;

#[expect(clippy::needless_pass_by_value, reason = "a service is called with a request")]
fn answers(request: Request<Body>) -> Answer {
    std::future::ready(Ok(answer(&request)))
}

fn limited(limits: &Limits) -> CallerLimits<Answering> {
    CallerLimitsLayer::new(limits).layer(service_fn(answers as fn(Request<Body>) -> Answer))
}

/// Returns how many of a hundred calls go through, and which limit refuses the next.
async fn through<S>(service: &S, request: impl Fn() -> Request<Body>) -> (usize, String)
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + Clone,
{
    for through in 0..100 {
        let response = service.clone().oneshot(request()).await.unwrap();
        if let Some(told) = refusal(&response) {
            assert_eq!(told.reason, "RATE_LIMITED");
            assert_eq!(told.retry_after, Some(Duration::from_secs(60)));
            return (through, told.limit);
        }
    }
    (100, String::new())
}

#[tokio::test(start_paused = true)]
async fn each_caller_has_a_rate_and_those_of_a_tenant_share_another() {
    let service = limited(&Limits { caller: slow(5), tenant: slow(8), ..Limits::default() });
    let of =
        |tenant: &'static str, key: &'static str| move || call_by(UNARY, tenant, key, Some(tenant));
    assert_eq!(through(&service, of("acme", "one")).await, (5, "caller".to_owned()));
    assert_eq!(through(&service, of("acme", "two")).await, (3, "tenant".to_owned()));
    assert_eq!(through(&service, of("globex", "one")).await, (5, "caller".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_caller_of_the_platform_is_charged_to_the_tenant_that_it_acts_on() {
    let service = limited(&Limits { tenant: slow(3), ..Limits::default() });
    let on = |tenant: Option<&'static str>| move || call_by(UNARY, "platform", "root", tenant);
    assert_eq!(through(&service, on(Some("acme"))).await, (3, "tenant".to_owned()));
    let own = || call_by(UNARY, "acme", "one", Some("acme"));
    assert_eq!(through(&service, own).await, (0, "tenant".to_owned()));
    assert_eq!(through(&service, on(None)).await, (3, "tenant".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_anyone_may_call_is_let_be() {
    let service = limited(&Limits { caller: slow(1), tenant: slow(1), ..Limits::default() });
    let health = || call("/grpc.health.v1.Health/Check", "192.0.2.1");
    assert_eq!(through(&service, health).await, (100, String::new()));
}

#[tokio::test(start_paused = true)]
async fn each_caller_has_so_many_streams() {
    let service = limited(&Limits { max_streams_per_caller: number(2), ..Limits::default() });
    let open = async |key| {
        service.clone().oneshot(call_by(STREAM, "acme", key, Some("acme"))).await.unwrap()
    };
    let first = open("one").await;
    let _second = open("one").await;
    let told = refusal(&open("one").await).unwrap();
    assert_eq!((&*told.reason, &*told.limit), ("RATE_LIMITED", "caller"));
    assert_eq!(refusal(&open("two").await), None);
    drop(first);
    assert_eq!(refusal(&open("one").await), None);
}
