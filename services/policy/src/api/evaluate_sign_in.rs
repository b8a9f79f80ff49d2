//! `EvaluateSignIn`.

use std::net::IpAddr;

use countersign_core::{ApplicationId, FieldProblem};
use countersign_proto::policy as wire;
use countersign_service::{ApiError, Scope, caller::Touch, fields};
use prost::Message as _;

use super::{PolicyApi, convert};
use crate::app::{EvaluateSignIn, evaluate_sign_in};

impl PolicyApi {
    pub(super) async fn handle_evaluate(
        &self,
        scope: &Scope,
        message: wire::EvaluateSignInRequest,
    ) -> Result<wire::EvaluateSignInResponse, ApiError> {
        let user = scope
            .user(&self.foundation, &fields::user_id(&message.user_id)?, Touch::Change)
            .await?;
        let stream = user.sign_ins();
        let request = scope.command(&self.foundation, &stream, &message.request_id, &message)?;
        let application_id =
            fields::optional("application_id", &message.application_id, ApplicationId::parse)?;
        let context = message.context.unwrap_or_default();
        check_context(&context)?;
        let asked = EvaluateSignIn { application_id, context: context.encode_to_vec() };
        let evaluated = evaluate_sign_in(&self.foundation, &user, &request, asked).await?;
        Ok(convert::evaluation(evaluated))
    }
}

/// Checks what the platform knows of the sign-in. What it does not know stays empty.
fn check_context(context: &wire::SignInContext) -> Result<(), ApiError> {
    if !context.ip_address.is_empty() && context.ip_address.parse::<IpAddr>().is_err() {
        let problem = FieldProblem::Other("must be an IPv4 or IPv6 address, or empty");
        return Err(ApiError::field("context.ip_address", problem));
    }
    fields::text("context.user_agent", &context.user_agent, 1_024)?;
    fields::text("context.device_id", &context.device_id, 256)?;
    fields::text("context.resource", &context.resource, 1_024)?;
    Ok(())
}
