//! `SetQuorum`, and how commands on a tenant wait for the agreement of others.

use std::{collections::BTreeMap, time::Duration};

use countersign_core::{FieldProblem, TenantId};
use countersign_domain::{
    approval::{DangerousAct, Terms},
    tenant::{Command, Quorum, Rejection, Tenant},
};
use countersign_eventsourcing::{ExecuteError, Executed};
use countersign_proto::admin as wire;
use countersign_service::{ApiError, Scope, fields, tenant_stream};

use super::{AdminApi, convert, status};
use crate::app::{Agreement, Deed, agreed};

/// How many other administrators may be asked for.
const APPROVERS: std::ops::RangeInclusive<u32> = 1..=5;

/// The longest delay.
const LONGEST_DELAY: Duration = Duration::from_secs(7 * 24 * 3_600);

impl AdminApi {
    pub(super) async fn handle_set_quorum(
        &self,
        scope: &Scope,
        message: wire::SetQuorumRequest,
    ) -> Result<wire::SetQuorumResponse, ApiError> {
        let tenant = scope.tenant()?;
        let quorum = message.quorum.as_ref().map(quorum).transpose()?.flatten();
        let details = quorum.as_ref().map_or_else(
            || details([("quorum", "none".to_owned())]),
            |quorum| {
                let acts: Vec<_> = quorum.acts().iter().map(|act| act.as_str()).collect();
                details([
                    ("acts", acts.join(" ")),
                    ("approvers", quorum.terms.approvers.to_string()),
                    ("delay", format!("{} s", quorum.terms.delay.as_secs())),
                ])
            },
        );
        let content = wire::SetQuorumRequest { request_id: String::new(), ..message.clone() };
        let deed = self.deed(scope, &message.request_id, &message, &content, details)?;
        let executed = self.perform(&deed, Command::SetQuorum(quorum)).await?;
        let tenant = Some(convert::tenant(tenant, &executed.folded.state));
        Ok(wire::SetQuorumResponse { tenant })
    }

    /// Makes what [`perform`](Self::perform) carries out; `content` is `message` without its `request_id`.
    pub(super) fn deed<'a, M: prost::Message>(
        &self,
        scope: &'a Scope,
        request_id: &str,
        message: &M,
        content: &M,
        details: BTreeMap<String, String>,
    ) -> Result<Deed<'a>, ApiError> {
        let tenant = scope.tenant()?;
        Ok(Deed {
            scope,
            tenant: tenant.clone(),
            request: self.request(scope, tenant, request_id, message)?,
            stream: tenant_stream(tenant),
            is_named: !request_id.is_empty(),
            content: content.encode_to_vec(),
            about: None,
            details,
        })
    }

    /// Carries a command out on a tenant's settings, once others agreed to it if they must.
    pub(super) async fn perform(
        &self,
        deed: &Deed<'_>,
        command: Command,
    ) -> Result<Executed<Tenant>, ApiError> {
        let tenants = &self.foundation.tenants;
        let done = match tenants.execute(&deed.stream, &deed.request, command.clone()).await {
            Err(ExecuteError::Rejected(Rejection::NeedsApproval(act))) => {
                let command = match Box::pin(agreed(&self.foundation, deed, act)).await? {
                    Agreement::Holds => Command::Allowed(Box::new(command)),
                    Agreement::Spent => command,
                };
                tenants.execute(&deed.stream, &deed.request, command).await
            }
            done => done,
        };
        done.map_err(|error| ApiError::from_execute(error, status::rejected))
    }
}

