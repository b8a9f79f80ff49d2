//! Clients that hold things up.

use std::{
    io::ErrorKind,
    time::{Duration, Instant},
};

use countersign_proto::enrollment::ListAuthenticatorsRequest;
use countersign_service::limits::Limits;
use countersign_tests::{House, reason};
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::interval};
use tonic::Code;

use crate::{number, raw::Raw, soon};

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_a_message_byte_by_byte_is_cut_and_others_are_served_meanwhile() {
    let limits = Limits { body_timeout_seconds: number(1), ..Limits::default() };
    let house = House::limited(limits).await;
    let tenant = house.tenant("acme").await;
    let key = countersign_tests::first_key(&house.data_dir());
    let mut client = Raw::connect(house.address()).await;
    let authorization = format!("Bearer {key}");
    let headers = [
        ("content-type", "application/grpc"),
        ("authorization", &*authorization),
        ("countersign-tenant", "acme"),
    ];
    let mut call = client.begin(&headers).await;
    assert!(call.send(crate::raw::framed(0, &[0; 1_000])[..5].to_vec(), false));
    let began = Instant::now();
    let mut every = interval(Duration::from_millis(100));
    let list = ListAuthenticatorsRequest { user_id: "ann".to_owned(), ..Default::default() };
    let mut sent = 0;
    // The client goes on for as long as the server lets it.
    while call.send(vec![b'x'], false) {
        sent += 1;
        assert!(sent < 200, "the server does not cut it");
        tenant.platform.enrollment().list_authenticators(list.clone()).await.unwrap();
        every.tick().await;
        if began.elapsed() > Duration::from_secs(3) {
            break;
        }
    }
    assert!(began.elapsed() >= Duration::from_secs(1), "{sent} bytes");
    let (status, _) = call.answer().await;
    assert_eq!((status.code(), &*reason(&status)), (Code::DeadlineExceeded, "REQUEST_TOO_SLOW"));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_with_too_many_connections_gets_no_further_one_until_one_ends() {
    let limits = Limits { max_connections_per_source: number(3), ..Limits::default() };
    let house = House::limited(limits).await;
    // The house itself has one.
    let (first, second) =
        (Raw::connect(house.address()).await, Raw::connect(house.address()).await);
    let mut refused = TcpStream::connect(house.address()).await.unwrap();
    let end = soon(refused.read(&mut [0; 1])).await;
    assert!(matches!(end, Ok(0)) || end.is_err_and(|e| e.kind() == ErrorKind::ConnectionReset));
    drop(first);
    // The server learns of it when it reads on.
    let connected = async {
        loop {
            let stream = TcpStream::connect(house.address()).await.unwrap();
            if let Ok((requests, connection)) = h2::client::handshake(stream).await {
                let connection = tokio::spawn(connection);
                if requests.ready().await.is_ok() && !connection.is_finished() {
                    return connection.abort_handle();
                }
            }
        }
    };
    soon(connected).await.abort();
    drop(second);
    house.stop().await;
}
