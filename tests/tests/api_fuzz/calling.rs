//! Calling any RPC with any message, by the descriptors of the schema alone.

use std::time::Duration;

use bytes::{Buf, BufMut};
use countersign_tests::schema::Rpc;
use http::uri::PathAndQuery;
use prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::AsciiMetadataValue,
    transport::Channel,
};

/// How long the first answer of a stream may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whoever may call everything: an operator who names a tenant.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    pub(crate) channel: Channel,
    pub(crate) key: String,
}

impl Operator {
    /// Calls `rpc` on behalf of `tenant`; returns the first answer, if there is one.
    pub(crate) async fn call(
        &self,
        rpc: &Rpc,
        tenant: &str,
        message: &DynamicMessage,
    ) -> Result<Option<DynamicMessage>, Status> {
        self.call_with_bytes(rpc, tenant, message.encode_to_vec()).await
    }

    /// Calls `rpc` with bytes that need not be a message.
    pub(crate) async fn call_with_bytes(
        &self,
        rpc: &Rpc,
        tenant: &str,
        bytes: Vec<u8>,
    ) -> Result<Option<DynamicMessage>, Status> {
        let mut request = Request::new(bytes);
        let metadata = request.metadata_mut();
        let bearer = format!("Bearer {}", self.key);
        metadata.insert("authorization", AsciiMetadataValue::try_from(bearer).unwrap());
        metadata.insert("countersign-tenant", AsciiMetadataValue::try_from(tenant).unwrap());
        let path = PathAndQuery::try_from(rpc.path()).unwrap();
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await.unwrap();
        let codec = AnyMessage { answer: rpc.0.output() };
        if rpc.0.is_server_streaming() {
            let mut answers = client.server_streaming(request, path, codec).await?.into_inner();
            tokio::time::timeout(PATIENCE, answers.message()).await.expect("a stream begins")
        } else {
            client.unary(request, path, codec).await.map(|answer| Some(answer.into_inner()))
        }
    }
}

/// Sends bytes as they are and reads answers by their descriptor.
#[derive(Clone, Debug)]
struct AnyMessage {
    answer: MessageDescriptor,
}

impl Codec for AnyMessage {
    type Encode = Vec<u8>;
    type Decode = DynamicMessage;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        self.clone()
    }

    fn decoder(&mut self) -> Self {
        self.clone()
    }
}

impl Encoder for AnyMessage {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, bytes: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&bytes);
        Ok(())
    }
}

impl Decoder for AnyMessage {
    type Item = DynamicMessage;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<DynamicMessage>, Status> {
        let bytes = from.copy_to_bytes(from.remaining());
        let message = DynamicMessage::decode(self.answer.clone(), bytes);
        message.map(Some).map_err(|error| Status::unknown(error.to_string()))
    }
}
