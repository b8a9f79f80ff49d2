//! `ListApprovals`, `GetApproval`, `ApproveRequest`, `DeclineRequest` and `WithdrawRequest`.

use countersign_core::{ApprovalId, TenantId, Timestamp, UserKey};
use countersign_crypto::Sealed;
use countersign_domain::{
    approval::{Command, End, Standing, State, Terms},
    wire::timestamp_to_wire,
};
use countersign_eventsourcing::Request;
use countersign_keys::VaultError;
use countersign_proto::admin as wire;
use countersign_service::{
    ApiError, Reason, Scope, approval_stream, fields, paging::Page, present::ERASED, seals,
};
use uuid::Uuid;

use super::{AdminApi, quorum::act_to_wire};
use crate::app::rejected_approval;

/// Names the commands of each who decides (RFC 9562 section 5.5): two of them may give theirs the same `request_id`.
const DECIDING: Uuid = Uuid::from_u128(0x7a25_c0e8_41fb_4d09_8e36_b2d7_90f1_5c4e);

impl AdminApi {
    pub(super) async fn handle_list_approvals(
        &self,
        scope: &Scope,
        message: wire::ListApprovalsRequest,
    ) -> Result<wire::ListApprovalsResponse, ApiError> {
        let tenant = scope.tenant()?;
        let page = Page::of(message.page_size, &message.page_token)?;
        let terms = self.terms(tenant).await?;
        let (ids, next_page_token) = page.take(self.approvals.of(tenant).await);
        let mut approvals = Vec::with_capacity(ids.len());
        for id in ids {
            let folded = self.foundation.approvals.load(&approval_stream(tenant, id)).await?;
            approvals.push(self.shown(tenant, &folded.state, terms).await?);
        }
        Ok(wire::ListApprovalsResponse { approvals, next_page_token })
    }

    pub(super) async fn handle_get_approval(
        &self,
        scope: &Scope,
        message: wire::GetApprovalRequest,
    ) -> Result<wire::GetApprovalResponse, ApiError> {
        let tenant = scope.tenant()?;
        let id = approval_id(&message.approval_id)?;
        let terms = self.terms(tenant).await?;
        let folded = self.foundation.approvals.load(&approval_stream(tenant, id)).await?;
        let approval = Some(self.shown(tenant, &folded.state, terms).await?);
        Ok(wire::GetApprovalResponse { approval })
    }

    pub(super) async fn handle_approve(
        &self,
        scope: &Scope,
        message: wire::ApproveRequestRequest,
    ) -> Result<wire::ApproveRequestResponse, ApiError> {
        let id = approval_id(&message.approval_id)?;
        let (approver, now) = (scope.caller.person().into(), self.foundation.now());
        let command = Command::Give { approver, now };
        let approval = Some(self.decide(scope, id, &message.request_id, &message, command).await?);
        Ok(wire::ApproveRequestResponse { approval })
    }

    pub(super) async fn handle_decline(
        &self,
        scope: &Scope,
        message: wire::DeclineRequestRequest,
    ) -> Result<wire::DeclineRequestResponse, ApiError> {
        let id = approval_id(&message.approval_id)?;
        let reason = fields::text("reason", &message.reason, 256)?;
        let (decliner, now) = (scope.caller.person().into(), self.foundation.now());
        let command = Command::Decline { decliner, reason, now };
        let approval = Some(self.decide(scope, id, &message.request_id, &message, command).await?);
        Ok(wire::DeclineRequestResponse { approval })
    }

    pub(super) async fn handle_withdraw(
        &self,
        scope: &Scope,
        message: wire::WithdrawRequestRequest,
    ) -> Result<wire::WithdrawRequestResponse, ApiError> {
        let id = approval_id(&message.approval_id)?;
        let (requester, now) = (scope.caller.person().into(), self.foundation.now());
        let command = Command::Withdraw { requester, now };
        let approval = Some(self.decide(scope, id, &message.request_id, &message, command).await?);
        Ok(wire::WithdrawRequestResponse { approval })
    }

