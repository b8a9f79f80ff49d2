//! The services that a client meets.

use tonic::{Request, Response, Status, Streaming};

use super::{
    append::{self, SessionAnswers},
    faults::Faults,
    read::{self, Answers},
    store::Store,
    wire::{
        Empty,
        gossip::{
            ClusterInfo, EndPoint, MemberInfo, gossip_server::Gossip, member_info::VNodeState,
        },
        server_features::{
            SupportedMethod, SupportedMethods, server_features_server::ServerFeatures,
        },
        streams::{
            AppendReq, AppendResp, BatchAppendReq, DeleteReq, DeleteResp, ReadReq, TombstoneReq,
            TombstoneResp, streams_server::Streams,
        },
    },
};

/// What it says its version is: one that tells followers when they have caught up.
const VERSION: &str = "25.1.0";

#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) store: Store,
    pub(super) faults: Faults,
    pub(super) port: u16,
}

#[tonic::async_trait]
impl Streams for Service {
    type ReadStream = Answers;
    type BatchAppendStream = SessionAnswers;

    async fn read(&self, request: Request<ReadReq>) -> Result<Response<Answers>, Status> {
        self.faults.admit(request.metadata()).await?;
        read::read(&self.store, request.into_inner()).await.map(Response::new)
    }

    async fn append(
        &self,
        request: Request<Streaming<AppendReq>>,
    ) -> Result<Response<AppendResp>, Status> {
        self.faults.admit(request.metadata()).await?;
        append::append(&self.store, &self.faults, request.into_inner()).await.map(Response::new)
    }

    async fn batch_append(
        &self,
        request: Request<Streaming<BatchAppendReq>>,
    ) -> Result<Response<SessionAnswers>, Status> {
        let metadata = request.metadata().clone();
        let (store, faults) = (self.store.clone(), self.faults.clone());
        Ok(Response::new(append::session(store, faults, metadata, request.into_inner())))
    }

    async fn delete(&self, _: Request<DeleteReq>) -> Result<Response<DeleteResp>, Status> {
        Err(Status::unimplemented("the double deletes nothing"))
    }

    async fn tombstone(&self, _: Request<TombstoneReq>) -> Result<Response<TombstoneResp>, Status> {
        Err(Status::unimplemented("the double deletes nothing"))
    }
}

#[tonic::async_trait]
impl ServerFeatures for Service {
    async fn get_supported_methods(
        &self,
        _: Request<Empty>,
    ) -> Result<Response<SupportedMethods>, Status> {
        let methods = ["read", "append", "batchappend"].map(|method| SupportedMethod {
            method_name: method.to_owned(),
            service_name: "event_store.client.streams.streams".to_owned(),
            features: Vec::new(),
        });
        Ok(Response::new(SupportedMethods {
            methods: methods.into(),
            event_store_server_version: VERSION.to_owned(),
        }))
    }
}

#[tonic::async_trait]
impl Gossip for Service {
    async fn read(&self, _: Request<Empty>) -> Result<Response<ClusterInfo>, Status> {
        let alone = MemberInfo {
            state: VNodeState::Leader.into(),
            is_alive: true,
            http_end_point: Some(EndPoint {
                address: "127.0.0.1".to_owned(),
                port: self.port.into(),
            }),
            ..MemberInfo::default()
        };
        Ok(Response::new(ClusterInfo { members: vec![alone] }))
    }
}
