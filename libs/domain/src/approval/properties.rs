//! What must hold for every history.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use countersign_core::ApprovalId;
use countersign_eventsourcing::EventCodec as _;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const ADMINISTRATORS: [&str; 5] = ["ada", "bob", "cleo", "dora", "eve"];

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn asked(approvers: u32, delay: u64) -> ApprovalRequested {
    ApprovalRequested {
        approval_id: ApprovalId::new(Uuid::from_u128(7)),
        act: DangerousAct::EraseTenant,
        method: "EraseTenant".into(),
        digest: [1; 32],
        requester: "ada".into(),
        user_id: None,
        details: BTreeMap::new(),
        terms: Terms { approvers, delay: Duration::from_secs(delay) },
        requested_at: at(0),
        expires_at: at(400),
    }
}

/// Commands at instants that need not ascend.
fn commands() -> impl Strategy<Value = Command> {
    let who = || prop::sample::select(&ADMINISTRATORS[..]).prop_map(Box::<str>::from);
    let now = || (0..500i64).prop_map(at);
    prop_oneof![
        1 => (1..4u32, 0..200u64)
            .prop_map(|(approvers, delay)| Command::Request(Box::new(asked(approvers, delay)))),
        6 => (who(), now()).prop_map(|(approver, now)| Command::Give { approver, now }),
        1 => (who(), now()).prop_map(|(decliner, now)| {
            Command::Decline { decliner, reason: String::new(), now }
        }),
        1 => (who(), now()).prop_map(|(requester, now)| Command::Withdraw { requester, now }),
        6 => (who(), 1..3u8, 0..4u32, 0..100u64, now()).prop_map(
            |(requester, digest, approvers, delay, now)| {
                let terms = Terms { approvers, delay: Duration::from_secs(delay) };
                Command::Use { requester, digest: [digest; 32], terms, now }
            }
        ),
    ]
}

/// Makes sure that what is carried out was agreed to, as the history tells it.
fn assert_agreed(history: &[Event], command: &Command) {
    let Some(Event::ApprovalRequested(asked)) = history.first() else {
        panic!("nothing was asked for")
    };
    let Command::Use { requester, digest, terms, now } = command else {
        panic!("used by {command:?}")
    };
    let given: Vec<_> = history
        .iter()
        .filter_map(
            |event| if let Event::ApprovalGiven(given) = event { Some(given) } else { None },
        )
        .collect();
    let approvers: BTreeSet<_> = given.iter().map(|given| &given.approver).collect();
    let (needed, delay) = {
        let Terms { approvers, delay } = asked.terms.and(*terms);
        (approvers as usize, delay)
    };
    assert!(approvers.len() >= needed, "{approvers:?} are fewer than {needed}");
    assert!(!approvers.contains(&asked.requester), "whoever asked agreed");
    assert_eq!((requester, *digest), (&asked.requester, asked.digest));
    let latest = given.iter().take(needed).map(|given| given.given_at).max();
    assert!(latest.is_none_or(|latest| *now >= latest.plus(delay)), "before its time");
    assert!(*now < asked.expires_at, "after its time");
    let is_over = |event: &Event| {
        matches!(
            event,
            Event::ApprovalUsed(_) | Event::ApprovalDeclined(_) | Event::ApprovalWithdrawn(_)
        )
    };
    assert!(!history.iter().any(is_over), "it was over");
}

proptest! {
    #[test]
    fn nothing_is_carried_out_but_what_enough_others_agreed_to_and_that_once(
        commands in prop::collection::vec(commands(), 0..60)
    ) {
        let mut state = State::default();
        let mut history = Vec::new();
        for command in commands {
            let Ok(events) = Approval::decide(&state, command.clone()) else { continue };
            for event in events {
                if matches!(event, Event::ApprovalUsed(_)) {
                    assert_agreed(&history, &command);
                }
                let stored = Approval::encode(&event);
                let read =
                    Approval::decode(stored.event_type, stored.schema_version, &stored.payload);
                prop_assert_eq!(read.as_ref(), Ok(&event));
                let before = state.clone();
                state = Approval::evolve(state, &event);
                prop_assert_ne!(&state, &before, "an event that changes nothing");
                history.push(event);
            }
        }
        let replayed = history.iter().fold(State::default(), Approval::evolve);
        prop_assert_eq!(replayed, state);
    }
}
