//! Which authenticators can answer now: what both of a user's streams say together. A temporary access pass is issued in one
//! and used up in the other, and ends by itself.

use countersign_core::Timestamp;

use crate::{user_authenticators::Authenticator, user_challenges::State as Challenges};

/// Returns the time at which `authenticator` is to be judged: `now`, but for a pass whose end the user's challenges have
/// told of. A clock that goes back does not open it again.
///
/// Only what they came to tell of since the pass was issued says so. Otherwise nobody could be helped whose challenges were
/// once recorded by a clock that was ahead.
#[must_use]
pub fn judged_at(
    authenticator: &Authenticator,
    challenges: &Challenges,
    now: Timestamp,
) -> Timestamp {
    let latest = challenges.latest();
    match authenticator.pass.as_deref() {
        Some(pass) if latest > pass.challenges_until && latest >= pass.ends_at => now.max(latest),
        Some(_) | None => now,
    }
}

/// Returns whether `authenticator` is a pass that was used up or whose time is over.
#[must_use]
pub fn has_ended(authenticator: &Authenticator, challenges: &Challenges, now: Timestamp) -> bool {
    let Some(pass) = authenticator.pass.as_deref() else { return false };
    let ledger = challenges.ledger(authenticator.id);
    let is_used = ledger.is_some_and(|ledger| ledger.code_is_used(authenticator.generation, 0));
    (pass.single_use && is_used) || judged_at(authenticator, challenges, now) >= pass.ends_at
}

/// Returns whether `authenticator` can answer a challenge at `now`.
#[must_use]
pub fn can_answer(authenticator: &Authenticator, challenges: &Challenges, now: Timestamp) -> bool {
    let has_begun = authenticator.pass.as_deref().is_none_or(|pass| pass.starts_at <= now);
    authenticator.is_active() && has_begun && !has_ended(authenticator, challenges, now)
}

#[cfg(test)]
mod tests {
    use countersign_core::{AuthenticatorId, ChallengeId};
    use countersign_crypto::Sealed;
    use countersign_eventsourcing::Decider as _;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::{
        user_authenticators::{self, Pass, TemporaryAccessPassIssued, UserAuthenticators},
        user_challenges::{
            self, ChallengeIssued, ChallengeVerified, Consumed, SourceKey, UserChallenges,
        },
    };

    const PASS: AuthenticatorId = AuthenticatorId::new(Uuid::from_u128(1));
    const CHALLENGE: ChallengeId = ChallengeId::new(Uuid::from_u128(2));

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    /// A pass from 100 to 200 s.
    fn pass(single_use: bool, generation: u32, challenges_until: i64) -> Authenticator {
        let sealed = Sealed { key_id: "acme.00".into(), ciphertext: vec![1] };
        let issued = TemporaryAccessPassIssued {
            authenticator_id: PASS,
            generation,
            record: sealed.clone(),
            pass: Pass {
                starts_at: at(100),
                ends_at: at(200),
                single_use,
                challenges_until: at(challenges_until),
            },
            user_id: sealed,
            issued_at: at(90),
        };
        let issued = user_authenticators::Event::TemporaryAccessPassIssued(issued);
        let state = UserAuthenticators::evolve(user_authenticators::State::default(), &issued);
        state.find(PASS).unwrap().clone()
    }

    fn recorded_at(seconds: i64) -> Challenges {
        record(Challenges::default(), seconds)
    }

    fn record(challenges: Challenges, seconds: i64) -> Challenges {
        let issued = user_challenges::Event::ChallengeIssued(ChallengeIssued {
            challenge_id: CHALLENGE,
            application_id: "".into(),
            allowed: Vec::new(),
            sign_in_id: "".into(),
            max_attempts: 5,
            issued_at: at(seconds),
            expires_at: at(seconds + 300),
            source: Some(SourceKey(1)),
        });
        UserChallenges::evolve(challenges, &issued)
    }

    fn used(generation: u32) -> Challenges {
        let verified = user_challenges::Event::ChallengeVerified(ChallengeVerified {
            challenge_id: CHALLENGE,
            authenticator_id: PASS,
            kind: "temporary_access_pass".into(),
            consumed: Consumed::Code { generation, index: 0 },
            acr: "".into(),
            amr: Vec::new(),
            verified_at: at(110),
            codes_remaining: None,
            codes_low: false,
            source: None,
        });
        UserChallenges::evolve(recorded_at(105), &verified)
    }

