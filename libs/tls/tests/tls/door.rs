//! The door: who is slow, and who speaks something else.

use std::time::Duration;

use countersign_tls::{ClientTls, ExpectedPeer, HandshakeLimits, Incoming, ServerTls};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    time::Instant,
};
use tonic::transport::Endpoint;

use crate::server::{Server, channel, check, client, house, said};

const NEVER: Duration = Duration::from_secs(3_600);

/// The beginning of a handshake: a record of 512 bytes, of which few come.
const BEGINNING: [u8; 6] = [0x16, 0x03, 0x01, 0x02, 0x00, 0x01];

async fn idlers(server: &Server, count: usize) -> Vec<TcpStream> {
    let mut idlers = Vec::new();
    for number in 0..count {
        let mut tcp = TcpStream::connect(server.address).await.unwrap();
        // Some say nothing, some begin.
        if number % 2 == 0 {
            tcp.write_all(&BEGINNING).await.unwrap();
        }
        idlers.push(tcp);
    }
    idlers
}

/// Waits until the server has hung up.
async fn is_cut(tcp: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), tcp.read_to_end(&mut rest)).await.is_ok()
}

#[tokio::test]
async fn a_slow_handshake_is_cut_and_others_are_served_meanwhile() {
    let (_, files) = house();
    let tls = ServerTls::open(&files.server(true)).unwrap();
    let within = Duration::from_millis(1_500);
    let limits = HandshakeLimits { within, ..HandshakeLimits::default() };
    let server = Server::start(Some(tls), limits).await;
    let began = Instant::now();
    let mut idlers = idlers(&server, 20).await;
    check(client(server.address, &files)).await.unwrap();
    assert!(began.elapsed() < within, "nobody had to be cut for that");
    for idler in &mut idlers {
        assert!(is_cut(idler).await);
    }
    assert!(began.elapsed() >= within);
}

#[tokio::test]
async fn slow_clients_do_not_hold_the_door() {
    let (_, files) = house();
    let tls = ServerTls::open(&files.server(true)).unwrap();
    let at_least = Duration::from_millis(20);
    let limits = HandshakeLimits { at_once: 4, within: NEVER, at_least };
    let server = Server::start(Some(tls), limits).await;
    let mut idlers = idlers(&server, 40).await;
    for _ in 0..3 {
        let served = check(client(server.address, &files));
        tokio::time::timeout(Duration::from_secs(20), served).await.unwrap().unwrap();
    }
    // The first ones made room.
    assert!(is_cut(&mut idlers[0]).await);
}

#[tokio::test]
async fn one_who_is_slow_makes_room_for_one_who_waits() {
    let (_, files) = house();
    let tls = ServerTls::open(&files.server(true)).unwrap();
    let limits = HandshakeLimits { at_once: 8, within: NEVER, at_least: Duration::ZERO };
    let server = Server::start(Some(tls), limits).await;
    let mut idlers = idlers(&server, 8).await;
    check(client(server.address, &files)).await.unwrap();
    assert!(is_cut(&mut idlers[0]).await);
    for idler in &mut idlers[1..] {
        let mut byte = [0];
        let silence = tokio::time::timeout(Duration::from_millis(50), idler.read(&mut byte));
        assert!(silence.await.is_err(), "the others are still there");
    }
}

#[tokio::test]
async fn a_handshake_under_way_is_given_its_time() {
    let (_, files) = house();
    let tls = ServerTls::open(&files.server(true)).unwrap();
    let within = Duration::from_millis(700);
    let limits = HandshakeLimits { at_once: 1, within, at_least: NEVER };
    let server = Server::start(Some(tls), limits).await;
    let began = Instant::now();
    let mut idler = TcpStream::connect(server.address).await.unwrap();
    idler.write_all(&BEGINNING).await.unwrap();
    check(client(server.address, &files)).await.unwrap();
    assert!(began.elapsed() >= within, "the other one came first and had all its time");
}

#[tokio::test]
async fn nobody_is_cut_as_long_as_nobody_waits() {
    let (_, files) = house();
    let tls = ServerTls::open(&files.server(true)).unwrap();
    let limits = HandshakeLimits { at_once: 2, within: NEVER, at_least: Duration::ZERO };
    let server = Server::start(Some(tls), limits).await;
    let mut idlers = idlers(&server, 2).await;
    let mut byte = [0];
    let silence = tokio::time::timeout(Duration::from_millis(300), idlers[0].read(&mut byte));
    assert!(silence.await.is_err(), "it is still there");
}

#[tokio::test]
async fn plain_text_at_the_door_of_tls_fails_at_once_and_harms_nobody() {
    let (_, files) = house();
    let server = Server::with_tls(&files.server(false)).await;
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
    let refused = tokio::time::timeout(Duration::from_secs(5), check(endpoint.connect_lazy()));
    refused.await.expect("at once").unwrap_err();
    for garbage in [&b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"[..], &[0xff; 4_096], b"\x16\x03\x01\0\0"]
    {
        let mut tcp = TcpStream::connect(server.address).await.unwrap();
        tcp.write_all(garbage).await.unwrap();
        assert!(is_cut(&mut tcp).await);
    }
    check(client(server.address, &files)).await.unwrap();
}

#[tokio::test]
async fn tls_at_a_plain_door_fails_at_once() {
    let (_, files) = house();
    let server = Server::start(None, HandshakeLimits::default()).await;
    let tls = ClientTls::from_roots(files.path("ca.crt")).unwrap();
    let refused = check(channel(server.address, tls.connector(ExpectedPeer::Host)));
    let refused = tokio::time::timeout(Duration::from_secs(5), refused).await.expect("at once");
    let refused = said(&refused.unwrap_err());
    assert!(refused.contains("no TLS with 127.0.0.1"), "{refused}");
}

#[tokio::test]
async fn a_thousand_visitors_that_hang_up_leave_nothing_behind() {
    let (_, files) = house();
    let tls = ServerTls::open(&files.server(true)).unwrap();
    let limits = HandshakeLimits { at_once: 8, within: NEVER, at_least: NEVER };
    let server = Server::start(Some(tls), limits).await;
    for _ in 0..1_000 {
        drop(TcpStream::connect(server.address).await.unwrap());
    }
    check(client(server.address, &files)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_comes_in_through_a_narrow_door() {
    let (_, files) = house();
    let tls = ServerTls::open(&files.server(true)).unwrap();
    let at_least = Duration::from_secs(30);
    let limits = HandshakeLimits { at_once: 4, within: NEVER, at_least };
    let server = Server::start(Some(tls), limits).await;
    let caller = ClientTls::open(&files.client()).unwrap();
    let crowd: Vec<_> = (0..200)
        .map(|_| check(channel(server.address, caller.connector(ExpectedPeer::Host))))
        .map(tokio::spawn)
        .collect();
    for one in crowd {
        one.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_dropped_door_is_closed() {
    let (_, files) = house();
    for tls in [None, Some(ServerTls::open(&files.server(true)).unwrap())] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let incoming = Incoming::new(listener, tls, HandshakeLimits::default()).unwrap();
        let address = incoming.address();
        TcpStream::connect(address).await.unwrap();
        drop(incoming);
        TcpStream::connect(address).await.unwrap_err();
    }
}
