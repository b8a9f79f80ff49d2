//! A server with nothing around it. It speaks the real service's `VerifyChallenge`, so that the same callers can load
//! bare servers and the real one.

use std::net::SocketAddr;

use countersign_proto::challenge::{
    CancelChallengeRequest, CancelChallengeResponse, CreateChallengeRequest,
    CreateChallengeResponse, GetAssertionKeysRequest, GetAssertionKeysResponse,
    GetChallengeRequest, GetChallengeResponse, ListThrottlesRequest, ListThrottlesResponse,
    ReleaseThrottleRequest, ReleaseThrottleResponse, VerifyChallengeRequest,
    VerifyChallengeResponse, WatchChallengeRequest, WatchChallengeResponse,
    challenge_service_server::{ChallengeService, ChallengeServiceServer},
};
use tokio::net::TcpListener;
use tonic::{
    Request, Response, Status,
    transport::{Server, server::TcpIncoming},
};

/// How a bare server comes to its answer.
pub(crate) trait Judge: Send + Sync + 'static {
    /// Judges one answer.
    fn judge(
        &self,
        request: VerifyChallengeRequest,
    ) -> impl Future<Output = Result<VerifyChallengeResponse, Status>> + Send;
}

/// Listens on a free port of this machine.
pub(crate) async fn listen() -> anyhow::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Serves until dropped.
pub(crate) async fn serve(listener: TcpListener, judge: impl Judge) -> anyhow::Result<()> {
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let service = ChallengeServiceServer::new(Bare(judge));
    Server::builder().add_service(service).serve_with_incoming(incoming).await?;
    Ok(())
}

struct Bare<J>(J);

fn no_such_thing<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("a bare server only verifies"))
}

#[tonic::async_trait]
impl<J: Judge> ChallengeService for Bare<J> {
    type WatchChallengeStream = tokio_stream::Empty<Result<WatchChallengeResponse, Status>>;

    async fn verify_challenge(
        &self,
        request: Request<VerifyChallengeRequest>,
    ) -> Result<Response<VerifyChallengeResponse>, Status> {
        self.0.judge(request.into_inner()).await.map(Response::new)
    }

    async fn create_challenge(
        &self,
        _: Request<CreateChallengeRequest>,
    ) -> Result<Response<CreateChallengeResponse>, Status> {
        no_such_thing()
    }

    async fn cancel_challenge(
        &self,
        _: Request<CancelChallengeRequest>,
    ) -> Result<Response<CancelChallengeResponse>, Status> {
        no_such_thing()
    }

    async fn get_challenge(
        &self,
        _: Request<GetChallengeRequest>,
    ) -> Result<Response<GetChallengeResponse>, Status> {
        no_such_thing()
    }

    async fn watch_challenge(
        &self,
        _: Request<WatchChallengeRequest>,
    ) -> Result<Response<Self::WatchChallengeStream>, Status> {
        no_such_thing()
    }

    async fn list_throttles(
        &self,
        _: Request<ListThrottlesRequest>,
    ) -> Result<Response<ListThrottlesResponse>, Status> {
        no_such_thing()
    }

    async fn release_throttle(
        &self,
        _: Request<ReleaseThrottleRequest>,
    ) -> Result<Response<ReleaseThrottleResponse>, Status> {
        no_such_thing()
    }

    async fn get_assertion_keys(
        &self,
        _: Request<GetAssertionKeysRequest>,
    ) -> Result<Response<GetAssertionKeysResponse>, Status> {
        no_such_thing()
    }
}
