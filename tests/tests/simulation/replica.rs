//! A replica of the challenge and enrollment services with caches of its own, called without a network.

use std::{error::Error, sync::Arc};

use countersign_challenge::{AssertionSigner, ChallengeApi, Claims, challenge_server};
use countersign_core::{Rng, TenantId};
use countersign_domain::tenant::{Command, IssueApiKey, Role};
use countersign_enrollment::{EnrollmentApi, enrollment_server};
use countersign_eventsourcing::{Metadata, Request as CommandRequest};
use countersign_proto::{
    challenge::{
        Challenge, GetChallengeRequest, challenge_service_client::ChallengeServiceClient,
        challenge_service_server::ChallengeServiceServer,
    },
    enrollment::{
        enrollment_service_client::EnrollmentServiceClient,
        enrollment_service_server::EnrollmentServiceServer,
    },
};
use countersign_service::{
    Foundation,
    access::{Access, AccessLayer},
    keys::ApiKeySecret,
    lifecycle::Lifecycle,
    request_line::CorrelationId,
    tenant_stream,
};
use tonic::{Response, Status, service::Interceptor};
use tower::Layer as _;
use uuid::Uuid;

use crate::asking::{Answer, Request};

/// The tenant that everybody belongs to.
pub(crate) const TENANT: &str = "acme";

/// A replica.
pub(crate) struct Replica {
    challenge: Access<ChallengeServiceServer<ChallengeApi>>,
    enrollment: Access<EnrollmentServiceServer<EnrollmentApi>>,
    key: String,
}

/// Says the same of the same claims, so that repeats can be told from others.
#[derive(Debug)]
struct PlainSigner;

impl AssertionSigner for PlainSigner {
    fn sign(&self, claims: &Claims<'_>) -> Result<String, Box<dyn Error + Send + Sync>> {
        Ok(format!("{claims:?}"))
    }

    fn jwks(&self) -> String {
        String::new()
    }

    fn issuer(&self, tenant: &str) -> String {
        tenant.to_owned()
    }
}

/// What each call says of itself.
struct Credentials {
    key: String,
    call: Uuid,
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        let bearer = format!("Bearer {}", self.key).parse().unwrap();
        request.metadata_mut().insert("authorization", bearer);
        request.extensions_mut().insert(CorrelationId(self.call));
        Ok(request)
    }
}

impl Replica {
    /// Starts one for whoever calls with `key`.
    pub(crate) fn start(foundation: Foundation, key: &str) -> Self {
        let foundation = Arc::new(foundation);
        let access = AccessLayer::new(Arc::clone(&foundation), Arc::default());
        let challenge =
            challenge_server(Arc::clone(&foundation), Arc::new(PlainSigner), &Lifecycle::new());
        Self {
            challenge: access.layer(challenge),
            enrollment: access.layer(enrollment_server(foundation)),
            key: key.to_owned(),
        }
    }

    /// Makes a request; its events are named after `call`.
    pub(crate) async fn call(&self, request: Request, call: Uuid) -> Result<Answer, Status> {
        let credentials = Credentials { key: self.key.clone(), call };
        let (challenge, enrollment) = (self.challenge.clone(), self.enrollment.clone());
        match request {
            Request::Start(message) => {
                let mut client = EnrollmentServiceClient::with_interceptor(enrollment, credentials);
                let response = client.start_enrollment(message).await?;
                Ok(Answer::Start(response.into_inner().into()))
            }
            Request::Confirm(message) => {
                let mut client = EnrollmentServiceClient::with_interceptor(enrollment, credentials);
                let response = client.confirm_enrollment(message).await;
                response.map(Response::into_inner).map(Answer::Confirm)
            }
            Request::Create(message) => {
                let mut client = ChallengeServiceClient::with_interceptor(challenge, credentials);
                client.create_challenge(message).await.map(Response::into_inner).map(Answer::Create)
            }
            Request::Verify(message) => {
                let mut client = ChallengeServiceClient::with_interceptor(challenge, credentials);
                client.verify_challenge(message).await.map(Response::into_inner).map(Answer::Verify)
            }
        }
    }

    /// Shows a challenge.
    pub(crate) async fn look(&self, request: GetChallengeRequest) -> Result<Challenge, Status> {
        let credentials = Credentials { key: self.key.clone(), call: Uuid::nil() };
        let mut client =
            ChallengeServiceClient::with_interceptor(self.challenge.clone(), credentials);
        let response = client.get_challenge(request).await?;
        Ok(response.into_inner().challenge.unwrap())
    }
}

/// Creates the tenant, and returns the key of a platform in it.
pub(crate) async fn create_tenant(foundation: &Foundation, rng: &dyn Rng) -> String {
    let tenant = TenantId::parse(TENANT).unwrap();
    let secret = ApiKeySecret::generate(&tenant, rng);
    let now = foundation.now();
    let commands = [
        Command::Create { display_name: TENANT.to_owned(), now },
        Command::IssueApiKey(IssueApiKey {
            key_id: secret.key_id().clone(),
            display_name: "platform".to_owned(),
            secret_hash: secret.hash(),
            roles: vec![Role::Verifier],
            now,
            expires_at: None,
            organisation_id: None,
            allowed_addresses: vec![],
        }),
    ];
    for command in commands {
        let command_id = foundation.new_id();
        let metadata = Metadata {
            recorded_at: now,
            correlation_id: command_id,
            causation_id: command_id,
            requester: "simulation".into(),
            traceparent: "".into(),
            request_digest: 0,
        };
        let request = CommandRequest { command_id, metadata };
        foundation.tenants.execute(&tenant_stream(&tenant), &request, command).await.unwrap();
    }
    secret.reveal().expose().to_owned()
}
