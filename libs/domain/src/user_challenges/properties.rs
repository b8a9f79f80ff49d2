//! What must hold for every history.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use countersign_core::ChallengeId;
use countersign_eventsourcing::{Decider as _, EventCodec as _};
use proptest::{prelude::*, test_runner::TestCaseError};

use super::{fixtures::*, *};
use crate::throttle::ThrottlePolicy;

/// So tight that short histories reach the hard limit.
const TIGHT: ThrottlePolicy = ThrottlePolicy {
    free_attempts: 3,
    first_pause: Duration::from_secs(1),
    longest_pause: Duration::from_secs(4),
    hard_limit: 12,
};

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
        (1..4u32).prop_map(|generation| Judgement::Once { generation }),
        Just(Judgement::Wrong),
        Just(Judgement::Wrong),
    ]
}

fn sources() -> impl Strategy<Value = Source> {
    prop_oneof![2 => Just(None), 3 => (1..4u64).prop_map(|n| Some(SourceKey(n))), 1 => any::<u64>().prop_map(|n| Some(SourceKey(n)))]
}

fn commands() -> impl Strategy<Value = Command> {
    let n = 1..40u8;
    prop_oneof![
        3 => (n.clone(), 0..400i64).prop_map(|(n, seconds)| issue(n, seconds)),
        8 => (n.clone(), judgements(), sources(), 0..400i64).prop_map(
            |(n, judgement, source, seconds)| {
                Command::Answer(Answer { source, now: at(seconds), ..answer(n, judgement) })
            }
        ),
        1 => n.prop_map(|n| Command::Cancel(CancelChallenge { challenge_id: challenge(n), now: at(10) })),
    ]
}

/// Histories in which an administrator hardly ever comes, under one policy or another.
fn histories() -> impl Strategy<Value = (ThrottlePolicy, Vec<Command>)> {
    let release = ReleaseThrottle { authenticator_id: authenticator(1) };
    let commands = prop_oneof![
        60 => commands(),
        1 => Just(Command::ReleaseThrottle(release)),
    ];
    let policies = prop_oneof![Just(TIGHT), Just(ThrottlePolicy::ONE_TIME_PASSWORD)];
    (policies, prop::collection::vec(commands, 0..160)).prop_map(|(policy, mut commands)| {
        for command in &mut commands {
            if let Command::Answer(answer) = command {
                answer.throttle = policy;
            }
        }
        (policy, commands)
    })
}

/// What the events say, counted by code that shares nothing with the fold.
#[derive(Default)]
struct Model {
    closed: BTreeSet<ChallengeId>,
    attempts: BTreeMap<ChallengeId, u32>,
    last_factor: Option<u64>,
    codes: BTreeSet<(u32, u32)>,
    failures_in_a_row: u32,
    /// Of those, the ones from sources that have not proved themselves.
    of_unproven_in_a_row: u32,
    /// Sources that have proved themselves, and their failures since.
    proven: BTreeMap<Source, u32>,
}

impl Model {
    fn close(&mut self, challenge: ChallengeId) -> Result<(), TestCaseError> {
        prop_assert!(self.closed.insert(challenge), "closed twice");
        Ok(())
    }

    fn verified(&mut self, event: &ChallengeVerified) -> Result<(), TestCaseError> {
        self.close(event.challenge_id)?;
        self.failures_in_a_row = 0;
        self.of_unproven_in_a_row = 0;
        self.proven.insert(event.source, 0);
        match event.consumed {
            Consumed::MovingFactor(factor) => {
                prop_assert!(Some(factor) > self.last_factor, "a step came twice");
                self.last_factor = Some(factor);
            }
            Consumed::Code { generation, index } => {
                prop_assert!(self.codes.insert((generation, index)), "a code came twice");
            }
            Consumed::Nothing => {}
        }
        Ok(())
    }

