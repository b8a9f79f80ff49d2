//! What must hold for every history.

use std::collections::{BTreeMap, BTreeSet};

use countersign_eventsourcing::{Decider as _, EventCodec as _};
use proptest::prelude::*;

use super::{fixtures::*, *};
use crate::throttle::ThrottlePolicy;

fn judgements() -> impl Strategy<Value = Judgement> {
    prop_oneof![
        prop::collection::btree_set(0..20u64, 1..3)
            .prop_map(|factors| Judgement::MovingFactors(factors.into_iter().collect())),
        (1..4u32, 0..10u32).prop_map(|(generation, index)| Judgement::Code {
            generation,
            index,
            count: 10,
            low: 3
        }),
        Just(Judgement::Wrong),
        Just(Judgement::Wrong),
    ]
}

fn commands() -> impl Strategy<Value = Command> {
    let n = 1..12u8;
    prop_oneof![
        2 => (n.clone(), 0..400i64).prop_map(|(n, seconds)| issue(n, seconds)),
        6 => (n.clone(), judgements(), 0..400i64).prop_map(|(n, judgement, seconds)| {
            Command::Answer(Answer { now: at(seconds), ..answer(n, judgement) })
        }),
        1 => n.prop_map(|n| Command::Cancel(CancelChallenge { challenge_id: challenge(n), now: at(10) })),
        1 => Just(Command::ReleaseThrottle(ReleaseThrottle { authenticator_id: authenticator(1) })),
    ]
}

proptest! {
    #[test]
    fn every_history_keeps_its_promises(commands in prop::collection::vec(commands(), 0..120)) {
        let mut state = State::default();
        let mut history = Vec::new();
        let mut opened = BTreeSet::new();
        let mut closed = BTreeSet::new();
        let mut attempts = BTreeMap::<_, u32>::new();
        let mut last_factor = None;
        let mut codes = BTreeSet::new();
        let mut failures_in_a_row = 0;
        for command in commands {
            if let Command::Issue(issue) = &command
                && !opened.insert(issue.challenge_id)
            {
                continue;
            }
            let Ok(events) = UserChallenges::decide(&state, command) else { continue };
            for event in events {
                match &event {
                    Event::ChallengeVerified(event) => {
                        prop_assert!(closed.insert(event.challenge_id), "closed twice");
                        failures_in_a_row = 0;
                        match event.consumed {
                            Consumed::MovingFactor(factor) => {
                                prop_assert!(Some(factor) > last_factor, "a step came twice");
                                last_factor = Some(factor);
                            }
                            Consumed::Code { generation, index } => {
                                prop_assert!(codes.insert((generation, index)), "a code came twice");
                            }
                            Consumed::Nothing => {}
                        }
                    }
                    Event::AttemptFailed(event) => {
                        prop_assert!(!closed.contains(&event.challenge_id));
                        let count = attempts.entry(event.challenge_id).or_default();
                        *count += 1;
                        prop_assert!(*count <= 5, "more attempts than the challenge takes");
                        failures_in_a_row += 1;
                        prop_assert_eq!(event.consecutive_failures, failures_in_a_row);
                        prop_assert!(failures_in_a_row <= ThrottlePolicy::NIST_LIMIT);
                    }
                    Event::ChallengeExhausted(ChallengeExhausted { challenge_id })
                    | Event::ChallengeExpired(ChallengeExpired { challenge_id })
                    | Event::ChallengeCanceled(ChallengeCanceled { challenge_id })
                    | Event::ChallengeSuperseded(ChallengeSuperseded { challenge_id }) => {
                        prop_assert!(closed.insert(*challenge_id), "closed twice");
                    }
                    Event::ThrottleReleased(_) => failures_in_a_row = 0,
                    Event::ChallengeIssued(_) | Event::AuthenticatorThrottled(_) => {}
                }
                let stored = UserChallenges::encode(&event);
                let read =
                    UserChallenges::decode(stored.event_type, stored.schema_version, &stored.payload);
                prop_assert_eq!(read.as_ref(), Ok(&event));
                state = UserChallenges::evolve(state, &event);
                history.push(event);
            }
            prop_assert!(state.challenges().count() <= 16 + MAX_PENDING + 1);
        }
        let replayed = history.iter().fold(State::default(), UserChallenges::evolve);
        prop_assert_eq!(replayed, state);
    }
}
