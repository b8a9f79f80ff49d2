//! `BreakGlass` and `MendGlass`.

use std::time::Duration;

use countersign_core::{ApplicationId, FieldProblem};
use countersign_domain::{
    tenant::{Command, Event},
    wire::timestamp_to_wire,
};
use countersign_proto::admin as wire;
use countersign_service::{ApiError, Scope, fields};

use super::{AdminApi, convert, quorum::details};

const SHORTEST: Duration = Duration::from_secs(5 * 60);
const LONGEST: Duration = Duration::from_secs(24 * 3_600);

impl AdminApi {
    pub(super) async fn handle_break_glass(
        &self,
        scope: &Scope,
        message: wire::BreakGlassRequest,
    ) -> Result<wire::BreakGlassResponse, ApiError> {
        let application_id =
            fields::optional("application_id", &message.application_id, ApplicationId::parse)?;
        let reason = reason(&message.reason)?;
        let lifetime = message.lifetime.map_or_else(missing_lifetime, lifetime)?;
        let content = wire::BreakGlassRequest { request_id: String::new(), ..message.clone() };
        let details = details([
            ("application_id", message.application_id.clone()),
            ("lifetime", format!("{} s", lifetime.as_secs())),
            ("reason", reason.clone()),
        ]);
        let deed = self.deed(scope, &message.request_id, &message, &content, details)?;
        let now = self.foundation.now();
        let until = now.plus(lifetime);
        let command = Command::BreakGlass { application_id, reason, now, until };
        let executed = self.perform(&deed, command).await?;
        // Taken from the event: a repeat lengthens nothing.
        let broken = executed.events.into_iter().find_map(|event| {
            if let Event::GlassBroken(broken) = event { Some(broken) } else { None }
        });
        let until = broken.map_or(until, |broken| broken.until);
        if !executed.repeated {
            tracing::warn!(
                tenant = %deed.tenant,
                application = message.application_id,
                requester = &*scope.caller.requester,
                %until,
                "glass is broken: sign-ins need no second factor"
            );
        }
        Ok(wire::BreakGlassResponse { until: Some(timestamp_to_wire(until)) })
    }

    pub(super) async fn handle_mend_glass(
        &self,
        scope: &Scope,
        message: wire::MendGlassRequest,
    ) -> Result<wire::MendGlassResponse, ApiError> {
        let tenant = scope.tenant()?;
        let request = self.request(scope, tenant, &message.request_id, &message)?;
        let application_id =
            fields::optional("application_id", &message.application_id, ApplicationId::parse)?;
        let command = Command::MendGlass { application_id };
        let executed = self.execute(tenant, &request, command).await?;
        let tenant = Some(convert::tenant(tenant, &executed.folded.state));
        Ok(wire::MendGlassResponse { tenant })
    }
}

fn reason(given: &str) -> Result<String, ApiError> {
    if given.trim().is_empty() {
        return Err(ApiError::field("reason", FieldProblem::Missing));
    }
    fields::text("reason", given, 256)
}

fn missing_lifetime() -> Result<Duration, ApiError> {
    Err(ApiError::field("lifetime", FieldProblem::Missing))
}

fn lifetime(given: prost_types::Duration) -> Result<Duration, ApiError> {
    let read = fields::positive_duration("lifetime", given)?;
    if (SHORTEST..=LONGEST).contains(&read) {
        Ok(read)
    } else {
        Err(ApiError::field("lifetime", FieldProblem::Other("must be 5 minutes to 24 hours")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glass_is_broken_for_five_minutes_to_a_day_and_for_a_reason() {
        let of = |seconds| lifetime(prost_types::Duration { seconds, nanos: 0 }).is_ok();
        assert_eq!([300, 86_400].map(of), [true; 2]);
        assert_eq!([0, 299, 86_401, i64::MAX].map(of), [false; 4]);
        let refused = ["", "  ", "a\nb", &"q".repeat(257)].map(|text| reason(text).is_err());
        assert_eq!(refused, [true; 4]);
        assert!(reason(&"q".repeat(256)).is_ok());
    }
}
