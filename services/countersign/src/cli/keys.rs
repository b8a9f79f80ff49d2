//! `countersign keys`: what callers identify themselves with.

use clap::Subcommand;
use countersign_proto::admin::{
    ApiKey, CreateApiKeyRequest, ListApiKeysRequest, RevokeApiKeyRequest, Role,
};

use super::{
    Connection, Failure, Screen, fresh_request_id,
    global::Global,
    screen::{ALERT, FAINT, table_of},
    when::{span, to_the_second},
    words::{RoleWord, role_words},
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Issue a key and print it this once
    Create {
        /// What it is for
        name: String,
        /// What it may do; may be repeated
        #[arg(long = "role", value_enum, required = true, value_name = "ROLE")]
        roles: Vec<RoleWord>,
        /// How long it lasts, such as 90d; for ever if not given
        #[arg(long, value_name = "SPAN", value_parser = lifetime)]
        lifetime: Option<prost_types::Duration>,
    },
    /// List keys without their secrets, oldest first
    List,
    /// End a key at once
    Revoke {
        /// The key's id
        id: String,
    },
}

const KEY: &str = "countersign.admin.v1.ApiKey";

pub(crate) async fn run(args: Args, global: &Global, screen: &mut Screen) -> Result<(), Failure> {
    let connection = Connection::open(global).await?;
    match args.command {
        Command::Create { name, roles, lifetime } => {
            let request = CreateApiKeyRequest {
                request_id: fresh_request_id(),
                display_name: name,
                roles: roles.into_iter().map(|role| Role::from(role).into()).collect(),
                lifetime,
            };
            create(request, &connection, screen).await
        }
        Command::List => {
            let response = connection.admin().list_api_keys(ListApiKeysRequest {}).await;
            let keys = response.map_err(Failure::refused("listing API keys"))?.into_inner();
            if screen.wants_json() {
                return keys.api_keys.iter().try_for_each(|key| screen.json(KEY, key));
            }
            print_keys(&keys.api_keys, screen)
        }
        Command::Revoke { id } => {
            let request = RevokeApiKeyRequest { request_id: fresh_request_id(), key_id: id };
            let response = connection.admin().revoke_api_key(request).await;
            let refused = Failure::refused("revoking the API key");
            let key = response.map_err(refused)?.into_inner().api_key.unwrap_or_default();
            if screen.wants_json() {
                return screen.json(KEY, &key);
            }
            screen.line(format_args!("revoked {} ({})", key.key_id, key.display_name))
        }
    }
}

/// Prints the secret alone on standard output, so that it can be redirected into a file.
async fn create(
    request: CreateApiKeyRequest,
    connection: &Connection,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let response = connection.admin().create_api_key(request).await;
    let created = response.map_err(Failure::refused("issuing the API key"))?.into_inner();
    if screen.wants_json() {
        return screen.json("countersign.admin.v1.CreateApiKeyResponse", &created);
    }
    let key = created.api_key.unwrap_or_default();
    let note = format!(
        "key {} for {} is shown this once {FAINT}(roles: {}){FAINT:#}",
        key.key_id,
        key.display_name,
        role_words(key.roles())
    );
    anstream::eprintln!("{ALERT}keep it:{ALERT:#} {note}");
    screen.line(created.secret)
}

fn print_keys(keys: &[ApiKey], screen: &mut Screen) -> Result<(), Failure> {
    let mut table = table_of(&["key", "for", "roles", "issued", "ends", "revoked"]);
    for key in keys {
        table.add_row([
            key.key_id.clone(),
            key.display_name.clone(),
            role_words(key.roles()),
            to_the_second(key.created_at.as_ref()),
            key.expires_at
                .as_ref()
                .map_or_else(|| "never".to_owned(), |at| to_the_second(Some(at))),
            if key.revoked { "yes" } else { "" }.to_owned(),
        ]);
    }
    screen.table(&table, "there are no API keys")
}

fn lifetime(text: &str) -> Result<prost_types::Duration, &'static str> {
    const FORM: &str = "must be a length of time such as 12h or 90d";
    let seconds = span(text).ok_or(FORM)?.as_secs();
    let seconds = i64::try_from(seconds).map_err(|_| FORM)?;
    Ok(prost_types::Duration { seconds, nanos: 0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::tests::Printed;

    #[test]
    fn a_key_that_never_ends_says_so() {
        let key = ApiKey {
            key_id: "k1".to_owned(),
            display_name: "the VPN".to_owned(),
            roles: vec![Role::Verifier.into(), Role::Auditor.into()],
            ..Default::default()
        };
        let printed = Printed::default();
        print_keys(&[key], &mut Screen::to(printed.clone(), false)).unwrap();
        let text = printed.text();
        assert!(text.contains("never") && text.contains("verifier, auditor"), "{text}");
    }

    #[test]
    fn a_lifetime_is_a_number_and_a_unit() {
        assert_eq!(lifetime("2h").unwrap().seconds, 7_200);
        assert!(lifetime("for ever").is_err());
    }
}
