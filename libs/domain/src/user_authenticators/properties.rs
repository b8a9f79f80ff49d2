//! What must hold for every history.

use countersign_eventsourcing::{Decider as _, EventCodec as _};
use proptest::prelude::*;

use super::{fixtures::*, *};

/// Erasing ends a history, so it is asked for seldom.
fn commands() -> impl Strategy<Value = Command> {
    let erase = EraseUser { reason: "asked to".to_owned(), now: at(900) };
    prop_oneof![40 => while_known(), 1 => Just(Command::EraseUser(erase))]
}

fn while_known() -> impl Strategy<Value = Command> {
    let n = 1..6u8;
    let seconds = 0..900i64;
    let confirmation = prop_oneof![Just(RIGHT), Just(Confirmation::Wrong)];
    prop_oneof![
        n.clone().prop_map(start),
        (n.clone(), confirmation, seconds).prop_map(|(n, c, s)| confirm(n, c, s)),
        n.clone().prop_map(|n| Command::Rename(RenameAuthenticator {
            authenticator_id: id(n),
            display_name: sealed(n),
        })),
        n.clone().prop_map(|n| {
            Command::SetDefault(SetDefaultAuthenticator { authenticator_id: id(n) })
        }),
        n.clone().prop_map(|n| Command::Suspend(SuspendAuthenticator {
            authenticator_id: id(n),
            reason: "lost".to_owned(),
        })),
        n.clone().prop_map(|n| {
            Command::Reinstate(ReinstateAuthenticator { authenticator_id: id(n) })
        }),
        n.clone().prop_map(|n| Command::Remove(RemoveAuthenticator {
            authenticator_id: id(n),
            reason: "replaced".to_owned(),
            now: at(20),
        })),
        n.clone().prop_map(|n| issue_pass(n + 200)),
        n.prop_map(|n| Command::IssueRecoveryCodes(IssueRecoveryCodes {
            new_authenticator_id: id(n + 100),
            record: sealed(n),
            count: 10,
            user_id: sealed(0),
            now: at(5),
        })),
    ]
}

proptest! {
    #[test]
    fn every_history_keeps_its_promises(commands in prop::collection::vec(commands(), 0..60)) {
        let mut state = State::default();
        let mut history = Vec::new();
        let mut used = std::collections::BTreeSet::new();
        for command in commands {
            // Ids are unique by construction: an id is started once.
            if let Command::StartEnrollment(start) = &command
                && !used.insert(start.authenticator_id)
            {
                continue;
            }
            let Ok(events) = UserAuthenticators::decide(&state, command) else { continue };
            prop_assert!(!state.is_erased() || events.is_empty());
            for event in events {
                let stored = UserAuthenticators::encode(&event);
                let read = UserAuthenticators::decode(
                    stored.event_type,
                    stored.schema_version,
                    &stored.payload,
                );
                prop_assert_eq!(read.as_ref(), Ok(&event));
                state = UserAuthenticators::evolve(state, &event);
                history.push(event);
            }
            // What challenges prefer can answer, or is only set aside for a while.
            if let Some(default) = state.default_id() {
                prop_assert!(state.find(default).is_some_and(|a| !a.is_removed()));
            }
            // Nothing that is gone still holds a secret.
            let gone = state.authenticators().iter().filter(|a| a.is_removed());
            prop_assert!(gone.clone().all(|a| a.record.is_none()));
            prop_assert!(state.active().iter().all(|a| a.record.is_some()));
            let count = |kind| state.active().iter().filter(|a| &*a.kind == kind).count();
            prop_assert!(count(RECOVERY_CODE_KIND) <= 1);
            prop_assert!(count(TEMPORARY_ACCESS_PASS_KIND) <= 1);
            let default = state.default_id().and_then(|id| state.find(id));
            prop_assert!(default.is_none_or(|a| a.pass.is_none()));
            let left = state.authenticators().iter().filter(|a| !a.is_removed()).count();
            prop_assert!(!state.is_erased() || left == 0);
        }
        let replayed = history.iter().fold(State::default(), UserAuthenticators::evolve);
        prop_assert_eq!(replayed, state);
    }
}
