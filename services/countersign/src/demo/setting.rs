//! Where the story plays: a tenant, an application, and keys that may do no more than they need.

use countersign_core::{Rng as _, SecretString};
use countersign_proto::admin::{
    CreateApiKeyRequest, CreateApplicationRequest, CreateTenantRequest, Role,
};
use countersign_service::OsRandom;
use tonic::Code;

use super::Story;
use crate::cli::{Connection, Failure, fresh_request_id};

/// The user of the story.
pub(super) const USER: &str = "alice@example.com";
/// The application that she signs in to.
pub(super) const APPLICATION: &str = "vpn";

/// A tenant of its own, and who acts in it.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) tenant: String,
    /// Calls with a key that may enrol, challenge and verify.
    pub(super) platform: Connection,
    /// Calls with a key that may only read.
    pub(super) auditor: Connection,
}

impl Setting {
    /// Sets the stage with the installation's own key.
    pub(super) async fn make(admin: &Connection, story: &mut Story<'_>) -> Result<Self, Failure> {
        story.chapter("A tenant with an application")?;
        let (tenant, in_tenant) = create_tenant(admin, story).await?;
        create_application(&in_tenant, story).await?;
        story.chapter("Keys that may do no more than they need")?;
        let platform = issue_key(&in_tenant, "the demo's platform", Role::Verifier, story).await?;
        let auditor = issue_key(&in_tenant, "the demo's auditor", Role::Auditor, story).await?;
        let platform = admin.acting_as(&platform, None)?;
        let auditor = admin.acting_as(&auditor, None)?;
        story.outcome("from here on the installation's own key is not used any more")?;
        Ok(Self { tenant, platform, auditor })
    }
}

/// Creates `demo`, or a fresh name if an earlier run took that one, and returns the connection that acts on it.
async fn create_tenant(
    admin: &Connection,
    story: &mut Story<'_>,
) -> Result<(String, Connection), Failure> {
    story.call("AdminService.CreateTenant", "whatever happens here is nobody else's to see")?;
    let mut name = "demo".to_owned();
    loop {
        let request = CreateTenantRequest {
            request_id: fresh_request_id(),
            tenant_id: name.clone(),
            display_name: "Demo".to_owned(),
        };
        match admin.admin().create_tenant(request).await {
            Ok(_) => break,
            Err(status) if status.code() == Code::AlreadyExists => name = fresh_name(),
            Err(status) => return Err(Failure::refused("creating the tenant")(status)),
        }
    }
    story.outcome(format_args!("tenant {name}"))?;
    let acting = admin.in_tenant(&name)?;
    Ok((name, acting))
}

fn fresh_name() -> String {
    let mut random = [0; 4];
    OsRandom.fill(&mut random);
    format!("demo-{:08x}", u32::from_be_bytes(random))
}

async fn create_application(admin: &Connection, story: &mut Story<'_>) -> Result<(), Failure> {
    story.call("AdminService.CreateApplication", "what users sign in to")?;
    let request = CreateApplicationRequest {
        request_id: fresh_request_id(),
        application_id: APPLICATION.to_owned(),
        display_name: "Demo VPN".to_owned(),
        mfa_requirement: 0,
    };
    let response = admin.admin().create_application(request).await;
    response.map_err(Failure::refused("creating the application"))?;
    story.outcome(format_args!("application {APPLICATION}; every sign-in to it is challenged"))
}

async fn issue_key(
    admin: &Connection,
    name: &str,
    role: Role,
    story: &mut Story<'_>,
) -> Result<SecretString, Failure> {
    story.call("AdminService.CreateApiKey", name)?;
    let request = CreateApiKeyRequest {
        request_id: fresh_request_id(),
        display_name: name.to_owned(),
        roles: vec![role.into()],
        // The demo's keys should not outlive the curiosity of whoever ran it.
        lifetime: Some(prost_types::Duration { seconds: 3_600, nanos: 0 }),
        ..CreateApiKeyRequest::default()
    };
    let response = admin.admin().create_api_key(request).await;
    let issued = response.map_err(Failure::refused("issuing the API key"))?.into_inner();
    let key = issued.api_key.unwrap_or_default();
    story.outcome(format_args!(
        "key {} with the role {}, for an hour",
        key.key_id,
        crate::cli::words::role_words(key.roles())
    ))?;
    Ok(SecretString::new(issued.secret))
}
