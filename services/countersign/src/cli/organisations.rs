//! `countersign organisations`: the parts of a tenant that have administrators of their own.

use clap::Subcommand;
use countersign_proto::admin::{CreateOrganisationRequest, ListOrganisationsRequest, Organisation};

use super::{
    Connection, Failure, Screen, every_page, fresh_request_id, global::Global, screen::table_of,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the tenant's organisations
    List,
    /// Create an organisation
    Create {
        /// Its id: 1 to 64 of a-z, 0-9, ., _ and -
        id: String,
        /// Its name for people; the id if not given
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
    },
}

const ORGANISATION: &str = "countersign.admin.v1.Organisation";

pub(crate) async fn run(args: Args, global: &Global, screen: &mut Screen) -> Result<(), Failure> {
    let connection = Connection::open(global).await?;
    match args.command {
        Command::List => {
            let organisations = list(&connection).await?;
            if screen.wants_json() {
                return organisations.iter().try_for_each(|one| screen.json(ORGANISATION, one));
            }
            print_organisations(&organisations, screen)
        }
        Command::Create { id, display_name } => {
            let request = CreateOrganisationRequest {
                request_id: fresh_request_id(),
                display_name: display_name.unwrap_or_else(|| id.clone()),
                organisation_id: id,
            };
            let response = connection.admin().create_organisation(request).await;
            let created = response.map_err(Failure::refused("creating the organisation"))?;
            let created = created.into_inner().organisation.unwrap_or_default();
            if screen.wants_json() {
                return screen.json(ORGANISATION, &created);
            }
            screen.line(format_args!("created {}", created.organisation_id))
        }
    }
}

async fn list(connection: &Connection) -> Result<Vec<Organisation>, Failure> {
    every_page(async |page_token| {
        let response = connection
            .admin()
            .list_organisations(ListOrganisationsRequest { page_size: 0, page_token })
            .await;
        let page = response.map_err(Failure::refused("listing organisations"))?.into_inner();
        Ok((page.organisations, page.next_page_token))
    })
    .await
}

fn print_organisations(all: &[Organisation], screen: &mut Screen) -> Result<(), Failure> {
    let mut table = table_of(&["organisation!", "name"]);
    for one in all {
        table.add_row([one.organisation_id.as_str(), one.display_name.as_str()]);
    }
    screen.table(
        &table,
        "there are no organisations; create one with: countersign organisations create ID",
    )
}
