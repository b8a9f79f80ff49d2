//! A client that does what no library would do.

use std::net::SocketAddr;

use bytes::Bytes;
use h2::{RecvStream, SendStream, client::SendRequest};
use http::{HeaderMap, Request, Response};
use tokio::net::TcpStream;
use tonic::Status;

use crate::soon;

/// Any RPC that answers once.
pub(crate) const PATH: &str = "/countersign.challenge.v1.ChallengeService/VerifyChallenge";

/// A connection of HTTP/2.
pub(crate) struct Raw {
    address: SocketAddr,
    requests: SendRequest<Bytes>,
}

/// A call whose message is still to be sent.
pub(crate) struct Call {
    answer: h2::client::ResponseFuture,
    message: SendStream<Bytes>,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let (requests, connection) = soon(h2::client::handshake(stream)).await.unwrap();
        // It ends with the requests, or with the server.
        tokio::spawn(async { connection.await.ok() });
        Self { address, requests }
    }

    /// Begins a call with `headers`, which say more than what every call says.
    pub(crate) async fn begin(&mut self, headers: &[(&'static str, &str)]) -> Call {
        let uri = format!("http://{}{PATH}", self.address);
        let mut request = Request::post(uri).header("te", "trailers");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut requests = soon(self.requests.clone().ready()).await.unwrap();
        let (answer, message) = requests.send_request(request.body(()).unwrap(), false).unwrap();
        Call { answer, message }
    }
}

impl Call {
    /// Sends a part of the message. Returns whether the server still takes any.
    pub(crate) fn send(&mut self, part: impl Into<Bytes>, is_last: bool) -> bool {
        self.message.send_data(part.into(), is_last).is_ok()
    }

    /// Waits for the answer, and returns its status with what else it says.
    pub(crate) async fn answer(self) -> (Status, Vec<u8>) {
        let response = soon(self.answer).await.unwrap();
        // Whatever is left of the message is not wanted any more.
        drop(self.message);
        let (head, mut body) = Response::into_parts(response);
        let (bytes, trailers) = whole(&mut body).await;
        let told = Status::from_header_map(&head.headers);
        let told = told.or_else(|| Status::from_header_map(&trailers));
        let told = told.or_else(|| Status::from_header_map(&web_trailers(&bytes)));
        (told.expect("a status"), bytes)
    }
}

async fn whole(body: &mut RecvStream) -> (Vec<u8>, HeaderMap) {
    let mut bytes = Vec::new();
    while let Some(part) = soon(body.data()).await {
        let Ok(part) = part else { break };
        body.flow_control().release_capacity(part.len()).unwrap();
        bytes.extend_from_slice(&part);
    }
    let trailers = soon(body.trailers()).await.ok().flatten();
    (bytes, trailers.unwrap_or_default())
}

/// Reads the trailers of gRPC-Web, which stand at the end of the body behind a frame marked 0x80.
fn web_trailers(bytes: &[u8]) -> HeaderMap {
    let mut rest = bytes;
    while let [mark, a, b, c, d, after @ ..] = rest {
        let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap();
        let (frame, following) = after.split_at(length.min(after.len()));
        if *mark == 0x80 {
            let lines = str::from_utf8(frame).unwrap().lines();
            let pairs = lines.filter_map(|line| line.split_once(':'));
            return pairs
                .map(|(name, value)| {
                    (name.parse::<http::HeaderName>().unwrap(), value.trim().parse().unwrap())
                })
                .collect();
        }
        rest = following;
    }
    HeaderMap::new()
}

/// Puts the prefix of gRPC before `message`: whether it is compressed, and its length.
pub(crate) fn framed(compressed: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[compressed][..], &length, message].concat()
}
