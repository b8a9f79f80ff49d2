//! Which connections are let in, and which are closed.

use std::{io, net::SocketAddr, time::Duration};

use countersign_service::limits::{LimitedConnection, Limits, limited};
use futures_util::StreamExt as _;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadBuf, duplex},
    time::Instant,
};
use tonic::transport::server::{Connected, TcpConnectInfo};

use crate::world::number;

/// The server's end of a connection from somewhere.
#[derive(Debug)]
struct From(SocketAddr, DuplexStream);

impl From {
    fn address(address: &str) -> (Self, DuplexStream) {
        let (server, client) = duplex(1_024);
        (Self(SocketAddr::new(address.parse().unwrap(), 4_711), server), client)
    }
}

impl Connected for From {
    type ConnectInfo = TcpConnectInfo;

    fn connect_info(&self) -> TcpConnectInfo {
        TcpConnectInfo { local_addr: None, remote_addr: Some(self.0) }
    }
}

impl AsyncRead for From {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.1).poll_read(context, buffer)
    }
}

/// Offers connections from `addresses` one after the other, all kept, and returns which are let in, with the clients' ends.
async fn offered(
    limits: &Limits,
    addresses: &[&str],
) -> (Vec<LimitedConnection<From>>, Vec<DuplexStream>) {
    let (servers, clients): (Vec<_>, Vec<_>) =
        addresses.iter().map(|address| From::address(address)).unzip();
    let incoming = futures_util::stream::iter(servers.into_iter().map(io::Result::Ok));
    let let_in = limited(incoming, limits).map(Result::unwrap).collect().await;
    (let_in, clients)
}

fn addresses(let_in: &[LimitedConnection<From>]) -> Vec<String> {
    let address = |one: &LimitedConnection<From>| one.connect_info().remote_addr().unwrap().ip();
    let_in.iter().map(|one| address(one).to_string()).collect()
}

#[tokio::test]
async fn each_source_has_so_many_connections_and_others_are_closed_unread() {
    let limits = Limits { max_connections_per_source: number(2), ..Limits::default() };
    let from = [
        "192.0.2.1",
        "192.0.2.1",
        "192.0.2.1",
        "192.0.2.2",
        "2001:db8::1",
        "2001:db8::2",
        "2001:db8::3",
    ];
    let (let_in, mut clients) = offered(&limits, &from).await;
    let expected = ["192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2"];
    assert_eq!(addresses(&let_in), expected);
    assert_eq!(clients[2].read(&mut [0; 1]).await.unwrap(), 0, "the third is at its end");
}

#[tokio::test]
async fn all_together_have_so_many_and_proxies_only_that_bound() {
    let limits = Limits {
        max_connections: number(3),
        max_connections_per_source: number(1),
        trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
        ..Limits::default()
    };
    let from = ["10.0.0.1", "10.0.0.1", "192.0.2.1", "192.0.2.2"];
    let (let_in, _clients) = offered(&limits, &from).await;
    assert_eq!(addresses(&let_in), ["10.0.0.1", "10.0.0.1", "192.0.2.1"]);
}

#[tokio::test]
async fn a_connection_that_ends_makes_room() {
    let limits = Limits { max_connections_per_source: number(1), ..Limits::default() };
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let incoming = tokio_stream::wrappers::UnboundedReceiverStream::new(receiver);
    let mut doors = Box::pin(limited(incoming, &limits));
    for _ in 0..3 {
        let (server, _client) = From::address("192.0.2.1");
        sender.send(Ok(server)).unwrap();
        let let_in = doors.next().await.unwrap();
        drop(let_in.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_says_nothing_or_dribbles_is_cut() {
    let began = Instant::now();
    let (mut let_in, mut clients) = offered(&Limits::default(), &["192.0.2.1"; 2]).await;
    let mut client = clients.remove(0);
    tokio::spawn(async move {
        while client.write_all(b"P").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    for connection in &mut let_in {
        let mut heard = Vec::new();
        let error = connection.read_to_end(&mut heard).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed(), Duration::from_secs(10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_has_spoken_may_be_silent() {
    let (mut let_in, mut clients) = offered(&Limits::default(), &["192.0.2.1"]).await;
    clients[0].write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut heard = [0; 24];
    let_in[0].read_exact(&mut heard).await.unwrap();
    let mut more = [0; 1];
    let silent = tokio::time::timeout(Duration::from_secs(3_600), let_in[0].read(&mut more)).await;
    assert!(silent.is_err());
}
