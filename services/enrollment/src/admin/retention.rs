//! `SetRetention`.

use std::num::NonZeroU32;

use countersign_core::FieldProblem;
use countersign_domain::tenant::{Command, Retention};
use countersign_proto::admin as wire;
use countersign_service::{ApiError, Scope};

use super::{AdminApi, convert, quorum::details};

impl AdminApi {
    pub(super) async fn handle_set_retention(
        &self,
        scope: &Scope,
        message: wire::SetRetentionRequest,
    ) -> Result<wire::SetRetentionResponse, ApiError> {
        let tenant = scope.tenant()?;
        let inactive_user_days = days(message.inactive_user_days)?;
        let command = Command::SetRetention(Retention { inactive_user_days });
        let content = wire::SetRetentionRequest { request_id: String::new(), ..message.clone() };
        let details = details([("inactive_user_days", message.inactive_user_days.to_string())]);
        let deed = self.deed(scope, &message.request_id, &message, &content, details)?;
        let executed = self.perform(&deed, command).await?;
        let tenant = Some(convert::tenant(tenant, &executed.folded.state));
        Ok(wire::SetRetentionResponse { tenant })
    }
}

fn days(asked: u32) -> Result<Option<NonZeroU32>, ApiError> {
    match asked {
        0 | 30..=3_650 => Ok(NonZeroU32::new(asked)),
        _ => {
            let problem = FieldProblem::Other("must be 30 to 3650, or zero to keep all users");
            Err(ApiError::field("inactive_user_days", problem))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_may_be_silent_for_a_month_to_ten_years() {
        let read = |asked| days(asked).ok().map(|days| days.map_or(0, NonZeroU32::get));
        assert_eq!([0, 30, 3_650].map(read), [Some(0), Some(30), Some(3_650)]);
        assert_eq!([1, 29, 3_651, u32::MAX].map(read), [None; 4]);
    }
}
