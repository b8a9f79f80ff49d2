//! `countersign tenants`: the customers of the installation.

use clap::Subcommand;
use countersign_proto::admin::{
    CreateTenantRequest, GetTenantRequest, ListTenantsRequest, SetRetentionRequest, Tenant,
};

use super::{
    Connection, Failure, Screen, every_page, fresh_request_id, global::Global, screen::table_of,
    when::to_the_second, words::requirement_word,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all tenants
    List,
    /// Create a tenant
    Create {
        /// Its id: 1 to 40 of a-z, 0-9 and -
        id: String,
        /// Its name for people; the id if not given
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
    },
    /// Show how long users stay who do nothing, or say so
    Retention {
        /// Erase users without an event for so many days, 30 to 3650; 0 keeps all users
        #[arg(long, value_name = "DAYS")]
        inactive_users: Option<u32>,
    },
}

pub(super) const TENANT: &str = "countersign.admin.v1.Tenant";

pub(crate) async fn run(args: Args, global: &Global, screen: &mut Screen) -> Result<(), Failure> {
    let connection = Connection::open(global).await?;
    match args.command {
        Command::List => {
            let tenants = list(&connection).await?;
            if screen.wants_json() {
                return tenants.iter().try_for_each(|tenant| screen.json(TENANT, tenant));
            }
            print_tenants(&tenants, screen)
        }
        Command::Create { id, display_name } => {
            let request = CreateTenantRequest {
                request_id: fresh_request_id(),
                display_name: display_name.unwrap_or_else(|| id.clone()),
                tenant_id: id,
            };
            let response = connection.admin().create_tenant(request).await;
            let refused = Failure::refused("creating the tenant");
            let tenant = response.map_err(refused)?.into_inner().tenant.unwrap_or_default();
            if screen.wants_json() {
                return screen.json(TENANT, &tenant);
            }
            screen.line(format_args!("created {}", tenant.tenant_id))
        }
        Command::Retention { inactive_users } => {
            let tenant = match inactive_users {
                None => get(&connection).await?,
                Some(days) => set_retention(&connection, days).await?,
            };
            if screen.wants_json() {
                return screen.json(TENANT, &tenant);
            }
            screen.line(retention_text(&tenant))
        }
    }
}

/// Returns the tenant that is acted on.
pub(super) async fn get(connection: &Connection) -> Result<Tenant, Failure> {
    let response = connection.admin().get_tenant(GetTenantRequest {}).await;
    let refused = Failure::refused("looking at the tenant");
    Ok(response.map_err(refused)?.into_inner().tenant.unwrap_or_default())
}

async fn set_retention(connection: &Connection, days: u32) -> Result<Tenant, Failure> {
    let request = SetRetentionRequest { request_id: fresh_request_id(), inactive_user_days: days };
    let response = connection.admin().set_retention(request).await;
    let refused = Failure::refused("setting the retention");
    Ok(response.map_err(refused)?.into_inner().tenant.unwrap_or_default())
}

fn retention_text(tenant: &Tenant) -> String {
    match tenant.inactive_user_days {
        0 => format!("{} keeps all users", tenant.tenant_id),
        days => format!("{} erases users without an event for {days} days", tenant.tenant_id),
    }
}

async fn list(connection: &Connection) -> Result<Vec<Tenant>, Failure> {
    every_page(async |page_token| {
        let response =
            connection.admin().list_tenants(ListTenantsRequest { page_size: 0, page_token }).await;
        let page = response.map_err(Failure::refused("listing tenants"))?.into_inner();
        Ok((page.tenants, page.next_page_token))
    })
    .await
}

fn print_tenants(tenants: &[Tenant], screen: &mut Screen) -> Result<(), Failure> {
    let mut table = table_of(&["tenant", "name", "second factor", "applications", "created"]);
    for tenant in tenants {
        let applications: Vec<_> =
            tenant.applications.iter().map(|one| one.application_id.as_str()).collect();
        table.add_row([
            tenant.tenant_id.clone(),
            tenant.display_name.clone(),
            requirement_word(tenant.mfa_requirement()),
            applications.join(", "),
            to_the_second(tenant.created_at.as_ref()),
        ]);
    }
    screen.table(&table, "there are no tenants yet; create one with: countersign tenants create ID")
}
