//! `countersign users access-pass`: a passcode for a user who has lost their authenticators.

use countersign_core::Timestamp;
use countersign_domain::wire::timestamp_to_wire;
use countersign_proto::enrollment::IssueTemporaryAccessPassRequest;

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
    /// How long it lasts, such as 30m; an hour if not given
    #[arg(long, value_name = "SPAN", value_parser = wire_span)]
    lifetime: Option<prost_types::Duration>,
    /// Let it be used until it ends, not only once
    #[arg(long)]
    reusable: bool,
    /// From when on it can be used, such as 2026-01-31T09:00:00Z; at once if not given
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
}

/// Prints the code alone on standard output, so that it can be passed on without being read.
pub(super) async fn run(
    args: Args,
    connection: &Connection,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let request = IssueTemporaryAccessPassRequest {
        request_id: fresh_request_id(),
        user_id: args.user,
        lifetime: args.lifetime,
        single_use: Some(!args.reusable),
        starts_at: args.from.map(timestamp_to_wire),
    };
    let response = connection.enrollment().issue_temporary_access_pass(request).await;
    let refused = Failure::refused("issuing the temporary access pass");
    let issued = response.map_err(refused)?.into_inner();
    if screen.wants_json() {
        return screen.json("countersign.enrollment.v1.IssueTemporaryAccessPassResponse", &issued);
    }
    let [from, until] =
        [&issued.starts_at, &issued.ends_at].map(|instant| to_the_second(instant.as_ref()));
    let times = if args.reusable { "any number of times" } else { "once" };
    anstream::eprintln!(
        "{ALERT}tell it to the user alone:{ALERT:#} it is shown this once {FAINT}(opens {times}, from {from} until \
         {until}){FAINT:#}"
    );
    screen.line(issued.code)
}
