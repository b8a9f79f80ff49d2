//! `countersign users`: how a user stands now.

use clap::Subcommand;
use countersign_proto::challenge::ListThrottlesRequest;

use super::{
    Connection, Failure, Screen,
    audit::print_throttles,
    authenticators::{list_authenticators, print_authenticators},
    global::Global,
    screen::HEADING,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a user's authenticators and which of them take no attempts
    Show {
        /// The user, by the platform's own id
        user: String,
    },
}

pub(crate) async fn run(args: Args, global: &Global, screen: &mut Screen) -> Result<(), Failure> {
    let Command::Show { user } = args.command;
    let connection = Connection::open(global).await?;
    let authenticators = list_authenticators(&connection, &user, true).await?;
    let request = ListThrottlesRequest { user_id: user };
    let response = connection.challenge().list_throttles(request).await;
    let throttles = response.map_err(Failure::refused("listing throttles"))?.into_inner();
    if screen.wants_json() {
        for one in &authenticators {
            screen.json("countersign.common.v1.Authenticator", one)?;
        }
        let mut each = throttles.throttles.iter();
        return each.try_for_each(|one| screen.json("countersign.common.v1.Throttle", one));
    }
    screen.line(format_args!("{HEADING}Authenticators{HEADING:#}"))?;
    print_authenticators(&authenticators, screen)?;
    screen.line(format_args!("\n{HEADING}Throttled{HEADING:#}"))?;
    print_throttles(&throttles.throttles, screen)
}
