//! What is not passed on, and how that is said.

use countersign_proto::policy::EvaluateSignInRequest;
use countersign_service::peers::PeerAddresses;
use tonic::{Code, Request};
use tonic_types::StatusExt as _;

use crate::{
    peer::{Peer, Script},
    world::{Front, LIMIT, forwarding, reason},
};

#[tokio::test]
async fn what_is_served_here_stays_here() {
    let here = Script::new("here");
    let peers = PeerAddresses::default();
    let front = Front::start(&peers, LIMIT, &forwarding(LIMIT), Some(here.clone())).await;
    assert_eq!(front.change("").await.unwrap(), "here");
    assert!(here.asked()[0].get("countersign-forwarded").is_none());
}

#[tokio::test]
async fn a_service_that_nobody_named_is_said_with_the_setting_that_would_name_it() {
    let peers = PeerAddresses::default();
    let front = Front::start(&peers, LIMIT, &forwarding(LIMIT), None).await;
    let status = front.read().await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Unimplemented, "SERVICE_NOT_SERVED"));
    for part in ["serves challenge", "peers.audit", "http://audit:7443"] {
        assert!(status.message().contains(part), "{status:?}");
    }
}

#[tokio::test]
async fn a_call_is_passed_on_once_only() {
    let peers = PeerAddresses::default();
    let last = Front::start(&peers, LIMIT, &forwarding(LIMIT), None).await;
    let middle = Front::to(&[last.address]).await;
    let first = Front::to(&[middle.address]).await;
    let status = first.read().await.unwrap_err();
    assert_eq!(
        (status.code(), &*reason(&status)),
        (Code::FailedPrecondition, "PEERS_MISCONFIGURED")
    );
    assert!(status.message().contains("peers.audit"), "{status:?}");
    assert!(status.get_details_precondition_failure().is_some());
}

#[tokio::test]
async fn a_process_that_serves_something_else_costs_no_call() {
    let peers = PeerAddresses::default();
    let other = Front::start(&peers, LIMIT, &forwarding(LIMIT), None).await;
    let a = Peer::start("a").await;
    let front = Front::to(&[other.address, a.address]).await;
    for _ in 0..10 {
        assert_eq!(front.read().await.unwrap(), "a");
    }
}

#[tokio::test]
async fn a_request_that_is_too_large_is_refused_before_it_is_passed_on() {
    let a = Peer::start("a").await;
    let front = Front::to(&[a.address]).await;
    let sized = |bytes: usize| {
        let user_id = "x".repeat(bytes);
        Request::new(EvaluateSignInRequest { user_id, ..EvaluateSignInRequest::default() })
    };
    // A field's key and length take four bytes.
    let most = 64 * 1024 - 4;
    front.policy().evaluate_sign_in(sized(most)).await.unwrap();
    let status = front.policy().evaluate_sign_in(sized(most + 1)).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::OutOfRange, "REQUEST_TOO_LARGE"));
    assert_eq!(a.script.count(), 1);
}
