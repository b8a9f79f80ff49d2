//! `countersign requirement`: when sign-ins need a second factor.

use clap::{Subcommand, builder::NonEmptyStringValueParser};
use countersign_proto::{
    admin::{SetMfaRequirementRequest, Tenant},
    common::MfaRequirement,
};

use super::{
    Connection, Failure, Screen, fresh_request_id,
    global::Global,
    tenants::TENANT,
    words::{RequirementWord, requirement_word},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say when sign-ins of the tenant, or to one of its applications, need a second factor
    Set {
        /// When
        #[arg(value_enum)]
        requirement: RequirementWord,
        /// For sign-ins to this application only
        #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
        application: Option<String>,
    },
}

pub(crate) async fn run(args: Args, global: &Global, screen: &mut Screen) -> Result<(), Failure> {
    let Command::Set { requirement, application } = args.command;
    let connection = Connection::open(global).await?;
    let request = SetMfaRequirementRequest {
        request_id: fresh_request_id(),
        application_id: application.clone().unwrap_or_default(),
        mfa_requirement: MfaRequirement::from(requirement).into(),
    };
    let response = connection.admin().set_mfa_requirement(request).await;
    let refused = Failure::refused("setting the requirement");
    let tenant = response.map_err(refused)?.into_inner().tenant.unwrap_or_default();
    if screen.wants_json() {
        return screen.json(TENANT, &tenant);
    }
    screen.line(requirement_text(&tenant, application.as_deref()))
}

fn requirement_text(tenant: &Tenant, application: Option<&str>) -> String {
    let whole = requirement_word(tenant.mfa_requirement());
    let of_one = application.and_then(|id| {
        let found = tenant.applications.iter().find(|one| one.application_id == id)?;
        Some(format!("{id}: {}; ", requirement_word(found.mfa_requirement())))
    });
    format!("{}{}: {whole}", of_one.unwrap_or_default(), tenant.tenant_id)
}

#[cfg(test)]
mod tests {
    use countersign_proto::admin::Application;

    use super::*;

    #[test]
    fn what_an_application_asks_for_is_told_beside_what_the_tenant_does() {
        let vpn = Application {
            application_id: "vpn".to_owned(),
            mfa_requirement: MfaRequirement::Never.into(),
            ..Application::default()
        };
        let tenant = Tenant {
            tenant_id: "acme".to_owned(),
            mfa_requirement: MfaRequirement::PerApplication.into(),
            applications: vec![vpn],
            ..Tenant::default()
        };
        assert_eq!(requirement_text(&tenant, None), "acme: per-application");
        assert_eq!(requirement_text(&tenant, Some("vpn")), "vpn: never; acme: per-application");
    }
}