    /// Carries a command out on a request for approval, and shows it as it then stands.
    async fn decide(
        &self,
        scope: &Scope,
        id: ApprovalId,
        request_id: &str,
        message: &impl prost::Message,
        command: Command,
    ) -> Result<wire::Approval, ApiError> {
        let tenant = scope.tenant()?;
        let terms = self.terms(tenant).await?;
        let stream = approval_stream(tenant, id);
        let request = scope.command(&self.foundation, &stream, request_id, message)?;
        let request = of_person(request, scope.caller.person());
        let now = self.foundation.now();
        let executed = self.foundation.approvals.execute(&stream, &request, command).await;
        let executed = executed
            .map_err(|error| ApiError::from_execute(error, |why| rejected_approval(why, now)))?;
        self.shown(tenant, &executed.folded.state, terms).await
    }

    /// Returns what agreements of a tenant that must be there take today.
    async fn terms(&self, tenant: &TenantId) -> Result<Terms, ApiError> {
        let settings = self.foundation.existing_tenant(tenant).await?;
        Ok(settings.state.quorum().map_or_else(Terms::default, |quorum| quorum.terms))
    }

    /// Shows a request for approval.
    async fn shown(
        &self,
        tenant: &TenantId,
        state: &State,
        today: Terms,
    ) -> Result<wire::Approval, ApiError> {
        let asked = state.asked().ok_or_else(|| ApiError::new(Reason::ApprovalNotFound))?;
        let terms = asked.terms.and(today);
        let user_id = match &asked.user_id {
            None => String::new(),
            Some(sealed) => self.user_id(tenant, sealed).await?,
        };
        let (decliner, decline_reason) = match state.end() {
            Some(End::Declined { decliner, reason }) => (decliner.to_string(), reason.clone()),
            Some(End::Used | End::Withdrawn) | None => Default::default(),
        };
        let given = state.given().iter().map(|given| wire::GivenApproval {
            approver: given.approver.to_string(),
            given_at: Some(timestamp_to_wire(given.at)),
        });
        Ok(wire::Approval {
            approval_id: asked.approval_id.to_string(),
            act: act_to_wire(asked.act).into(),
            method: asked.method.to_string(),
            requester: asked.requester.to_string(),
            user_id,
            details: asked.details.clone(),
            state: standing(state, self.foundation.now(), today).into(),
            approvers: terms.approvers,
            given: given.collect(),
            requested_at: Some(timestamp_to_wire(asked.requested_at)),
            not_before: state.ready_at(terms).map(timestamp_to_wire),
            expires_at: Some(timestamp_to_wire(asked.expires_at)),
            decliner,
            decline_reason,
        })
    }

    /// Unseals whom it is about; the name of the key that it is sealed with tells whose it is.
    async fn user_id(&self, tenant: &TenantId, sealed: &Sealed) -> Result<String, ApiError> {
        let of_tenant = sealed.key_id.strip_prefix(tenant.as_str());
        let key: Option<UserKey> =
            of_tenant.and_then(|rest| rest.strip_prefix('.')).and_then(|key| key.parse().ok());
        let key = key.ok_or_else(|| ApiError::new(Reason::DataDamaged))?;
        match self.foundation.vault.unseal(tenant, key, seals::USER_ID, sealed).await {
            Ok(user_id) => Ok(String::from_utf8_lossy(user_id.expose()).into_owned()),
            Err(VaultError::Erased) => Ok(ERASED.to_owned()),
            Err(error) => Err(error.into()),
        }
    }
}

fn approval_id(text: &str) -> Result<ApprovalId, ApiError> {
    fields::field("approval_id", ApprovalId::parse(text))
}

/// Makes a request that of a person.
fn of_person(mut request: Request, person: &str) -> Request {
    let name = format!("{}\0{person}", request.command_id);
    request.command_id = Uuid::new_v5(&DECIDING, name.as_bytes());
    request.metadata.causation_id = request.command_id;
    request
}

fn standing(state: &State, now: Timestamp, today: Terms) -> wire::ApprovalState {
    match state.standing(now, today) {
        None => wire::ApprovalState::Unspecified,
        Some(Standing::Pending) => wire::ApprovalState::Pending,
        Some(Standing::Waiting { .. }) => wire::ApprovalState::Waiting,
        Some(Standing::Ready) => wire::ApprovalState::Ready,
        Some(Standing::Used) => wire::ApprovalState::Used,
        Some(Standing::Declined) => wire::ApprovalState::Declined,
        Some(Standing::Withdrawn) => wire::ApprovalState::Withdrawn,
        Some(Standing::Expired) => wire::ApprovalState::Expired,
    }
}
