//! The clock and the randomness of the command line, which is the outermost edge of the house.

use countersign_core::{Clock as _, Timestamp, new_uuid_v7};
use countersign_service::{OsRandom, SystemClock};

/// Returns the present instant.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// Returns a name for one mutation, so that sending it again does it once.
pub(crate) fn fresh_request_id() -> String {
    new_uuid_v7(now(), &OsRandom).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_request_ids_differ() {
        assert_ne!(fresh_request_id(), fresh_request_id());
    }
}
