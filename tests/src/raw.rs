//! Calls by path with bytes, for tests that go over every RPC of the schema.

use bytes::{Buf as _, BufMut as _};
use http::uri::PathAndQuery;
use prost::Message;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use crate::Caller;

/// Lets messages through as they are.
#[derive(Clone, Copy, Debug, Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining()).to_vec()))
    }
}

impl Caller {
    /// Calls the RPC at `path`, for example `/countersign.policy.v1.PolicyService/EvaluateSignIn`, and returns the messages
    /// of its answer: one, unless it is a stream.
    ///
    /// # Errors
    /// Returns what the server says.
    pub async fn call(&self, path: &str, message: &impl Message) -> Result<Vec<Vec<u8>>, Status> {
        self.call_with_bytes(path, message.encode_to_vec()).await
    }

    /// Calls the RPC at `path` with bytes that may be no message at all.
    ///
    /// # Errors
    /// Returns what the server says.
    pub async fn call_with_bytes(
        &self,
        path: &str,
        message: Vec<u8>,
    ) -> Result<Vec<Vec<u8>>, Status> {
        let mut grpc = Grpc::new(self.service());
        grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let path = PathAndQuery::try_from(path).unwrap();
        let request = Request::new(message);
        let mut answer = grpc.server_streaming(request, path, Bytes).await?.into_inner();
        let mut messages = Vec::new();
        while let Some(message) = answer.message().await? {
            messages.push(message);
        }
        Ok(messages)
    }
}
