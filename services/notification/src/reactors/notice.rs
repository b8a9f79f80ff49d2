//! Which events a user is told about: one table.

use countersign_core::AuthenticatorId;
use countersign_domain::{
    user_authenticators::{self, UserAuthenticators},
    user_challenges::{self, UserChallenges},
};
use countersign_eventsourcing::{
    Decider as _, DecodeError, EventCodec as _, Filter, RecordedEvent,
};

/// What a user is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Notice {
    pub(super) template: &'static str,
    pub(super) authenticator_id: AuthenticatorId,
}

/// Makes the filter and the reading from one list, so that neither knows an event that the other does not.
macro_rules! notices {
    ($($aggregate:ident in $module:ident { $($event:ident => $template:literal;)+ })+) => {
        /// Wants the events that a user is told about.
        pub(super) fn filter() -> Filter {
            Filter {
                categories: vec![$($aggregate::CATEGORY.to_owned()),+],
                event_types: vec![$($(stringify!($event).to_owned()),+),+],
                ..Filter::default()
            }
        }

        /// Says what a user is to be told because of `recorded`; nothing for an event that is not in the table.
        pub(super) fn read(recorded: &RecordedEvent) -> Result<Option<Notice>, DecodeError> {
            let event = &recorded.event;
            $(if recorded.stream.category() == $aggregate::CATEGORY {
                let event =
                    $aggregate::decode(&event.event_type, event.schema_version, &event.payload)?;
                return Ok(match event {
                    $($module::Event::$event(told) => Some(Notice {
                        template: $template,
                        authenticator_id: told.authenticator_id,
                    }),)+
                    _ => None,
                });
            })+
            Ok(None)
        }
    };
}

notices! {
    UserAuthenticators in user_authenticators {
        EnrollmentConfirmed => "authenticator_enrolled";
        AuthenticatorRemoved => "authenticator_removed";
        AuthenticatorSuspended => "authenticator_suspended";
        AuthenticatorReinstated => "authenticator_reinstated";
        RecoveryCodesIssued => "recovery_codes_issued";
        TemporaryAccessPassIssued => "temporary_access_pass_issued";
    }
    UserChallenges in user_challenges {
        AuthenticatorThrottled => "authenticator_throttled";
    }
}
