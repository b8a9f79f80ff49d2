//! A tenant with its callers and users.

use std::{fmt, sync::Arc};

use countersign_core::{Clock, Timestamp};
use countersign_proto::{
    admin::{CreateApiKeyRequest, CreateApplicationRequest, CreateTenantRequest, Role},
    challenge::{
        Challenge, CreateChallengeRequest, VerifyChallengeRequest, VerifyChallengeResponse,
    },
    enrollment::{
        ConfirmEnrollmentRequest, ConfirmationOutcome, StartEnrollmentRequest,
        StartEnrollmentResponse, start_enrollment_response::Provisioning,
    },
};
use tonic::{Status, transport::Channel};

use crate::{Caller, Phone};

/// A tenant.
#[derive(Clone)]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// A platform that enrols, evaluates, challenges and verifies.
    pub platform: Caller,
    /// Whoever looks after it.
    pub admin: Caller,
    /// Whoever may only read.
    pub auditor: Caller,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tenant").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Tenant {
    /// Creates a tenant with an application `vpn` and a key for each role.
    pub async fn create(
        operator: &Caller,
        channel: Channel,
        id: &str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let tenant = CreateTenantRequest {
            tenant_id: id.to_owned(),
            display_name: id.to_owned(),
            ..Default::default()
        };
        operator.admin().create_tenant(tenant).await.unwrap();
        let operator = operator.naming(id);
        let application = CreateApplicationRequest {
            application_id: "vpn".to_owned(),
            display_name: "VPN".to_owned(),
            ..Default::default()
        };
        operator.admin().create_application(application).await.unwrap();
        let mut callers = Vec::new();
        for role in [Role::Verifier, Role::TenantAdmin, Role::Auditor] {
            let key = key(&operator, role).await;
            callers.push(Caller::new(channel.clone(), &key));
        }
        let [platform, admin, auditor] = callers.try_into().unwrap();
        Self { id: id.to_owned(), platform, admin, auditor, clock }
    }

    /// Calls over another connection, as after a restart.
    #[must_use]
    pub fn over(&self, channel: &Channel) -> Self {
        Self {
            id: self.id.clone(),
            platform: self.platform.over(channel.clone()),
            admin: self.admin.over(channel.clone()),
            auditor: self.auditor.over(channel.clone()),
            clock: Arc::clone(&self.clock),
        }
    }

    /// Returns the time in the house.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Begins to enrol a TOTP authenticator of `user`.
    pub async fn start_enrollment(&self, user: &str) -> (StartEnrollmentResponse, Phone) {
        let request = StartEnrollmentRequest {
            user_id: user.to_owned(),
            kind: "totp".to_owned(),
            ..Default::default()
        };
        let response = self.platform.enrollment().start_enrollment(request).await;
        let started = response.unwrap().into_inner();
        let Some(Provisioning::Totp(totp)) = &started.provisioning else {
            panic!("an enrolment of kind totp comes with what the app needs")
        };
        let id = &started.authenticator.as_ref().unwrap().authenticator_id;
        let phone = Phone::scan(id, &totp.key_uri);
        (started, phone)
    }

    /// Enrols a TOTP authenticator of `user`; the code of the present step is spent by it.
    pub async fn enrol(&self, user: &str) -> Phone {
        let (_, phone) = self.start_enrollment(user).await;
        let request = ConfirmEnrollmentRequest {
            user_id: user.to_owned(),
            authenticator_id: phone.authenticator_id.clone(),
            code: phone.code(self.now()),
            ..Default::default()
        };
        let response = self.platform.enrollment().confirm_enrollment(request).await;
        assert_eq!(response.unwrap().into_inner().outcome(), ConfirmationOutcome::Confirmed);
        phone
    }

    /// Opens a challenge that any authenticator of `user` may answer.
    ///
    /// # Errors
    /// Returns what the server says.
    pub async fn try_challenge(&self, user: &str) -> Result<Challenge, Status> {
        let request = CreateChallengeRequest {
            user_id: user.to_owned(),
            application_id: "vpn".to_owned(),
            ..Default::default()
        };
        let response = self.platform.challenge().create_challenge(request).await?;
        Ok(response.into_inner().challenge.unwrap())
    }

    /// Opens a challenge that must be opened.
    pub async fn challenge(&self, user: &str) -> Challenge {
        self.try_challenge(user).await.unwrap()
    }

    /// Answers a challenge.
    ///
    /// # Errors
    /// Returns what the server says.
    pub async fn verify(
        &self,
        user: &str,
        challenge: &Challenge,
        code: &str,
    ) -> Result<VerifyChallengeResponse, Status> {
        let request = VerifyChallengeRequest {
            user_id: user.to_owned(),
            challenge_id: challenge.challenge_id.clone(),
            code: code.to_owned(),
            with_assertion: true,
            ..Default::default()
        };
        self.platform.challenge().verify_challenge(request).await.map(tonic::Response::into_inner)
    }
}

async fn key(operator: &Caller, role: Role) -> String {
    let request = CreateApiKeyRequest {
        display_name: role.as_str_name().to_owned(),
        roles: vec![role.into()],
        ..Default::default()
    };
    operator.admin().create_api_key(request).await.unwrap().into_inner().secret
}
