//! `countersign applications`: what a tenant's users sign in to.

use clap::Subcommand;
use countersign_proto::{
    admin::{Application, CreateApplicationRequest},
    common::MfaRequirement,
};

use super::{
    Connection, Failure, Screen, fresh_request_id,
    global::Global,
    screen::table_of,
    tenants,
    words::{RequirementWord, requirement_word},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the tenant's applications
    List,
    /// Create an application
    Create {
        /// Its id: 1 to 64 of a-z, 0-9, ., _ and -
        id: String,
        /// Its name for people; the id if not given
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        /// When it needs a second factor, never or always; as the tenant says if not given
        #[arg(long, value_enum, value_name = "WHEN")]
        requirement: Option<RequirementWord>,
    },
}

const APPLICATION: &str = "countersign.admin.v1.Application";

pub(crate) async fn run(args: Args, global: &Global, screen: &mut Screen) -> Result<(), Failure> {
    let connection = Connection::open(global).await?;
    match args.command {
        Command::List => {
            let applications = tenants::get(&connection).await?.applications;
            if screen.wants_json() {
                return applications.iter().try_for_each(|one| screen.json(APPLICATION, one));
            }
            print_applications(&applications, screen)
        }
        Command::Create { id, display_name, requirement } => {
            let request = CreateApplicationRequest {
                request_id: fresh_request_id(),
                display_name: display_name.unwrap_or_else(|| id.clone()),
                application_id: id,
                mfa_requirement: requirement.map_or(0, |word| MfaRequirement::from(word).into()),
            };
            let response = connection.admin().create_application(request).await;
            let created = response.map_err(Failure::refused("creating the application"))?;
            let created = created.into_inner().application.unwrap_or_default();
            if screen.wants_json() {
                return screen.json(APPLICATION, &created);
            }
            screen.line(format_args!("created {}", created.application_id))
        }
    }
}

fn print_applications(all: &[Application], screen: &mut Screen) -> Result<(), Failure> {
    let mut table = table_of(&["application!", "name", "second factor"]);
    for one in all {
        table.add_row([
            one.application_id.clone(),
            one.display_name.clone(),
            requirement_word(one.mfa_requirement()),
        ]);
    }
    screen.table(
        &table,
        "there are no applications; create one with: countersign applications create ID",
    )
}
