//! A replica that does as it is told and remembers what it was asked.

use std::{collections::VecDeque, net::SocketAddr, pin::Pin, sync::Arc, time::Duration};

use countersign_proto::{
    audit::{
        GetStateAsOfRequest, GetStateAsOfResponse, ReplayEventsRequest, ReplayEventsResponse,
        audit_service_server::{AuditService, AuditServiceServer},
    },
    policy::{
        EvaluateSignInRequest, EvaluateSignInResponse,
        policy_service_server::{PolicyService, PolicyServiceServer},
    },
};
use countersign_service::{ApiError, Reason, to_status};
use futures_util::{Stream, StreamExt as _};
use parking_lot::Mutex;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status, metadata::MetadataMap, transport::Server,
    transport::server::TcpIncoming,
};

pub(crate) type Messages =
    tokio::sync::mpsc::UnboundedReceiver<Result<ReplayEventsResponse, Status>>;

/// What a replica does with one call.
#[derive(Debug)]
pub(crate) enum Turn {
    /// Never answers.
    Hang,
    /// Answers with a status.
    Fail(Status),
    /// Answers with a stream of what comes.
    Stream(Messages),
}

/// What a replica was asked and what it does next; by itself it answers at once.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    name: &'static str,
    turns: Arc<Mutex<VecDeque<Turn>>>,
    asked: Arc<Mutex<Vec<MetadataMap>>>,
    count: watch::Sender<usize>,
}

impl Script {
    pub(crate) fn new(name: &'static str) -> Self {
        let count = watch::Sender::new(0);
        Self { name, turns: Arc::default(), asked: Arc::default(), count }
    }

    /// Says what is done with the next call that has no turn yet.
    pub(crate) fn then(&self, turn: Turn) {
        self.turns.lock().push_back(turn);
    }

    /// Returns the metadata of every call.
    pub(crate) fn asked(&self) -> Vec<MetadataMap> {
        self.asked.lock().clone()
    }

    /// Returns how many calls arrived.
    pub(crate) fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits for so many calls.
    pub(crate) async fn was_asked(&self, times: usize) {
        self.count.subscribe().wait_for(|count| *count >= times).await.unwrap();
    }

    fn begin<T>(&self, request: &Request<T>) -> Option<Turn> {
        self.asked.lock().push(request.metadata().clone());
        let turn = self.turns.lock().pop_front();
        self.count.send_modify(|count| *count += 1);
        turn
    }

    async fn answer<T, R: Default>(&self, request: Request<T>) -> Result<Response<R>, Status> {
        match self.begin(&request) {
            None | Some(Turn::Stream(_)) => {}
            Some(Turn::Hang) => std::future::pending().await,
            Some(Turn::Fail(status)) => return Err(status),
        }
        let mut response = Response::new(R::default());
        response.metadata_mut().insert("answered-by", self.name.parse().unwrap());
        Ok(response)
    }
}

#[tonic::async_trait]
impl AuditService for Script {
    type ReplayEventsStream =
        Pin<Box<dyn Stream<Item = Result<ReplayEventsResponse, Status>> + Send>>;

    async fn replay_events(
        &self,
        request: Request<ReplayEventsRequest>,
    ) -> Result<Response<Self::ReplayEventsStream>, Status> {
        match self.begin(&request) {
            Some(Turn::Fail(status)) => Err(status),
            Some(Turn::Stream(messages)) => {
                Ok(Response::new(UnboundedReceiverStream::new(messages).boxed()))
            }
            None | Some(Turn::Hang) => Ok(Response::new(futures_util::stream::empty().boxed())),
        }
    }

    async fn get_state_as_of(
        &self,
        request: Request<GetStateAsOfRequest>,
    ) -> Result<Response<GetStateAsOfResponse>, Status> {
        self.answer(request).await
    }
}

#[tonic::async_trait]
impl PolicyService for Script {
    async fn evaluate_sign_in(
        &self,
        request: Request<EvaluateSignInRequest>,
    ) -> Result<Response<EvaluateSignInResponse>, Status> {
        self.answer(request).await
    }
}

/// A replica of both services.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) script: Script,
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl Peer {
    pub(crate) async fn start(name: &'static str) -> Self {
        Self::start_at(Script::new(name), SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    pub(crate) async fn start_at(script: Script, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let stop = CancellationToken::new();
        let router = Server::builder()
            .add_service(AuditServiceServer::new(script.clone()))
            .add_service(PolicyServiceServer::new(script.clone()));
        let stopping = stop.clone().cancelled_owned();
        let serving = tokio::spawn(router.serve_with_incoming_shutdown(incoming, stopping));
        Self { script, address, stop, serving }
    }

    /// Lets calls under way finish and stops.
    pub(crate) async fn stop(self) -> (Script, SocketAddr) {
        self.stop.cancel();
        self.serving.await.unwrap().unwrap();
        (self.script, self.address)
    }
}

/// What a service says whose log is away.
pub(crate) fn log_away(wait: Duration) -> Status {
    to_status(&ApiError::new(Reason::LogUnavailable).retry_after(wait))
}
