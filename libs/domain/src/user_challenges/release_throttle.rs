//! Opening a throttled authenticator to attempts.

use countersign_core::AuthenticatorId;

use super::{Event, Rejection, State, ThrottleReleased};

/// Opens an authenticator to attempts and clears its count of failures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReleaseThrottle {
    /// The authenticator.
    pub authenticator_id: AuthenticatorId,
}

impl ReleaseThrottle {
    pub(super) fn decide(self, state: &State) -> Result<Vec<Event>, Rejection> {
        let ledger = state.ledger(self.authenticator_id).ok_or(Rejection::NotThrottled)?;
        if ledger.is_clear() {
            return Err(Rejection::NotThrottled);
        }
        Ok(vec![Event::ThrottleReleased(ThrottleReleased {
            authenticator_id: self.authenticator_id,
        })])
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Command, fixtures::*};
    use super::*;

    fn release() -> Command {
        Command::ReleaseThrottle(ReleaseThrottle { authenticator_id: authenticator(1) })
    }

    fn released() -> Event {
        Event::ThrottleReleased(ThrottleReleased { authenticator_id: authenticator(1) })
    }

    #[test]
    fn an_administrator_opens_even_the_door_that_time_does_not() {
        let shut = [issued(1, 0), failed(1, 3, 100), throttled(100, None)];
        given(shut.clone()).when(release()).then([released()]);
        given(shut.into_iter().chain([released()])).when(code(1, [50])).then([verified(1, 50)]);
    }

    #[test]
    fn there_must_be_something_to_clear() {
        given([]).when(release()).then_rejected(Rejection::NotThrottled);
        given([issued(1, 0), verified(1, 50)])
            .when(release())
            .then_rejected(Rejection::NotThrottled);
    }
}