/// Writes what an act is about, for people.
pub(super) fn details<const N: usize>(
    said: [(&'static str, String); N],
) -> BTreeMap<String, String> {
    let said = said.into_iter().filter(|(_, value)| !value.is_empty());
    said.map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Returns whether the caller holds this key of `tenant`: a fresh secret for it lets in nobody who was not.
pub(super) fn is_own_key(
    scope: &Scope,
    tenant: &TenantId,
    key_id: &countersign_core::KeyId,
) -> bool {
    *scope.caller.requester == format!("api-key:{tenant}.{key_id}")
}

fn quorum(given: &wire::Quorum) -> Result<Option<Quorum>, ApiError> {
    let act = |number: &i32| {
        let known = DangerousAct::ALL.iter().copied();
        let act = known.into_iter().find(|act| i32::from(act_to_wire(*act)) == *number);
        let problem = FieldProblem::Other("must be acts that there are, such as BREAK_GLASS");
        act.ok_or_else(|| ApiError::field("quorum.acts", problem))
    };
    let acts = given.acts.iter().map(act).collect::<Result<Vec<_>, _>>()?;
    if acts.is_empty() {
        return Ok(None);
    }
    if !APPROVERS.contains(&given.approvers) {
        let problem =
            FieldProblem::Other("must be 1 to 5: how many other administrators must agree");
        return Err(ApiError::field("quorum.approvers", problem));
    }
    let delay = given.delay.map_or(Ok(Duration::ZERO), delay)?;
    Ok(Quorum::new(acts, Terms { approvers: given.approvers, delay }))
}

fn delay(given: prost_types::Duration) -> Result<Duration, ApiError> {
    let field = "quorum.delay";
    let read = fields::positive_duration(field, given)?;
    // The log tells milliseconds: what is shorter would be none.
    if (Duration::from_millis(1)..=LONGEST_DELAY).contains(&read) {
        Ok(Duration::from_millis(u64::try_from(read.as_millis()).unwrap_or(u64::MAX)))
    } else {
        let problem = FieldProblem::Other("must be at most 7 days, or absent for none");
        Err(ApiError::field(field, problem))
    }
}

/// Shows a quorum.
pub(super) fn quorum_to_wire(quorum: &Quorum) -> wire::Quorum {
    let Terms { approvers, delay } = quorum.terms;
    wire::Quorum {
        acts: quorum.acts().iter().map(|act| act_to_wire(*act).into()).collect(),
        approvers,
        // Bounded to days when it was set, so it always fits.
        delay: (!delay.is_zero())
            .then(|| prost_types::Duration::try_from(delay).unwrap_or_default()),
    }
}

/// Shows an act.
pub(super) const fn act_to_wire(act: DangerousAct) -> wire::DangerousAct {
    match act {
        DangerousAct::RemoveLastAuthenticator => wire::DangerousAct::RemoveLastAuthenticator,
        DangerousAct::PlacePrivilege => wire::DangerousAct::PlacePrivilege,
        DangerousAct::LoosenRequirement => wire::DangerousAct::LoosenRequirement,
        DangerousAct::BreakGlass => wire::DangerousAct::BreakGlass,
        DangerousAct::EraseTenant => wire::DangerousAct::EraseTenant,
        DangerousAct::LoosenQuorum => wire::DangerousAct::LoosenQuorum,
        DangerousAct::AddAdministrator => wire::DangerousAct::AddAdministrator,
        DangerousAct::ShortenRetention => wire::DangerousAct::ShortenRetention,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quorum_is_read_as_it_is_shown_within_its_bounds() {
        let asked = |acts: &[i32], approvers, seconds: Option<i64>| wire::Quorum {
            acts: acts.to_vec(),
            approvers,
            delay: seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
        };
        assert_eq!(quorum(&asked(&[], 9, None)).ok(), Some(None));
        for (approvers, delay) in [(1, None), (5, Some(7 * 24 * 3_600))] {
            let read = quorum(&asked(&[4], approvers, delay)).ok().flatten().unwrap();
            assert_eq!(quorum_to_wire(&read), asked(&[4, 6, 7], approvers, delay));
        }
        for (acts, approvers, delay, field) in [
            (vec![0], 2, None, "quorum.acts"),
            (vec![4, 99], 2, None, "quorum.acts"),
            (vec![4], 0, None, "quorum.approvers"),
            (vec![4], 6, None, "quorum.approvers"),
            (vec![4], 2, Some(0), "quorum.delay"),
            (vec![4], 2, Some(7 * 24 * 3_600 + 1), "quorum.delay"),
        ] {
            let refused = quorum(&asked(&acts, approvers, delay)).unwrap_err();
            assert_eq!(refused.field.unwrap().field, field);
        }
    }
}
