//! `countersign users token`: a token with which a user looks after their own authenticators.

use countersign_proto::enrollment::CreateSelfServiceTokenRequest;

use super::{
    Connection, Failure, Screen, fresh_request_id,
    screen::{ALERT, FAINT},
    when::{to_the_second, wire_span},
};

/// What is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The user, by the platform's own id
    user: String,
    /// How long it lasts, 1m to 15m; 5m if not given
    #[arg(long, value_name = "SPAN", value_parser = wire_span)]
    lifetime: Option<prost_types::Duration>,
}

/// Prints the token alone on standard output, so that it can be passed on without being read.
pub(super) async fn run(
    args: Args,
    connection: &Connection,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let request = CreateSelfServiceTokenRequest {
        request_id: fresh_request_id(),
        user_id: args.user,
        lifetime: args.lifetime,
    };
    let response = connection.enrollment().create_self_service_token(request).await;
    let made = response.map_err(Failure::refused("making the token"))?.into_inner();
    if screen.wants_json() {
        return screen.json("countersign.enrollment.v1.CreateSelfServiceTokenResponse", &made);
    }
    let until = to_the_second(made.expires_at.as_ref());
    anstream::eprintln!(
        "{ALERT}for the user alone:{ALERT:#} token {} ends at {until} {FAINT}(authorization: Bearer TOKEN){FAINT:#}",
        made.token_id
    );
    screen.line(made.token)
}