    fn answers(pass: &Authenticator, challenges: &Challenges) -> Vec<i64> {
        [99, 100, 150, 199, 200, 9_999]
            .into_iter()
            .filter(|now| can_answer(pass, challenges, at(*now)))
            .collect()
    }

    #[test]
    fn a_pass_can_answer_from_its_start_to_its_end() {
        for single_use in [true, false] {
            let pass = pass(single_use, 1, 0);
            assert_eq!(answers(&pass, &Challenges::default()), [100, 150, 199]);
            assert_eq!(answers(&pass, &recorded_at(150)), [100, 150, 199]);
            assert!(!has_ended(&pass, &Challenges::default(), at(99)), "it has yet to begin");
            assert!(has_ended(&pass, &Challenges::default(), at(200)));
        }
    }

    #[test]
    fn a_pass_for_one_use_has_ended_when_it_was_used_and_a_new_one_has_not() {
        assert_eq!(answers(&pass(true, 1, 0), &used(1)), [0; 0]);
        assert!(has_ended(&pass(true, 1, 0), &used(1), at(150)));
        assert_eq!(answers(&pass(true, 1, 0), &used(2)), [0; 0], "replaced, and that one used");
        assert_eq!(answers(&pass(true, 2, 0), &used(1)), [100, 150, 199]);
        assert_eq!(answers(&pass(false, 2, 0), &used(1)), [100, 150, 199]);
    }

    #[test]
    fn a_clock_that_goes_back_does_not_open_a_pass_again() {
        let pass = pass(false, 1, 90);
        for told in [200, 5_000] {
            assert_eq!(answers(&pass, &recorded_at(told)), [0; 0], "{told}");
            assert_eq!(judged_at(&pass, &recorded_at(told), at(150)), at(told));
        }
        assert_eq!(judged_at(&pass, &recorded_at(199), at(150)), at(150));
        assert_eq!(judged_at(&pass, &recorded_at(300), at(301)), at(301));
    }

    #[test]
    fn what_a_clock_ahead_recorded_before_a_pass_was_issued_does_not_close_it() {
        let pass = pass(false, 1, 5_000);
        assert_eq!(answers(&pass, &recorded_at(5_000)), [100, 150, 199]);
        assert_eq!(answers(&pass, &recorded_at(5_001)), [0; 0]);
    }

    proptest! {
        /// Whatever a clock says, forwards or backwards.
        #[test]
        fn a_pass_is_never_open_once_the_log_told_of_its_end(
            before in prop::collection::vec(0..400i64, 0..4),
            since in prop::collection::vec(0..400i64, 0..30),
            now in 0..400i64,
        ) {
            let challenges = before.iter().fold(Challenges::default(), |c, told| record(c, *told));
            let until = challenges.latest();
            let pass = pass(false, 1, until.unix_seconds());
            let challenges = since.iter().fold(challenges, |c, told| record(c, *told));
            let has_told = since.iter().any(|told| *told >= 200 && at(*told) > until);
            let is_open = can_answer(&pass, &challenges, at(now));
            prop_assert_eq!(is_open, (100..200).contains(&now) && !has_told);
        }
    }

    #[test]
    fn a_pass_that_is_set_aside_cannot_answer() {
        let mut pass = pass(true, 1, 0);
        assert!(can_answer(&pass, &Challenges::default(), at(150)));
        pass.status =
            user_authenticators::Status::Suspended { confirmed_at: at(90), consumed_factor: None };
        assert!(!can_answer(&pass, &Challenges::default(), at(150)));
    }

    #[test]
    fn no_other_kind_ends_by_itself() {
        let mut other = pass(true, 1, 0);
        other.pass = None;
        assert!(can_answer(&other, &used(1), at(i64::MAX)));
        assert!(!has_ended(&other, &used(1), at(i64::MAX)));
        assert_eq!(judged_at(&other, &recorded_at(9_999), at(1)), at(1));
    }
}
