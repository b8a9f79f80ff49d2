//! A caller of the API, as another program would be one.

use countersign_proto::{
    admin::admin_service_client::AdminServiceClient,
    audit::audit_service_client::AuditServiceClient,
    challenge::challenge_service_client::ChallengeServiceClient,
    enrollment::enrollment_service_client::EnrollmentServiceClient,
    keys::key_service_client::KeyServiceClient,
    notification::notification_service_client::NotificationServiceClient,
    policy::policy_service_client::PolicyServiceClient,
    status::status_service_client::StatusServiceClient,
};
use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

/// Whom each request says that it comes from.
#[derive(Clone, Debug)]
pub struct Credentials {
    key: Option<String>,
    tenant: Option<String>,
    approval: Option<String>,
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        if let Some(key) = &self.key {
            metadata.insert("authorization", format!("Bearer {key}").parse().unwrap());
        }
        if let Some(tenant) = &self.tenant {
            metadata.insert("countersign-tenant", tenant.parse().unwrap());
        }
        if let Some(approval) = &self.approval {
            metadata.insert("countersign-approval", approval.parse().unwrap());
        }
        Ok(request)
    }
}

/// A caller with a key.
#[derive(Clone, Debug)]
pub struct Caller {
    channel: Channel,
    credentials: Credentials,
}

pub(crate) type Service = InterceptedService<Channel, Credentials>;

macro_rules! client {
    ($(#[$doc:meta])* $name:ident, $client:ident) => {
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> $client<Service> {
            $client::with_interceptor(self.channel.clone(), self.credentials.clone())
        }
    };
}

impl Caller {
    /// Calls with `key`.
    #[must_use]
    pub fn new(channel: Channel, key: &str) -> Self {
        let credentials = Credentials { key: Some(key.to_owned()), tenant: None, approval: None };
        Self { channel, credentials }
    }

    /// Calls without a key.
    #[must_use]
    pub const fn stranger(channel: Channel) -> Self {
        let credentials = Credentials { key: None, tenant: None, approval: None };
        Self { channel, credentials }
    }

    /// Returns the key that it calls with.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.credentials.key.as_deref()
    }

    /// Calls with another key.
    #[must_use]
    pub fn with_key(&self, key: &str) -> Self {
        let mut caller = self.clone();
        caller.credentials.key = Some(key.to_owned());
        caller
    }

    /// Names a tenant with every request.
    #[must_use]
    pub fn naming(&self, tenant: &str) -> Self {
        let mut naming = self.clone();
        naming.credentials.tenant = Some(tenant.to_owned());
        naming
    }

    /// Says with every request under which approval it is made.
    #[must_use]
    pub fn approved_by(&self, approval_id: &str) -> Self {
        let mut approved = self.clone();
        approved.credentials.approval = Some(approval_id.to_owned());
        approved
    }

    /// Calls over another connection.
    #[must_use]
    pub fn over(&self, channel: Channel) -> Self {
        Self { channel, credentials: self.credentials.clone() }
    }

    /// Returns what every client speaks through.
    pub(crate) fn service(&self) -> Service {
        InterceptedService::new(self.channel.clone(), self.credentials.clone())
    }

    client!(
        /// AdminService.
        admin,
        AdminServiceClient
    );
    client!(
        /// AuditService.
        audit,
        AuditServiceClient
    );
    client!(
        /// ChallengeService.
        challenge,
        ChallengeServiceClient
    );
    client!(
        /// EnrollmentService.
        enrollment,
        EnrollmentServiceClient
    );
    client!(
        /// NotificationService.
        notification,
        NotificationServiceClient
    );
    client!(
        /// PolicyService.
        policy,
        PolicyServiceClient
    );
    client!(
        /// KeyService.
        keys,
        KeyServiceClient
    );
    client!(
        /// StatusService.
        status,
        StatusServiceClient
    );
}
