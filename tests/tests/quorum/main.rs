//! Dangerous acts wait for the agreement of other administrators, and are then carried out once.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by panicking"
)]

mod acts;
mod agreeing;
mod attacking;
mod breaking_glass;
mod command_line;
mod crash;
mod erasing_a_tenant;
mod once;
mod showing;

use std::time::Duration;

use countersign_proto::admin::{
    Approval, ApproveRequestRequest, BreakGlassRequest, CreateApiKeyRequest, DangerousAct,
    DeclineRequestRequest, GetApprovalRequest, Quorum, Role, SetQuorumRequest,
};
use countersign_tests::{Caller, House, Tenant, reason};
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt as _;

/// How long anything may take: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

/// A tenant with four administrators.
struct Board {
    tenant: Tenant,
    /// Who asks.
    ada: Caller,
    /// Who are asked.
    others: [Caller; 3],
}

impl Board {
    /// Makes one without a quorum.
    async fn seat(tenant: Tenant, channel: &Channel) -> Self {
        let ada = tenant.admin.clone();
        let mut others = Vec::new();
        for name in ["bob", "cleo", "dora"] {
            others.push(administrator(&tenant.admin, channel, name).await);
        }
        let others = others.try_into().unwrap();
        Self { tenant, ada, others }
    }

    /// Makes one in which two others must agree to everything, at once.
    async fn of(house: &House) -> Self {
        Self::with(house, quorum(2, 0)).await
    }

    async fn with(house: &House, quorum: Quorum) -> Self {
        let board = Self::seat(house.tenant("acme").await, &house.channel()).await;
        set_quorum(&board.ada, quorum).await.unwrap();
        board
    }

    /// Lets two others agree.
    async fn agree(&self, approval_id: &str) {
        for other in &self.others[..2] {
            approve(other, approval_id).await.unwrap();
        }
    }

    /// Reads a request for approval.
    async fn look(&self, approval_id: &str) -> Approval {
        let request = GetApprovalRequest { approval_id: approval_id.to_owned() };
        let got = self.tenant.auditor.admin().get_approval(request).await;
        got.unwrap().into_inner().approval.unwrap()
    }

    /// Returns how many events of one type the tenant has.
    async fn count(&self, event_type: &str) -> usize {
        let events = self.tenant.auditor.replay(Default::default()).await;
        events.iter().filter(|event| event.r#type == event_type).count()
    }
}

/// Issues a key of another administrator.
async fn administrator(by: &Caller, channel: &Channel, name: &str) -> Caller {
    Caller::new(channel.clone(), &try_administrator(by, name).await.unwrap())
}

async fn try_administrator(by: &Caller, name: &str) -> Result<String, Status> {
    let request = CreateApiKeyRequest {
        request_id: format!("key-of-{name}"),
        display_name: name.to_owned(),
        roles: vec![Role::TenantAdmin.into()],
        ..Default::default()
    };
    by.admin().create_api_key(request).await.map(|created| created.into_inner().secret)
}

/// Every act, `approvers` others, `delay` seconds.
fn quorum(approvers: u32, delay: i64) -> Quorum {
    Quorum {
        acts: (1..=8).collect(),
        approvers,
        delay: (delay != 0).then_some(prost_types::Duration { seconds: delay, nanos: 0 }),
    }
}

fn only(act: DangerousAct, approvers: u32) -> Quorum {
    Quorum { acts: vec![act.into()], approvers, delay: None }
}

async fn set_quorum(by: &Caller, quorum: Quorum) -> Result<(), Status> {
    let request = SetQuorumRequest { request_id: String::new(), quorum: Some(quorum) };
    by.admin().set_quorum(request).await.map(drop)
}

async fn approve(by: &Caller, approval_id: &str) -> Result<Approval, Status> {
    let approval_id = approval_id.to_owned();
    // The same id from everybody: what one says must not stand for another.
    let request = ApproveRequestRequest { request_id: "yes".to_owned(), approval_id };
    Ok(by.admin().approve_request(request).await?.into_inner().approval.unwrap())
}

async fn decline(by: &Caller, approval_id: &str) -> Result<Approval, Status> {
    let request = DeclineRequestRequest {
        approval_id: approval_id.to_owned(),
        reason: "not today".to_owned(),
        ..Default::default()
    };
    Ok(by.admin().decline_request(request).await?.into_inner().approval.unwrap())
}

fn glass(request_id: &str, why: &str) -> BreakGlassRequest {
    BreakGlassRequest {
        request_id: request_id.to_owned(),
        reason: why.to_owned(),
        lifetime: Some(prost_types::Duration { seconds: 3_600, nanos: 0 }),
        ..Default::default()
    }
}

async fn break_glass(by: &Caller, request_id: &str) -> Result<(), Status> {
    by.admin().break_glass(glass(request_id, "nobody gets codes")).await.map(drop)
}

/// Returns the request for approval that a refusal names.
#[track_caller]
fn asked<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    let status = answer.unwrap_err();
    assert_eq!(reason(&status), "APPROVAL_REQUIRED", "{status:?}");
    status.get_error_details().error_info().unwrap().metadata["approval_id"].clone()
}

/// Returns the reason of a refusal.
#[track_caller]
fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> String {
    reason(&answer.unwrap_err())
}

/// Asks until `is_so` says yes: what follows the log comes after it.
async fn becomes<T>(mut ask: impl AsyncFnMut() -> T, is_so: impl Fn(&T) -> bool) -> T {
    let asking = async {
        loop {
            let told = ask().await;
            if is_so(&told) {
                return told;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it comes to that")
}
