//! Requests that are too large, however they are dressed up.

use countersign_tests::{House, first_key, reason};
use data_encoding::BASE64;
use tonic::Code;

use crate::raw::{Raw, framed};

const TOO_LARGE: usize = 100_000;

/// How a gzip stream begins (RFC 1952 section 2.3).
const GZIP_MAGIC: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03";

/// Sends `body` as `content_type`, and returns the status with its reason.
async fn sent(
    house: &House,
    content_type: &str,
    more: Option<(&'static str, &str)>,
    body: Vec<u8>,
) -> (Code, String) {
    let authorization = format!("Bearer {}", first_key(&house.data_dir()));
    let mut headers = vec![
        ("content-type", content_type),
        ("authorization", &*authorization),
        ("countersign-tenant", "acme"),
    ];
    headers.extend(more);
    let mut client = Raw::connect(house.address()).await;
    let mut call = client.begin(&headers).await;
    call.send(body, true);
    let (status, _) = call.answer().await;
    (status.code(), reason(&status))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_100_kb_is_not_read_whatever_it_comes_as() {
    let house = House::single().await;
    house.tenant("acme").await;
    let message = framed(0, &vec![0; TOO_LARGE]);
    let as_text = BASE64.encode(&message).into_bytes();
    for (content_type, body) in [
        ("application/grpc", message.clone()),
        ("application/grpc-web", message.clone()),
        ("application/grpc-web+proto", message.clone()),
        ("application/grpc-web-text", as_text.clone()),
        ("application/grpc-web-text+proto", as_text),
    ] {
        let (code, reason) = sent(&house, content_type, None, body).await;
        assert_eq!((code, &*reason), (Code::OutOfRange, "REQUEST_TOO_LARGE"), "{content_type}");
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_that_is_only_claimed_is_refused_before_anything_is_kept_for_it() {
    let house = House::single().await;
    house.tenant("acme").await;
    let claims = [&[0][..], &u32::MAX.to_be_bytes(), b"little"].concat();
    let (code, reason) = sent(&house, "application/grpc", None, claims).await;
    assert_eq!((code, &*reason), (Code::OutOfRange, "REQUEST_TOO_LARGE"));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn compression_is_not_taken_at_all_so_no_bomb_is_unpacked() {
    let house = House::single().await;
    house.tenant("acme").await;
    let bomb = [GZIP_MAGIC, &[0; 1_000]].concat();
    for encoding in ["gzip", "deflate", "zstd"] {
        let more = Some(("grpc-encoding", encoding));
        let (code, _) = sent(&house, "application/grpc", more, framed(1, &bomb)).await;
        assert_eq!(code, Code::Unimplemented, "{encoding}");
    }
    // Marked as compressed, without saying how.
    let (code, reason) = sent(&house, "application/grpc", None, framed(1, &bomb)).await;
    assert_eq!((code, &*reason), (Code::InvalidArgument, "REQUEST_MALFORMED"));
    // Compressed as a whole, as HTTP would have it: it is read as it is.
    let more = Some(("content-encoding", "gzip"));
    let (code, _) = sent(&house, "application/grpc", more, bomb).await;
    assert_ne!(code, Code::Ok);
    house.stop().await;
}
