//! `ReplayEvents`.

use std::sync::Arc;

use countersign_core::{FieldProblem, TenantId, UserId};
use countersign_eventsourcing::{Filter, Position};
use countersign_proto::audit as wire;
use countersign_service::{
    ApiError, Scope,
    caller::{Caller, TENANT_METADATA},
    fields, to_last_status,
};
use futures_util::{StreamExt as _, stream::BoxStream};
use tonic::Status;

use super::{AuditApi, convert};
use crate::{
    app::{RecordedWithin, Replay, replay_events},
    schema,
};

/// How many event types a request may name.
const MAX_EVENT_TYPES: usize = 64;

/// Longest name of an event type in bytes.
const MAX_EVENT_TYPE_LEN: usize = 64;

impl AuditApi {
    pub(super) async fn handle_replay(
        &self,
        scope: &Scope,
        message: wire::ReplayEventsRequest,
    ) -> Result<BoxStream<'static, Result<wire::ReplayEventsResponse, Status>>, ApiError> {
        let replay = Replay {
            filter: self.filter(scope, &message)?,
            recorded: recorded_within(&message)?,
            after: message.after_position.map(Position),
            limit: (message.limit > 0).then_some(message.limit),
            follow: message.follow,
        };
        let replayed = replay_events(&self.foundation, replay, self.stopping.clone()).await?;
        let erased = Arc::clone(&self.erased);
        let shown = replayed.map(move |item| match item {
            Ok(item) => Ok(convert::replayed(item, &erased)),
            Err(error) => Err(to_last_status(&error)),
        });
        Ok(shown.boxed())
    }

    /// Reads which events the caller wants, of those that it may see.
    fn filter(
        &self,
        scope: &Scope,
        message: &wire::ReplayEventsRequest,
    ) -> Result<Filter, ApiError> {
        let tenant = visible_tenant(&scope.caller);
        let user_id = fields::optional("user_id", &message.user_id, UserId::parse)?;
        let streams = match (user_id, tenant) {
            (None, _) => Vec::new(),
            (Some(user_id), Some(tenant)) => {
                let user = self.foundation.user(tenant, &user_id);
                vec![user.authenticators(), user.challenges(), user.sign_ins()]
            }
            (Some(_), None) => {
                let problem = FieldProblem::Other("must name the tenant that the user belongs to");
                return Err(ApiError::field(TENANT_METADATA, problem));
            }
        };
        let event_types = event_types(&message.event_types)?;
        Ok(Filter { categories: Vec::new(), tenant: tenant.cloned(), streams, event_types })
    }
}

/// Returns the tenant whose events `caller` may see; `None` for every tenant's. Only a caller of the platform acts on
/// another tenant than its own, or on none.
fn visible_tenant(caller: &Caller) -> Option<&TenantId> {
    if caller.home.is_platform() { caller.acts_on.as_ref() } else { Some(&caller.home) }
}

/// Reads when the events were recorded.
fn recorded_within(message: &wire::ReplayEventsRequest) -> Result<RecordedWithin, ApiError> {
    let from = convert::bound("from_time", message.from_time.as_ref())?;
    let until = convert::bound("until_time", message.until_time.as_ref())?;
    if let (Some(from), Some(until)) = (from, until)
        && until <= from
    {
        return Err(ApiError::field("until_time", FieldProblem::Other("must be after from_time")));
    }
    Ok(RecordedWithin { from, until })
}

/// Reads the types of the events. A misspelt one is refused: it would look like one that never happened.
fn event_types(names: &[String]) -> Result<Vec<String>, ApiError> {
    let refuse = |problem| Err(ApiError::field("event_types", problem));
    if names.len() > MAX_EVENT_TYPES {
        return refuse(FieldProblem::Other("must name at most 64 types; name none for all"));
    }
    for name in names {
        if name.is_empty() || name.len() > MAX_EVENT_TYPE_LEN {
            let (max, actual) = (MAX_EVENT_TYPE_LEN, name.len());
            return refuse(FieldProblem::Length { min: 1, max, actual });
        }
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return refuse(FieldProblem::Characters { allowed: "ASCII letters and digits" });
        }
        if !schema::is_event_type(name) {
            return refuse(FieldProblem::Other("must be types that docs/events.md lists"));
        }
    }
    Ok(names.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(names: &[&str]) -> String {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        event_types(&names).unwrap_err().message
    }

    #[test]
    fn event_types_are_bounded_in_number_length_and_characters() {
        let most = vec!["ChallengeIssued".to_owned(); MAX_EVENT_TYPES];
        assert_eq!(event_types(&most).unwrap(), most);
        assert!(event_types(&[]).unwrap().is_empty());
        let message = refused(&["ChallengeIssued"; MAX_EVENT_TYPES + 1]);
        assert_eq!(message, "event_types: must name at most 64 types; name none for all");
        assert_eq!(refused(&[""]), "event_types: must have 1 to 64 bytes, not 0");
        assert_eq!(refused(&[&"A".repeat(65)]), "event_types: must have 1 to 64 bytes, not 65");
        assert_eq!(refused(&["Tenant*"]), "event_types: may only have ASCII letters and digits");
    }

    #[test]
    fn an_unknown_type_is_refused_and_its_name_is_not_repeated() {
        let message = refused(&["ChallengeIssued", "ChallengeGuessed"]);
        assert_eq!(message, "event_types: must be types that docs/events.md lists");
    }
}
