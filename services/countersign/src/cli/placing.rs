//! `countersign users place`: the organisation that a user is in, and whether they have privilege.

use clap::builder::NonEmptyStringValueParser;
use countersign_proto::enrollment::{GetUserRequest, GetUserResponse, PlaceUserRequest, Placement};

use super::{Connection, Failure, Screen, fresh_request_id};

/// What is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The user, by the platform's own id
    user: String,
    #[command(flatten)]
    changes: Changes,
}

/// What is to be another way.
#[derive(Debug, Default, clap::Args)]
#[group(required = true, multiple = true)]
struct Changes {
    /// Put the user into this organisation
    #[arg(
        long,
        value_name = "ID",
        conflicts_with = "no_organisation",
        value_parser = NonEmptyStringValueParser::new()
    )]
    organisation: Option<String>,
    /// Take the user out of their organisation
    #[arg(long)]
    no_organisation: bool,
    /// Say that the user has privilege, as administrators have: a help desk does not act on them
    #[arg(long, conflicts_with = "no_privilege")]
    privileged: bool,
    /// Say that the user has no privilege
    #[arg(long)]
    no_privilege: bool,
}

impl Changes {
    fn applied_to(self, now: Placement) -> Placement {
        let kept = if self.no_organisation { String::new() } else { now.organisation_id };
        Placement {
            organisation_id: self.organisation.unwrap_or(kept),
            privileged: (now.privileged || self.privileged) && !self.no_privilege,
        }
    }
}

pub(super) async fn run(
    args: Args,
    connection: &Connection,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let now = get(connection, &args.user).await?.placement.unwrap_or_default();
    let request = PlaceUserRequest {
        request_id: fresh_request_id(),
        user_id: args.user.clone(),
        placement: Some(args.changes.applied_to(now)),
    };
    let response = connection.enrollment().place_user(request).await;
    let placed = response.map_err(Failure::refused("placing the user"))?.into_inner();
    if screen.wants_json() {
        return screen.json("countersign.enrollment.v1.PlaceUserResponse", &placed);
    }
    let words = placement_words(&placed.placement.unwrap_or_default());
    screen.line(format_args!("{} is {words}", args.user))
}

/// Returns how a user is placed.
pub(super) async fn get(connection: &Connection, user: &str) -> Result<GetUserResponse, Failure> {
    let request = GetUserRequest { user_id: user.to_owned() };
    let response = connection.enrollment().get_user(request).await;
    Ok(response.map_err(Failure::refused("looking at the user"))?.into_inner())
}

/// Returns where a user is, for people.
pub(super) fn placement_words(placement: &Placement) -> String {
    let place = match placement.organisation_id.as_str() {
        "" => "in no organisation".to_owned(),
        id => format!("in {id}"),
    };
    let privilege = if placement.privileged { "with" } else { "without" };
    format!("{place}, {privilege} privilege")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn north(privileged: bool) -> Placement {
        Placement { organisation_id: "north".to_owned(), privileged }
    }

    #[test]
    fn what_is_not_named_stays_as_it_is() {
        let privileged = Changes { privileged: true, ..Changes::default() };
        assert_eq!(privileged.applied_to(north(false)), north(true));
        let moved = Changes { organisation: Some("north".to_owned()), ..Changes::default() };
        let nowhere = Placement { organisation_id: String::new(), privileged: true };
        assert_eq!(moved.applied_to(nowhere), north(true));
    }

    #[test]
    fn a_user_is_taken_out_of_an_organisation_and_privilege_from_a_user() {
        let out = Changes { no_organisation: true, ..Changes::default() };
        assert_eq!(
            placement_words(&out.applied_to(north(true))),
            "in no organisation, with privilege"
        );
        let plain = Changes { no_privilege: true, ..Changes::default() };
        assert_eq!(placement_words(&plain.applied_to(north(true))), "in north, without privilege");
    }
}
