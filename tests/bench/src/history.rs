//! What users did, as events of their streams. Every event is decided by its aggregate, so it is one that could have
//! happened.

use std::collections::BTreeMap;

use countersign_core::{Aal, Amr, AuthenticatorId, ChallengeId, Timestamp};
use countersign_crypto::Sealed;
use countersign_domain::{
    throttle::ThrottlePolicy,
    user_authenticators::{
        self, ConfirmEnrollment, Confirmation, StartEnrollment, UserAuthenticators,
    },
    user_challenges::{
        self, Allowed, Answer, CancelChallenge, IssueChallenge, Judgement, UserChallenges,
    },
};
use countersign_eventsourcing::{Decider, EncodedEvent, EventCodec};
use uuid::Uuid;

/// 2026-01-05T08:00:00Z, a Monday.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_unix_seconds(1_767_600_000);
const BETWEEN_SIGN_INS: i64 = 8 * 3_600;
const STEP: i64 = 30;

/// Returns a user's enrolment: two events and the choice of a default.
pub(crate) fn enrollment(user: u64, key_id: &str) -> anyhow::Result<Vec<EncodedEvent>> {
    let seal = |length| Sealed { key_id: key_id.into(), ciphertext: vec![0xa5; length] };
    // Under the user's first secrets key.
    let record = Sealed { key_id: format!("{key_id}.1").into(), ..seal(72) };
    let mut stream = Stream::<UserAuthenticators>::default();
    stream.decide(user_authenticators::Command::StartEnrollment(StartEnrollment {
        authenticator_id: authenticator(user),
        kind: "totp".into(),
        display_name: seal(60),
        user_id: seal(56),
        record,
        parameters: BTreeMap::from(
            [("algorithm", "SHA1"), ("digits", "6"), ("period_seconds", "30")]
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        ),
        now: BEGINNING,
        expires_at: after(BEGINNING, 600),
    }))?;
    stream.decide(user_authenticators::Command::ConfirmEnrollment(ConfirmEnrollment {
        authenticator_id: authenticator(user),
        confirmation: Confirmation::Right { consumed_factor: factor_at(after(BEGINNING, 20)) },
        now: after(BEGINNING, 20),
    }))?;
    Ok(stream.events)
}

/// Returns at least `count` events of a user's challenges: three sign-ins a day, most of them answered right at once.
/// Of 16 one begins with a wrong code, of 32 one is never answered and one given up, of 64 one tries the last code
/// again.
pub(crate) fn challenges(user: u64, count: usize) -> anyhow::Result<Vec<EncodedEvent>> {
    let mut stream = Stream::<UserChallenges>::default();
    for sign_in in 0.. {
        if stream.events.len() >= count {
            break;
        }
        sign_in_once(&mut stream, user, sign_in)?;
    }
    Ok(stream.events)
}

fn sign_in_once(
    stream: &mut Stream<UserChallenges>,
    user: u64,
    sign_in: u32,
) -> anyhow::Result<()> {
    let now = after(BEGINNING, 3_600 + i64::from(sign_in) * BETWEEN_SIGN_INS);
    let challenge_id = ChallengeId::new(id(now, user, sign_in));
    let answer = |judgement, seconds| {
        user_challenges::Command::Answer(Answer {
            challenge_id,
            authenticator_id: authenticator(user),
            kind: "totp".into(),
            judgement,
            spent_at_enrollment: factor_at(after(BEGINNING, 20)),
            throttle: ThrottlePolicy::ONE_TIME_PASSWORD,
            acr: Aal::Aal2.acr().into(),
            amr: vec![Amr::Otp.as_str().to_owned()],
            source: None,
            now: after(now, seconds),
        })
    };
    stream.decide(user_challenges::Command::Issue(IssueChallenge {
        challenge_id,
        application_id: "vpn".into(),
        allowed: vec![Allowed { authenticator_id: authenticator(user), kind: "totp".into() }],
        sign_in_id: id(now, user, !sign_in).to_string().into(),
        max_attempts: 5,
        now,
        expires_at: after(now, 300),
        source: None,
    }))?;
    match user.wrapping_add(u64::from(sign_in)) % 64 {
        // Nobody answers; the next challenge finds that this one has lapsed.
        5 | 37 => return Ok(()),
        11 | 43 => {
            let cancel = CancelChallenge { challenge_id, now: after(now, 40) };
            return stream.decide(user_challenges::Command::Cancel(cancel));
        }
        1 | 17 | 33 | 49 => stream.decide(answer(Judgement::Wrong, 10))?,
        20 => {
            let spent = factor_at(after(now, -BETWEEN_SIGN_INS)).unwrap_or_default();
            stream.decide(answer(Judgement::MovingFactors(vec![spent.saturating_sub(1)]), 10))?;
        }
        _ => {}
    }
    let factors = factor_at(after(now, 20)).into_iter().collect();
    stream.decide(answer(Judgement::MovingFactors(factors), 20))
}

/// One stream as it grows.
struct Stream<D: Decider> {
    state: D::State,
    events: Vec<EncodedEvent>,
}

impl<D: Decider> Default for Stream<D> {
    fn default() -> Self {
        Self { state: D::State::default(), events: Vec::new() }
    }
}

impl<D: EventCodec> Stream<D> {
    fn decide(&mut self, command: D::Command) -> anyhow::Result<()> {
        let events = D::decide(&self.state, command)
            .map_err(|rejection| anyhow::anyhow!("the history makes no sense: {rejection}"))?;
        for event in events {
            self.events.push(D::encode(&event));
            self.state = D::evolve(std::mem::take(&mut self.state), &event);
        }
        Ok(())
    }
}

fn authenticator(user: u64) -> AuthenticatorId {
    AuthenticatorId::new(id(BEGINNING, user, 0))
}

/// Returns a UUID version 7 that is always the same for the same.
fn id(now: Timestamp, user: u64, number: u32) -> Uuid {
    let mut bytes = [0; 10];
    let (high, low) = bytes.split_at_mut(6);
    high.copy_from_slice(user.to_be_bytes().last_chunk::<6>().unwrap_or(&[0; 6]));
    low.copy_from_slice(&number.to_be_bytes());
    let millis = u64::try_from(now.unix_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
}

fn after(instant: Timestamp, seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(instant.unix_seconds().saturating_add(seconds))
}

fn factor_at(instant: Timestamp) -> Option<u64> {
    u64::try_from(instant.unix_seconds() / STEP).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_history_holds_right_answers_failures_and_endings() {
        let events = challenges(3, 400).unwrap();
        let types: BTreeSet<_> = events.iter().map(|event| event.event_type).collect();
        let expected = [
            "AttemptFailed",
            "ChallengeCanceled",
            "ChallengeExpired",
            "ChallengeIssued",
            "ChallengeVerified",
        ];
        assert_eq!(types, BTreeSet::from(expected));
        let of = |name| events.iter().filter(|event| event.event_type == name).count();
        assert!(of("ChallengeVerified") * 10 > of("ChallengeIssued") * 9);
    }

    #[test]
    fn the_enrolment_ends_with_an_active_authenticator() {
        let events = enrollment(3, "acme.00").unwrap();
        let types: Vec<_> = events.iter().map(|event| event.event_type).collect();
        assert_eq!(types, ["EnrollmentStarted", "EnrollmentConfirmed", "DefaultAuthenticatorSet"]);
    }
}
