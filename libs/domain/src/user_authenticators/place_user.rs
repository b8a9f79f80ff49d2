//! Where a user is placed, and the tokens with which they look after themselves.

use countersign_core::{OrganisationId, Timestamp, TokenId};
use countersign_crypto::Sealed;
use serde::{Deserialize, Serialize};

use super::{Event, Rejection, SelfServiceTokenIssued, State, UserPlaced};

/// Where a user is placed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// The organisation; `None` if the user is in none.
    pub organisation_id: Option<OrganisationId>,
    /// Whether the user has privilege: a help desk does not act on them.
    pub privileged: bool,
}

/// Places a user.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceUser {
    /// Where.
    pub placement: Placement,
    /// The platform's own id of the user.
    pub user_id: Sealed,
    /// The present instant.
    pub now: Timestamp,
}

impl PlaceUser {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        if *state.placement() == self.placement {
            return Ok(vec![]);
        }
        Ok(vec![Event::UserPlaced(UserPlaced {
            placement: self.placement,
            user_id: self.user_id,
            placed_at: self.now,
        })])
    }
}

/// Notes that a token was made with which the user looks after their own authenticators.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IssueSelfServiceToken {
    /// Names it.
    pub token_id: TokenId,
    /// The present instant.
    pub now: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

impl IssueSelfServiceToken {
    pub(super) fn decide(self, _: &State) -> Result<Vec<Event>, Rejection> {
        Ok(vec![Event::SelfServiceTokenIssued(SelfServiceTokenIssued {
            token_id: self.token_id,
            issued_at: self.now,
            expires_at: self.expires_at,
        })])
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::{Command, fixtures::*};
    use super::*;

    fn placement(organisation: &str, privileged: bool) -> Placement {
        Placement { organisation_id: OrganisationId::parse(organisation).ok(), privileged }
    }

    fn place(placement: &Placement) -> Command {
        let placement = placement.clone();
        Command::PlaceUser(PlaceUser { placement, user_id: sealed(2), now: at(5) })
    }

    fn placed(placement: &Placement) -> Event {
        let placement = placement.clone();
        Event::UserPlaced(UserPlaced { placement, user_id: sealed(2), placed_at: at(5) })
    }

    #[test]
    fn a_user_is_placed_anew_only_where_that_is_elsewhere() {
        let (north, south) = (placement("north", false), placement("south", true));
        given([]).when(place(&north)).then([placed(&north)]);
        given([placed(&north)]).when(place(&north)).then([]);
        given([placed(&north)]).when(place(&south)).then([placed(&south)]);
        // Nowhere and without privilege is where everyone begins.
        given([]).when(place(&Placement::default())).then([]);
        given([placed(&south)])
            .when(place(&Placement::default()))
            .then_state(|state| assert_eq!(*state.placement(), Placement::default()));
    }

    #[test]
    fn a_token_is_noted_and_changes_nothing() {
        let token_id = TokenId::new(Uuid::from_u128(7));
        let issue = IssueSelfServiceToken { token_id, now: at(1), expires_at: at(2) };
        let issued = SelfServiceTokenIssued { token_id, issued_at: at(1), expires_at: at(2) };
        given([])
            .when(Command::IssueSelfServiceToken(issue))
            .then([Event::SelfServiceTokenIssued(issued)]);
    }
}
