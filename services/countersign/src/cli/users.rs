//! `countersign users`: how a user stands now and where they belong, help for who cannot sign in, and the end of all that is known of them.

use clap::Subcommand;
use countersign_proto::{challenge::ListThrottlesRequest, enrollment::EraseUserRequest};

use super::{
    Connection, Failure, Screen, access_pass,
    audit::print_throttles,
    authenticators::{list_authenticators, print_authenticators},
    fresh_request_id,
    global::Global,
    placing,
    screen::HEADING,
    self_service,
    when::to_the_second,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show where a user belongs, their authenticators, and which of them take no attempts
    Show {
        /// The user, by the platform's own id
        user: String,
    },
    /// Put a user into an organisation, or say whether they have privilege; what is not named stays as it is
    Place(placing::Args),
    /// Make a token with which a user looks after their own authenticators, and print it
    Token(self_service::Args),
    /// Issue a temporary access pass to a user who lost their authenticators, and print it this once
    AccessPass(access_pass::Args),
    /// Erase a user for good: nobody can read any more what is sealed for them
    Erase {
        /// The user, by the platform's own id
        user: String,
        /// Why, for the audit; no personal data
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        /// Say that it is meant: there is no way back
        #[arg(long, required = true)]
        yes: bool,
    },
}

pub(crate) async fn run(args: Args, global: &Global, screen: &mut Screen) -> Result<(), Failure> {
    let connection = Connection::open(global).await?;
    match args.command {
        Command::Show { user } => show(user, &connection, screen).await,
        Command::Place(args) => placing::run(args, &connection, screen).await,
        Command::Token(args) => self_service::run(args, &connection, screen).await,
        Command::AccessPass(args) => access_pass::run(args, &connection, screen).await,
        Command::Erase { user, reason, yes: _ } => {
            let request =
                EraseUserRequest { request_id: fresh_request_id(), user_id: user, reason };
            let response = connection.enrollment().erase_user(request).await;
            let erased = response.map_err(Failure::refused("erasing the user"))?.into_inner();
            if screen.wants_json() {
                return screen.json("countersign.enrollment.v1.EraseUserResponse", &erased);
            }
            let erased_at = to_the_second(erased.erased_at.as_ref());
            screen.line(format_args!("erased at {erased_at}; nobody can undo it"))
        }
    }
}

async fn show(user: String, connection: &Connection, screen: &mut Screen) -> Result<(), Failure> {
    let placed = placing::get(connection, &user).await?;
    let authenticators = list_authenticators(connection, &user, true).await?;
    let request = ListThrottlesRequest { user_id: user };
    let response = connection.challenge().list_throttles(request).await;
    let throttles = response.map_err(Failure::refused("listing throttles"))?.into_inner();
    if screen.wants_json() {
        screen.json("countersign.enrollment.v1.GetUserResponse", &placed)?;
        for one in &authenticators {
            screen.json("countersign.common.v1.Authenticator", one)?;
        }
        let mut each = throttles.throttles.iter();
        return each.try_for_each(|one| screen.json("countersign.common.v1.Throttle", one));
    }
    let words = placing::placement_words(&placed.placement.unwrap_or_default());
    screen.line(format_args!("{HEADING}Belongs{HEADING:#}\n{words}"))?;
    screen.line(format_args!("\n{HEADING}Authenticators{HEADING:#}"))?;
    print_authenticators(&authenticators, screen)?;
    screen.line(format_args!("\n{HEADING}Throttled{HEADING:#}"))?;
    print_throttles(&throttles.throttles, screen)
}