    fn failed(
        &mut self,
        event: &AttemptFailed,
        policy: &ThrottlePolicy,
    ) -> Result<(), TestCaseError> {
        prop_assert!(!self.closed.contains(&event.challenge_id));
        let count = self.attempts.entry(event.challenge_id).or_default();
        *count += 1;
        prop_assert!(*count <= 5, "more attempts than the challenge takes");
        self.failures_in_a_row += 1;
        prop_assert_eq!(event.consecutive_failures, self.failures_in_a_row);
        prop_assert!(self.failures_in_a_row <= policy.hard_limit, "judged beyond the limit");
        if let Some(failures) = self.proven.get_mut(&event.source) {
            *failures += 1;
        } else {
            self.of_unproven_in_a_row += 1;
        }
        let theirs = policy.hard_limit - policy.kept_for_proven();
        prop_assert!(self.proven.is_empty() || self.of_unproven_in_a_row <= theirs);
        Ok(())
    }

    fn released(&mut self) {
        self.failures_in_a_row = 0;
        self.of_unproven_in_a_row = 0;
        self.proven.values_mut().for_each(|failures| *failures = 0);
    }

    fn take_in(&mut self, event: &Event, policy: &ThrottlePolicy) -> Result<(), TestCaseError> {
        match event {
            Event::ChallengeVerified(event) => self.verified(event)?,
            Event::AttemptFailed(event) => self.failed(event, policy)?,
            Event::ChallengeExhausted(ChallengeExhausted { challenge_id })
            | Event::ChallengeExpired(ChallengeExpired { challenge_id })
            | Event::ChallengeCanceled(ChallengeCanceled { challenge_id })
            | Event::ChallengeSuperseded(ChallengeSuperseded { challenge_id }) => {
                self.close(*challenge_id)?;
            }
            Event::ThrottleReleased(_) => self.released(),
            Event::ChallengeIssued(_) | Event::AuthenticatorThrottled(_) => {}
        }
        Ok(())
    }

    /// Whatever others did, a source that has proved itself is taken until its own free attempts are gone or the
    /// limit of all is reached.
    fn assert_admits_proven(
        &self,
        state: &State,
        policy: &ThrottlePolicy,
    ) -> Result<(), TestCaseError> {
        let own = self.proven.iter().filter(|(_, failures)| **failures < policy.free_attempts);
        // Of more than are told apart, those that proved themselves first are forgotten.
        for (source, _) in own.filter(|_| self.proven.len() <= budgets::TOLD_APART) {
            let closure = state.closure(authenticator(1), *source, Timestamp::EPOCH);
            let all_is_over = self.failures_in_a_row >= policy.hard_limit;
            prop_assert_eq!(closure.is_some(), all_is_over, "{:?}", source);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn every_history_keeps_its_promises((policy, commands) in histories()) {
        let mut state = State::default();
        let mut history = Vec::new();
        let mut opened = BTreeSet::new();
        let mut model = Model::default();
        for command in commands {
            if let Command::Issue(issue) = &command
                && !opened.insert(issue.challenge_id)
            {
                continue;
            }
            let Ok(events) = UserChallenges::decide(&state, command) else { continue };
            for event in events {
                model.take_in(&event, &policy)?;
                let stored = UserChallenges::encode(&event);
                let read =
                    UserChallenges::decode(stored.event_type, stored.schema_version, &stored.payload);
                prop_assert_eq!(read.as_ref(), Ok(&event));
                state = UserChallenges::evolve(state, &event);
                history.push(event);
            }
            model.assert_admits_proven(&state, &policy)?;
            prop_assert!(state.challenges().count() <= 16 + MAX_PENDING + 1);
        }
        let replayed = history.iter().fold(State::default(), UserChallenges::evolve);
        prop_assert_eq!(&replayed, &state);
        let kept = postcard::to_allocvec(&state).unwrap();
        prop_assert_eq!(postcard::from_bytes::<State>(&kept), Ok(state), "a snapshot is the state");
    }
}
