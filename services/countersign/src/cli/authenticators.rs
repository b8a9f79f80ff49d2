//! `countersign authenticators`: what a user has enrolled.

use clap::Subcommand;
use countersign_proto::{
    common::Authenticator,
    enrollment::{ListAuthenticatorsRequest, RemoveAuthenticatorRequest},
};

use super::{
    Connection, Failure, Screen, every_page, fresh_request_id, global::Global, screen::table_of,
    when::to_the_second, words::word,
};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List a user's authenticators, oldest first
    List {
        /// The user, by the platform's own id
        user: String,
        /// Show removed ones too
        #[arg(long)]
        removed: bool,
    },
    /// Remove an authenticator for good
    Remove {
        /// The user, by the platform's own id
        user: String,
        /// The authenticator's id
        id: String,
        /// Why, for the audit; no personal data
        #[arg(long)]
        reason: String,
    },
}

pub(crate) async fn run(args: Args, global: &Global, screen: &mut Screen) -> Result<(), Failure> {
    let connection = Connection::open(global).await?;
    match args.command {
        Command::List { user, removed } => {
            let all = list_authenticators(&connection, &user, removed).await?;
            if screen.wants_json() {
                return all.iter().try_for_each(|one| screen.json(AUTHENTICATOR, one));
            }
            print_authenticators(&all, screen)
        }
        Command::Remove { user, id, reason } => {
            let request = RemoveAuthenticatorRequest {
                request_id: fresh_request_id(),
                user_id: user,
                authenticator_id: id,
                reason,
            };
            let response = connection.enrollment().remove_authenticator(request).await;
            let refused = Failure::refused("removing the authenticator");
            let removed = response.map_err(refused)?.into_inner().authenticator;
            let removed = removed.unwrap_or_default();
            if screen.wants_json() {
                return screen.json(AUTHENTICATOR, &removed);
            }
            screen.line(format_args!("removed {} {}", removed.kind, removed.authenticator_id))
        }
    }
}

const AUTHENTICATOR: &str = "countersign.common.v1.Authenticator";

/// Returns all of a user's authenticators, page by page.
pub(super) async fn list_authenticators(
    connection: &Connection,
    user: &str,
    include_removed: bool,
) -> Result<Vec<Authenticator>, Failure> {
    every_page(async |page_token| {
        let request = ListAuthenticatorsRequest {
            user_id: user.to_owned(),
            include_removed,
            page_size: 0,
            page_token,
        };
        let response = connection.enrollment().list_authenticators(request).await;
        let page = response.map_err(Failure::refused("listing authenticators"))?.into_inner();
        Ok((page.authenticators, page.next_page_token))
    })
    .await
}

/// Prints authenticators as a table.
pub(crate) fn print_authenticators(
    authenticators: &[Authenticator],
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut table =
        table_of(&["authenticator", "kind", "name", "status", "default", "confirmed", "set-up"]);
    for one in authenticators {
        table.add_row([
            one.authenticator_id.clone(),
            one.kind.clone(),
            one.display_name.clone(),
            word(one.status().as_str_name(), "AUTHENTICATOR_STATUS_"),
            if one.is_default { "yes" } else { "" }.to_owned(),
            to_the_second(one.confirmed_at.as_ref()),
            set_up(one),
        ]);
    }
    screen.table(&table, "none")
}

/// Returns what may be told about an authenticator's set-up, always in the same order.
fn set_up(one: &Authenticator) -> String {
    let mut parts: Vec<_> =
        one.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    parts.sort();
    parts.extend(one.codes_remaining.map(|left| format!("{left} codes left")));
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use countersign_proto::common::AuthenticatorStatus;

    use super::*;
    use crate::cli::screen::tests::Printed;

    fn recovery_codes() -> Authenticator {
        Authenticator {
            authenticator_id: "0190163d-8694-739b-aea5-966c26f8ad91".to_owned(),
            kind: "recovery_code".to_owned(),
            status: AuthenticatorStatus::Active.into(),
            codes_remaining: Some(9),
            parameters: [("b", "2"), ("a", "1")]
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            ..Default::default()
        }
    }

    #[test]
    fn an_authenticator_is_a_row_with_its_whole_id() {
        let printed = Printed::default();
        print_authenticators(&[recovery_codes()], &mut Screen::to(printed.clone(), false)).unwrap();
        let text = printed.text();
        assert!(text.contains("0190163d-8694-739b-aea5-966c26f8ad91"), "{text}");
        assert!(text.contains("active"), "{text}");
    }

    #[test]
    fn the_set_up_is_told_in_the_same_order_every_time() {
        assert_eq!(set_up(&recovery_codes()), "a=1 b=2 9 codes left");
    }
}
