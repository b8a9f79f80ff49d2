//! What arrives at the peer and what comes back.

use countersign_proto::audit::GetStateAsOfRequest;
use countersign_service::{ApiError, Reason, to_status};
use tonic::{Code, Request, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::{
    peer::{Peer, Turn},
    world::Front,
};

const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[tokio::test]
async fn metadata_arrives_as_it_was_sent_and_says_that_it_was_passed_on() {
    let a = Peer::start("a").await;
    let front = Front::to(&[a.address]).await;
    let mut request = Request::new(GetStateAsOfRequest::default());
    let sent = [
        ("authorization", "Bearer key"),
        ("countersign-tenant", "acme"),
        ("traceparent", TRACEPARENT),
    ];
    for (name, value) in sent {
        request.metadata_mut().insert(name, value.parse().unwrap());
    }
    front.audit().get_state_as_of(request).await.unwrap();
    let asked = a.script.asked();
    for (name, value) in sent {
        assert_eq!(asked[0].get(name).unwrap(), value);
    }
    let note = asked[0].get("countersign-forwarded").unwrap().to_str().unwrap();
    assert!(note.starts_with("v1.1000.-.-."), "{note}");
}

#[tokio::test]
async fn an_error_of_the_peer_arrives_as_it_is() {
    let a = Peer::start("a").await;
    let front = Front::to(&[a.address]).await;
    let errors = [
        to_status(&ApiError::new(Reason::AuthenticatorNotFound)),
        to_status(&ApiError::new(Reason::Internal)),
        Status::with_error_details(Code::DeadlineExceeded, "late", ErrorDetails::new()),
        Status::cancelled("enough"),
    ];
    for mut sent in errors {
        sent.metadata_mut().insert("fact", "1".parse().unwrap());
        a.script.then(Turn::Fail(sent.clone()));
        let came = front.change("r-1").await.unwrap_err();
        assert_eq!((came.code(), came.message()), (sent.code(), sent.message()));
        assert_eq!(came.details(), sent.details());
        assert_eq!(came.metadata().get("fact").unwrap(), "1");
    }
    assert_eq!(a.script.count(), 4, "none is repeated");
}

#[tokio::test]
async fn an_outage_that_somebody_on_the_way_reports_says_when_to_ask_again() {
    let a = Peer::start("a").await;
    let front = Front::to(&[a.address]).await;
    a.script.then(Turn::Fail(Status::unavailable("no healthy upstream")));
    crate::world::assert_outage(&front.change("").await.unwrap_err());
}
