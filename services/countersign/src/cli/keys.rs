//! `countersign keys`: what callers identify themselves with.

use clap::{Subcommand, builder::NonEmptyStringValueParser};
use countersign_proto::admin::{
    ApiKey, CreateApiKeyRequest, ListApiKeysRequest, RevokeApiKeyRequest, Role, RotateApiKeyRequest,
};

use super::{
    Connection, Failure, Screen, fresh_request_id,
    global::Global,
    screen::{ALERT, FAINT, table_of},
    when::{to_the_second, wire_span},
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
        #[arg(long, value_name = "SPAN", value_parser = wire_span)]
        lifetime: Option<prost_types::Duration>,
        /// Confine it to the users of this organisation; org-admin needs one
        // Nothing at all, as from a variable that is not set, would confine it to nobody.
        #[arg(long, value_name = "ID", value_parser = NonEmptyStringValueParser::new())]
        organisation: Option<String>,
        /// Let it be used from this address or network only, such as 203.0.113.0/24; may be repeated
        #[arg(long = "allow", value_name = "CIDR")]
        allowed: Vec<String>,
    },
    /// Give a key a fresh secret and print it this once
    Rotate {
        /// The key's id
        id: String,
        /// How long the secret before goes on working, such as 24h, 90d at most; it ends at once if not given
        #[arg(long, value_name = "SPAN", value_parser = wire_span)]
        overlap: Option<prost_types::Duration>,
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
        Command::Create { name, roles, lifetime, organisation, allowed } => {
            let request = CreateApiKeyRequest {
                request_id: fresh_request_id(),
                display_name: name,
                roles: roles.into_iter().map(|role| Role::from(role).into()).collect(),
                lifetime,
                organisation_id: organisation.unwrap_or_default(),
                allowed_addresses: allowed,
            };
            create(request, &connection, screen).await
        }
        Command::Rotate { id, overlap } => {
            let request =
                RotateApiKeyRequest { request_id: fresh_request_id(), key_id: id, overlap };
            rotate(request, &connection, screen).await
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

/// Prints the fresh secret alone on standard output, as for a new key.
async fn rotate(
    request: RotateApiKeyRequest,
    connection: &Connection,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let response = connection.admin().rotate_api_key(request).await;
    let rotated = response.map_err(Failure::refused("rotating the API key"))?.into_inner();
    if screen.wants_json() {
        return screen.json("countersign.admin.v1.RotateApiKeyResponse", &rotated);
    }
    let key = rotated.api_key.unwrap_or_default();
    let before = match &key.previous_secret_until {
        Some(until) => format!("works until {}", to_the_second(Some(until))),
        None => "has ended".to_owned(),
    };
    anstream::eprintln!(
        "{ALERT}keep it:{ALERT:#} the fresh secret of key {} for {} is shown this once {FAINT}(the one before \
         {before}){FAINT:#}",
        key.key_id,
        key.display_name
    );
    screen.line(rotated.secret)
}

fn print_keys(keys: &[ApiKey], screen: &mut Screen) -> Result<(), Failure> {
    let mut table = table_of(&[
        "key!",
        "for",
        "roles",
        "organisation",
        "from",
        "issued",
        "ends",
        "last used",
        "rotated",
        "revoked",
    ]);
    for key in keys {
        table.add_row([
            key.key_id.clone(),
            key.display_name.clone(),
            role_words(key.roles()),
            key.organisation_id.clone(),
            key.allowed_addresses.join(", "),
            to_the_second(key.created_at.as_ref()),
            key.expires_at
                .as_ref()
                .map_or_else(|| "never".to_owned(), |at| to_the_second(Some(at))),
            to_the_second(key.last_used_at.as_ref()),
            rotated(key),
            if key.revoked { "yes" } else { "" }.to_owned(),
        ]);
    }
    screen.table(&table, "there are no API keys")
}

/// Returns when a key was last given a fresh secret, and until when the one before works.
fn rotated(key: &ApiKey) -> String {
    let at = to_the_second(key.rotated_at.as_ref());
    match &key.previous_secret_until {
        Some(until) => format!("{at}, the secret before ends {}", to_the_second(Some(until))),
        None => at,
    }
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
    fn a_key_says_what_it_is_confined_to_and_which_secrets_work() {
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 0 });
        let key = ApiKey {
            organisation_id: "north".to_owned(),
            allowed_addresses: vec!["203.0.113.0/24".to_owned(), "2001:db8::1".to_owned()],
            last_used_at: at(1_700_000_000),
            rotated_at: at(1_700_003_600),
            previous_secret_until: at(1_700_090_000),
            ..Default::default()
        };
        let printed = Printed::default();
        print_keys(&[key], &mut Screen::to(printed.clone(), false)).unwrap();
        let text = printed.text();
        for part in ["north", "203.0.113.0/24, 2001:db8::1", "2023-11-14T22:13:20Z"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let rotated = "2023-11-14T23:13:20Z, the secret before ends 2023-11-15T23:13:20Z";
        assert!(text.contains(rotated), "{text}");
    }
}
