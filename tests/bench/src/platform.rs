//! A platform that enrols users and verifies them, with a tenant and a key of its own.

use std::net::SocketAddr;

use anyhow::Context as _;
use countersign_proto::{
    admin::{
        CreateApiKeyRequest, CreateTenantRequest, Role, admin_service_client::AdminServiceClient,
    },
    challenge::challenge_service_client::ChallengeServiceClient,
    enrollment::enrollment_service_client::EnrollmentServiceClient,
};

use crate::{
    client::{Credentials, Service, connect, connect_all},
    server::RunningServer,
};

/// The platform's tenant.
pub(crate) const TENANT: &str = "bench";

/// Who calls.
#[derive(Clone, Debug)]
pub(crate) struct Platform {
    address: SocketAddr,
    credentials: Credentials,
}

impl Platform {
    /// Makes the tenant and a key that may enrol and verify.
    pub(crate) async fn set_up(server: &RunningServer) -> anyhow::Result<Self> {
        let first_key = Credentials::new(&server.first_key()?, Some(TENANT))?;
        let channel = connect(server.address).await?;
        let mut admin = AdminServiceClient::with_interceptor(channel, first_key);
        let request = CreateTenantRequest {
            request_id: "tenant".to_owned(),
            tenant_id: TENANT.to_owned(),
            display_name: "Bench".to_owned(),
        };
        admin.create_tenant(request).await.context("creating the tenant")?;
        let request = CreateApiKeyRequest {
            request_id: "key".to_owned(),
            display_name: "the bench's platform".to_owned(),
            roles: vec![Role::Verifier.into()],
            ..Default::default()
        };
        let issued = admin.create_api_key(request).await.context("issuing the key")?;
        let credentials = Credentials::new(&issued.into_inner().secret, None)?;
        Ok(Self { address: server.address, credentials })
    }

    /// Goes on with the same key when the server has been started again.
    pub(crate) fn at(self, server: &RunningServer) -> Self {
        Self { address: server.address, ..self }
    }

    /// Returns clients for so many callers.
    pub(crate) async fn challenge_clients(
        &self,
        callers: usize,
    ) -> anyhow::Result<impl Iterator<Item = ChallengeServiceClient<Service>>> {
        let channels = connect_all(self.address, callers).await?.into_iter();
        let credentials = self.credentials.clone();
        Ok(channels.map(move |channel| {
            ChallengeServiceClient::with_interceptor(channel, credentials.clone())
        }))
    }

    /// Returns clients for so many callers.
    pub(crate) async fn enrollment_clients(
        &self,
        callers: usize,
    ) -> anyhow::Result<impl Iterator<Item = EnrollmentServiceClient<Service>>> {
        let channels = connect_all(self.address, callers).await?.into_iter();
        let credentials = self.credentials.clone();
        Ok(channels.map(move |channel| {
            EnrollmentServiceClient::with_interceptor(channel, credentials.clone())
        }))
    }
}
