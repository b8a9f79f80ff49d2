//! For every history and every time, the service tells what a fold by hand tells.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

mod support;

use std::sync::atomic::{AtomicU32, Ordering};

use countersign_core::Timestamp;
use countersign_domain::{
    policy::MfaRequirement,
    tenant::{self, Tenant},
    user_authenticators::{self, UserAuthenticators},
    user_challenges::{self, Consumed, UserChallenges},
    wire::timestamp_to_wire,
};
use countersign_eventsourcing::Decider as _;
use countersign_proto::{
    audit::{GetStateAsOfRequest, GetStateAsOfResponse, OpenChallenge},
    common,
};
use countersign_service::{User, present};
use proptest::{prelude::*, test_runner::TestRunner};
use support::{House, at, auditor, facts::*, wire_at};

/// One step of a history: what, about which authenticator and challenge, with what number, and when.
type Step = (u8, u8, u32, i64);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    // Times in any order: clocks jump.
    prop::collection::vec((0..18u8, 1..4u8, 0..6u32, 0..900i64), 0..60)
}

async fn fact(house: &House, user: &User, (what, n, number, seconds): Step) -> Fact {
    match what {
        0 => started(n, &name(&house.foundation, user, "Phone").await, seconds),
        1 | 2 => confirmed(n, seconds),
        3 => default_set(n),
        4 => suspended(n),
        5 => reinstated(n),
        6 => removed(n, seconds),
        7 => codes_issued(n, number, seconds),
        8 => evaluated(seconds),
        9 => requirement_set(MfaRequirement::Never),
        10 => requirement_set(MfaRequirement::PerApplication),
        11 | 12 => issued(n, seconds),
        13 => failed(n, number, seconds),
        14 => throttled(n, (number > 0).then_some(seconds + 100)),
        15 => released(n),
        16 => verified(n, Consumed::Code { generation: number, index: number }, seconds),
        _ => canceled(n),
    }
}

/// Folds by hand.
async fn fold(
    house: &House,
    user: &User,
    facts: &[(Fact, i64)],
    as_of: i64,
) -> GetStateAsOfResponse {
    let mut authenticators = user_authenticators::State::default();
    let mut challenges = user_challenges::State::default();
    let mut settings = tenant::State::default();
    let mut events_folded = 0;
    for (fact, _) in facts.iter().filter(|(_, seconds)| *seconds <= as_of) {
        events_folded += 1;
        match fact {
            Fact::Authenticators(e) => {
                authenticators = UserAuthenticators::evolve(authenticators, e);
            }
            Fact::Challenges(e) => challenges = UserChallenges::evolve(challenges, e),
            Fact::SignIns(_) => {}
            Fact::Tenant(e) => {
                settings = Tenant::evolve(settings, e);
                events_folded -= 1;
            }
        }
    }
    let requirement = match settings.requirement() {
        MfaRequirement::Never => common::MfaRequirement::Never,
        MfaRequirement::Always => common::MfaRequirement::Always,
        MfaRequirement::PerApplication => common::MfaRequirement::PerApplication,
    };
    let open = challenges.challenges().filter(|challenge| {
        challenge.state == user_challenges::ChallengeState::Pending
            && at(as_of) < challenge.expires_at
    });
    let time = |instant: Timestamp| Some(timestamp_to_wire(instant));
    let mut shown = Vec::new();
    for authenticator in authenticators.authenticators() {
        let (house, state) = (&house.foundation, &authenticators);
        let one = present::authenticator(house, user, state, &challenges, authenticator, at(as_of));
        shown.push(one.await.unwrap());
    }
    GetStateAsOfResponse {
        as_of: Some(wire_at(as_of)),
        authenticators: shown,
        open_challenges: open
            .map(|open| OpenChallenge {
                challenge_id: open.id.to_string(),
                application_id: open.application_id.to_string(),
                created_at: time(open.issued_at),
                expires_at: time(open.expires_at),
                attempts_left: open.attempts_left,
            })
            .collect(),
        throttles: present::throttles(&challenges, at(as_of)),
        mfa_requirement: requirement.into(),
        events_folded,
    }
}

#[test]
fn a_state_as_of_a_time_is_the_fold_of_what_was_recorded_until_then() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let house = House::empty();
    // Each history has a tenant of its own, so that the log and the keys are opened only once.
    let histories = AtomicU32::new(0);
    let outcome = TestRunner::default().run(&(steps(), 0..1_000i64), |(steps, as_of)| {
        let tenant = format!("t{}", histories.fetch_add(1, Ordering::Relaxed));
        let user = house.user(&tenant, "ada");
        let mut facts = vec![(tenant_created(0), 0)];
        let (told, folded) = runtime.block_on(async {
            for step in steps {
                facts.push((fact(&house, &user, step).await, step.3));
            }
            for (fact, seconds) in &facts {
                house.record(&user, fact.clone(), *seconds).await;
            }
            let user_id = "ada".to_owned();
            let asked = GetStateAsOfRequest { user_id, as_of: Some(wire_at(as_of)) };
            let told = house.state_as_of(auditor(&tenant), asked).await;
            (told, fold(&house, &user, &facts, as_of).await)
        });
        prop_assert_eq!(told.unwrap(), folded);
        Ok(())
    });
    outcome.unwrap();
}
