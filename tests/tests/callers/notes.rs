//! The note on a call that one process passes on to another: taken once, it is good for that call alone; and nobody outside
//! can write one, or name requests.

use std::time::Duration;

use countersign::serve::{Server, ServiceName};
use countersign_proto::{admin::GetTenantRequest, enrollment::GetUserRequest};
use countersign_service::peers::{FORWARDED_METADATA, PeerAddresses};
use countersign_tests::{Caller, House, connect, reason};
use http::{HeaderMap, Response};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::timeout,
};
use tonic::{Code, Request, Status, transport::Channel};

use crate::{
    probes::{PATIENCE, audits, is_nobody, newest, placed},
    proxies::{behind_a_proxy, confined},
};

const CORRELATION: &str = "countersign-correlation-id";

/// Somebody who is taken for a peer, and keeps what it is sent.
struct Eavesdropper {
    heard: mpsc::UnboundedReceiver<HeaderMap>,
    door: Server,
    channel: Channel,
}

impl Eavesdropper {
    /// Has a door of `house` pass its calls on to it.
    async fn at(house: &House) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let urls = vec![format!("http://{}", listener.local_addr().unwrap())];
        let (tell, heard) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(listen(stream, tell.clone()));
            }
        });
        let peers = PeerAddresses::parse([("enrollment", &urls)]).unwrap();
        let door = house.door(&[ServiceName::Challenge], peers).await;
        let channel = connect(door.address()).await;
        Self { heard, door, channel }
    }

    /// Hears what is passed on of a call from 192.0.2.7, with which nothing is done.
    async fn hears(&mut self) -> Note {
        let mut request = Request::new(GetTenantRequest {});
        request.metadata_mut().insert("x-forwarded-for", "192.0.2.7".parse().unwrap());
        let caller = Caller::new(self.channel.clone(), "nobody");
        assert_eq!(caller.admin().get_tenant(request).await.unwrap_err().code(), Code::NotFound);
        let headers = timeout(PATIENCE, self.heard.recv()).await.unwrap().unwrap();
        let text = |name: &str| headers[name].to_str().unwrap().to_owned();
        Note { written: text(FORWARDED_METADATA), correlation_id: text(CORRELATION) }
    }
}

/// Keeps the headers of every request, and answers that there is nothing.
async fn listen(stream: TcpStream, tell: mpsc::UnboundedSender<HeaderMap>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut answer))) = connection.accept().await {
        tell.send(request.headers().clone()).ok();
        let response = Response::builder()
            .header("content-type", "application/grpc")
            .header("grpc-status", (Code::NotFound as i32).to_string());
        answer.send_response(response.body(()).unwrap(), true).unwrap();
    }
}

#[derive(Clone, Debug)]
struct Note {
    written: String,
    correlation_id: String,
}

impl Note {
    /// Puts the note on a request.
    fn on<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert(FORWARDED_METADATA, self.written.parse().unwrap());
        metadata.insert(CORRELATION, self.correlation_id.parse().unwrap());
        request
    }

    /// Shows it with the call that it was written for.
    async fn shown(&self, caller: &Caller) -> Result<(), Status> {
        caller.admin().get_tenant(self.on(GetTenantRequest {})).await.map(drop)
    }
}

fn is_refused(status: &Status) {
    assert_eq!(
        (status.code(), &*reason(status)),
        (Code::FailedPrecondition, "PEERS_MISCONFIGURED")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_is_believed_for_its_call_and_its_minute_only() {
    let house = behind_a_proxy().await;
    let tenant = house.tenant("acme").await;
    let caller = Caller::new(house.channel(), &confined(&tenant).await);
    is_nobody(&audits(&caller).await.unwrap_err());
    let mut eavesdropper = Eavesdropper::at(&house).await;
    let note = eavesdropper.hears().await;
    // It is genuine: it says that the call came from where the key may be used.
    note.shown(&caller).await.unwrap();
    let request = GetUserRequest { user_id: "ann".to_owned() };
    let other_path = caller.enrollment().get_user(note.on(request)).await;
    is_refused(&other_path.unwrap_err());
    let other_id = uuid::Uuid::from_u128(7).to_string();
    let other_call = Note { correlation_id: other_id, ..note.clone() };
    is_refused(&other_call.shown(&caller).await.unwrap_err());
    house.clock.advance(Duration::from_secs(60));
    note.shown(&caller).await.unwrap();
    house.clock.advance(Duration::from_secs(1));
    is_refused(&note.shown(&caller).await.unwrap_err());
    eavesdropper.door.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_no_process_of_the_installation_wrote_is_refused_whoever_shows_it() {
    let house = behind_a_proxy().await;
    let tenant = house.tenant("acme").await;
    let caller = Caller::new(house.channel(), &confined(&tenant).await);
    let neighbour = behind_a_proxy().await;
    neighbour.clock.set(house.now());
    let mut eavesdropper = Eavesdropper::at(&neighbour).await;
    let note = eavesdropper.hears().await;
    let (head, tag) = note.written.rsplit_once('.').unwrap();
    let seconds = house.now().unix_seconds();
    for written in [
        note.written.clone(),
        // Claims another address, or a certificate.
        note.written.replacen("192.0.2.7", "192.0.2.8", 1),
        format!("v1.{seconds}.192.0.2.7.c3BpZmZlOi8vZXhhbXBsZS5vcmcvYQ.{tag}"),
        head.to_owned(),
        format!("{head}."),
        "1".to_owned(),
        "true".to_owned(),
    ] {
        let forged = Note { written, ..note.clone() };
        is_refused(&forged.shown(&caller).await.unwrap_err());
        // A right key does not make up for it.
        is_refused(&forged.shown(&tenant.admin).await.unwrap_err());
    }
    eavesdropper.door.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_outside_names_requests() {
    let house = House::single().await;
    let tenant = house.tenant("acme").await;
    let urls = vec![format!("http://{}", house.address())];
    let peers = PeerAddresses::parse([("enrollment", &urls)]).unwrap();
    let door = house.door(&[ServiceName::Challenge], peers).await;
    let mine = uuid::Uuid::from_u128(7).to_string();
    for (channel, user) in [(house.channel(), "ann"), (connect(door.address()).await, "bob")] {
        let mut request = Request::new(placed(user));
        request.metadata_mut().insert(CORRELATION, mine.parse().unwrap());
        let platform = tenant.platform.over(channel);
        let answer = platform.enrollment().place_user(request).await.unwrap();
        let given = answer.metadata().get(CORRELATION).unwrap().to_str().unwrap();
        assert_ne!(given, mine);
        assert_eq!(newest(&tenant.auditor, user).await.correlation_id, given);
    }
    door.stop().await.unwrap();
}
