//! What is refused at the entrance, and what is not.

use std::{
    convert::Infallible,
    future::{pending, poll_fn},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use countersign_service::{
    access::{ClientAddress, PeerCertificate},
    limits::{EntranceLayer, Limits, WhenceLayer},
    peers::Forwarded,
};
use http::{HeaderValue, Request, Response};
use http_body::Body as _;
use tonic::body::Body;
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use crate::world::{STREAM, UNARY, answer, call, number, refusal, slow};

/// Answers, and counts how often it is asked.
fn answering(
    asked: &Arc<AtomicUsize>,
) -> impl Service<Request<Body>, Response = Response<Body>, Error = Infallible, Future: Send>
+ Clone
+ Send
+ 'static {
    let asked = Arc::clone(asked);
    service_fn(move |request: Request<Body>| {
        asked.fetch_add(1, Ordering::Relaxed);
        let response = answer(&request);
        async { Ok(response) }
    })
}

#[tokio::test(start_paused = true)]
async fn a_source_with_too_many_calls_is_refused_before_anything_looks_at_them() {
    let asked = Arc::<AtomicUsize>::default();
    let limits = Limits { source: slow(3), ..Limits::default() };
    let service = EntranceLayer::new(&limits).layer(answering(&asked));
    for _ in 0..3 {
        let response = service.clone().oneshot(call(UNARY, "192.0.2.1")).await.unwrap();
        assert_eq!(refusal(&response), None);
    }
    let response = service.clone().oneshot(call(UNARY, "192.0.2.1")).await.unwrap();
    let told = refusal(&response).unwrap();
    assert_eq!((&*told.reason, &*told.limit), ("RATE_LIMITED", "source"));
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    tokio::time::advance(told.retry_after.unwrap()).await;
    let response = service.clone().oneshot(call(UNARY, "192.0.2.1")).await.unwrap();
    assert_eq!(refusal(&response), None, "it was told when");
    let response = service.clone().oneshot(call(UNARY, "192.0.2.2")).await.unwrap();
    assert_eq!(refusal(&response), None, "others are not touched");
}

#[tokio::test(start_paused = true)]
async fn an_ipv6_network_is_one_source_whatever_its_addresses() {
    let asked = Arc::<AtomicUsize>::default();
    let limits = Limits { source: slow(3), ..Limits::default() };
    let service = EntranceLayer::new(&limits).layer(answering(&asked));
    for host in 0..100 {
        let address = format!("2001:db8::{host:x}");
        service.clone().oneshot(call(UNARY, &address)).await.unwrap();
    }
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_peer_passes_on_is_not_charged_again() {
    let asked = Arc::<AtomicUsize>::default();
    let limits = Limits { source: slow(3), ..Limits::default() };
    let service = EntranceLayer::new(&limits).layer(answering(&asked));
    for _ in 0..10 {
        let mut request = call(UNARY, "10.0.0.1");
        let address = "198.51.100.7".parse().ok();
        let correlation_id = uuid::Uuid::nil();
        request.extensions_mut().insert(Forwarded { correlation_id, address, certificate: None });
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(refusal(&response), None);
    }
}

#[tokio::test(start_paused = true)]
async fn where_a_call_comes_from_is_said_once_and_what_was_said_before_is_gone() {
    let looks = service_fn(|mut request: Request<Body>| async move {
        assert!(!request.headers().contains_key("x-forwarded-for"));
        let address = request.extensions_mut().remove::<ClientAddress>().unwrap();
        assert!(request.extensions().get::<PeerCertificate>().is_none());
        Ok::<_, Infallible>(Response::new(Body::new(address.0.to_string())))
    });
    let trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let limits = Limits { trusted_proxies, ..Limits::default() };
    let service = WhenceLayer::new(&limits).layer(looks);
    for (address, source) in [("192.0.2.1", "192.0.2.1"), ("10.0.0.1", "198.51.100.7")] {
        let mut request = call(UNARY, address);
        request.headers_mut().insert("x-forwarded-for", HeaderValue::from_static("198.51.100.7"));
        let response = service.clone().oneshot(request).await.unwrap();
        let mut body = response.into_body();
        let said = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        assert_eq!(said.unwrap().unwrap().into_data().unwrap(), source);
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_process_refuses_with_a_short_delay_and_still_says_that_it_lives() {
    let never = service_fn(|request: Request<Body>| async move {
        if request.uri().path() == UNARY {
            pending::<()>().await;
        }
        Ok::<_, Infallible>(Response::new(Body::empty()))
    });
    let limits = Limits { max_in_flight: number(2), ..Limits::default() };
    let service = EntranceLayer::new(&limits).layer(never);
    let under_way =
        [(); 4].map(|()| tokio::spawn(service.clone().oneshot(call(UNARY, "192.0.2.1"))));
    tokio::task::yield_now().await;
    let response = service.clone().oneshot(call(UNARY, "192.0.2.1")).await.unwrap();
    let told = refusal(&response).unwrap();
    assert_eq!((&*told.reason, &*told.limit), ("OVERLOADED", ""));
    let delay = told.retry_after.unwrap();
    assert!((100..=300).contains(&delay.as_millis()), "{delay:?}");
    let health = call("/grpc.health.v1.Health/Check", "192.0.2.1");
    assert_eq!(refusal(&service.clone().oneshot(health).await.unwrap()), None);
    // A caller who goes away makes room.
    for call in under_way {
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    }
    let mut other = service.clone().oneshot(call(UNARY, "192.0.2.1"));
    let let_in = tokio::time::timeout(Duration::from_secs(1), &mut other).await;
    assert!(let_in.is_err(), "it is under way and not refused");
}

#[tokio::test(start_paused = true)]
async fn streams_are_counted_as_long_as_they_are_open_and_apart_from_calls() {
    let asked = Arc::<AtomicUsize>::default();
    let limits = Limits {
        max_in_flight: number(1),
        max_streams_per_caller: number(2),
        max_streams: number(3),
        ..Limits::default()
    };
    let service = EntranceLayer::new(&limits).layer(answering(&asked));
    let open = async |address: &str| service.clone().oneshot(call(STREAM, address)).await.unwrap();
    let first = open("192.0.2.1").await;
    let _second = open("192.0.2.1").await;
    let told = refusal(&open("192.0.2.1").await).unwrap();
    assert_eq!((&*told.reason, &*told.limit), ("RATE_LIMITED", "source"));
    assert!(told.retry_after.is_some());
    let _third = open("192.0.2.2").await;
    let told = refusal(&open("192.0.2.3").await).unwrap();
    assert_eq!(told.reason, "OVERLOADED");
    let response = service.clone().oneshot(call(UNARY, "192.0.2.1")).await.unwrap();
    assert_eq!(refusal(&response), None, "calls have a room of their own");
    drop(first);
    assert_eq!(refusal(&open("192.0.2.1").await), None);
}
