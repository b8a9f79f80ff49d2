//! One event of each type and version, with something in every field.

use bytes::Bytes;
use countersign_core::{AuthenticatorId, ChallengeId, DeliveryId, SignInId, Timestamp, TokenId};
use countersign_crypto::Sealed;
use countersign_domain::{
    approval::Approval,
    delivery::{self, Delivery, DeliveryFailed, DeliveryRequested, DeliverySent},
    keyring::Keyring,
    policy::{Decision, TracedRule, Usable},
    tenant::Tenant,
    throttle::Closure,
    user_authenticators::{
        self, AbandonReason, AuthenticatorReinstated, AuthenticatorRemoved, AuthenticatorRenamed,
        AuthenticatorSuspended, DefaultAuthenticatorSet, EnrollmentAbandoned,
        EnrollmentAttemptFailed, EnrollmentConfirmed, EnrollmentStarted, Pass, Placement,
        RecoveryCodesIssued, SecretsResealed, SelfServiceTokenIssued, TemporaryAccessPassIssued,
        UserAuthenticators, UserErased, UserPlaced,
    },
    user_challenges::{
        self, Allowed, AttemptFailed, AttemptFailure, AuthenticatorThrottled, ChallengeCanceled,
        ChallengeExhausted, ChallengeExpired, ChallengeIssued, ChallengeSuperseded,
        ChallengeVerified, ClosedTo, Consumed, SourceKey, ThrottleReleased, UserChallenges,
    },
    user_sign_ins::{self, SignInEvaluated, UserSignIns},
};
use countersign_eventsourcing::EventCodec;
use countersign_proto::event::AttemptFailedV1;
use prost::Message as _;
use uuid::Uuid;

use crate::{
    keyring::keyring,
    tenants::{approvals, confined_key, factor_settings, organisation_id, tenant},
};

/// A stored event.
pub(crate) struct Sample {
    pub(crate) event_type: &'static str,
    pub(crate) version: u32,
    /// For an event that takes more than one form.
    pub(crate) variant: Option<&'static str>,
    pub(crate) payload: Bytes,
}

fn today<D: EventCodec>(event: &D::Event) -> Sample {
    let encoded = D::encode(event);
    Sample {
        event_type: encoded.event_type,
        version: encoded.schema_version,
        variant: None,
        payload: encoded.payload,
    }
}

/// Returns every sample.
pub(crate) fn samples() -> Vec<Sample> {
    let mut samples: Vec<_> = tenant().iter().map(today::<Tenant>).collect();
    samples.extend(authenticators().iter().map(today::<UserAuthenticators>));
    samples.extend(challenges().iter().map(today::<UserChallenges>));
    samples.extend(
        from_a_source()
            .iter()
            .map(|event| Sample { variant: Some("source"), ..today::<UserChallenges>(event) }),
    );
    let code = today::<UserChallenges>(&verified_by_code());
    samples.push(Sample { variant: Some("source_code"), ..code });
    samples.push(Sample { variant: Some("confined"), ..today::<Tenant>(&confined_key()) });
    samples.push(Sample { variant: Some("access_pass"), ..today::<Tenant>(&factor_settings()) });
    samples.push(attempt_failed_v1());
    samples.extend(sign_ins().iter().map(today::<UserSignIns>));
    samples.extend(deliveries().iter().map(today::<Delivery>));
    samples.extend(approvals().iter().map(today::<Approval>));
    samples.extend(keyring().iter().map(today::<Keyring>));
    samples
}

/// An instant that needs its microseconds.
pub(crate) const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_micros((1_767_225_600 + seconds) * 1_000_000 + 123_456)
}

pub(crate) const AUTHENTICATOR: AuthenticatorId = AuthenticatorId::new(Uuid::from_u128(0xa1));
const CHALLENGE: ChallengeId = ChallengeId::new(Uuid::from_u128(0xc1));
const TOKEN: TokenId = TokenId::new(Uuid::from_u128(0x70));
const SIGN_IN: SignInId = SignInId::new(Uuid::from_u128(0x51));
const DELIVERY: DeliveryId = DeliveryId::new(Uuid::from_u128(0xd1));

pub(crate) fn sealed(last: u8) -> Sealed {
    let key_id = "acme.000102030405060708090a0b0c0d0e0f".into();
    Sealed { key_id, ciphertext: vec![0xff, 0x00, last] }
}

fn authenticators() -> Vec<user_authenticators::Event> {
    use user_authenticators::Event as E;
    let authenticator_id = AUTHENTICATOR;
    let parameters = [("digits", "6"), ("period_seconds", "30")];
    let key_id = "acme.000102030405060708090a0b0c0d0e0f.3".into();
    vec![
        E::EnrollmentStarted(EnrollmentStarted {
            authenticator_id,
            kind: "totp".into(),
            display_name: sealed(1),
            user_id: sealed(2),
            record: sealed(3),
            parameters: parameters.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            expires_at: at(900),
            started_at: at(0),
        }),
        E::EnrollmentConfirmed(EnrollmentConfirmed {
            authenticator_id,
            consumed_factor: Some(58_907_520),
            confirmed_at: at(1),
        }),
        E::UserPlaced(UserPlaced {
            placement: Placement { organisation_id: Some(organisation_id()), privileged: true },
            user_id: sealed(2),
            placed_at: at(2),
        }),
        E::SelfServiceTokenIssued(SelfServiceTokenIssued {
            token_id: TOKEN,
            issued_at: at(3),
            expires_at: at(303),
        }),
        E::EnrollmentAttemptFailed(EnrollmentAttemptFailed { authenticator_id, attempts_left: 9 }),
        E::EnrollmentAbandoned(EnrollmentAbandoned {
            authenticator_id,
            reason: AbandonReason::AttemptsExhausted,
        }),
        E::AuthenticatorRenamed(AuthenticatorRenamed { authenticator_id, display_name: sealed(4) }),
        E::DefaultAuthenticatorSet(DefaultAuthenticatorSet { authenticator_id }),
        E::AuthenticatorSuspended(AuthenticatorSuspended {
            authenticator_id,
            reason: "reported lost".to_owned(),
        }),
        E::AuthenticatorReinstated(AuthenticatorReinstated { authenticator_id }),
        E::AuthenticatorRemoved(AuthenticatorRemoved {
            authenticator_id,
            reason: "replaced".to_owned(),
            removed_at: at(2),
        }),
        E::RecoveryCodesIssued(RecoveryCodesIssued {
            authenticator_id,
            generation: 2,
            record: sealed(5),
            count: 10,
            user_id: sealed(6),
            issued_at: at(3),
        }),
        E::TemporaryAccessPassIssued(TemporaryAccessPassIssued {
            authenticator_id,
            generation: 3,
            record: sealed(7),
            pass: Pass {
                starts_at: at(4),
                ends_at: at(3_604),
                single_use: true,
                challenges_until: at(3),
            },
            user_id: sealed(8),
            issued_at: at(4),
        }),
        E::SecretsResealed(SecretsResealed {
            rotation: 2,
            generation: 3,
            records: vec![(authenticator_id, Sealed { key_id, ..sealed(4) })],
            resealed_at: at(6),
        }),
        E::UserErased(UserErased { erased_at: at(5), reason: "asked to".to_owned() }),
    ]
}

fn challenges() -> Vec<user_challenges::Event> {
    use user_challenges::Event as E;
    let (challenge_id, authenticator_id) = (CHALLENGE, AUTHENTICATOR);
    vec![
        E::ChallengeExhausted(ChallengeExhausted { challenge_id }),
        E::ChallengeExpired(ChallengeExpired { challenge_id }),
        E::ChallengeCanceled(ChallengeCanceled { challenge_id }),
        E::ChallengeSuperseded(ChallengeSuperseded { challenge_id }),
        E::ThrottleReleased(ThrottleReleased { authenticator_id }),
    ]
}

const SOURCE: Option<SourceKey> = Some(SourceKey(0x0102_0304_0506_0708));

/// Events that have had more fields since sources are told apart.
fn from_a_source() -> Vec<user_challenges::Event> {
    use user_challenges::Event as E;
    let (challenge_id, authenticator_id) = (CHALLENGE, AUTHENTICATOR);
    vec![
        E::ChallengeIssued(ChallengeIssued {
            challenge_id,
            application_id: "vpn".into(),
            allowed: vec![Allowed { authenticator_id, kind: "totp".into() }],
            sign_in_id: SIGN_IN.to_string().into(),
            max_attempts: 5,
            issued_at: at(0),
            expires_at: at(300),
            source: SOURCE,
        }),
        E::ChallengeVerified(verified(Consumed::MovingFactor(58_907_521))),
        E::AttemptFailed(AttemptFailed {
            challenge_id,
            authenticator_id,
            attempts_left: 3,
            consecutive_failures: 30,
            reason: AttemptFailure::Replayed,
            failed_at: at(1),
            source: SOURCE,
            source_failures: Some(6),
            unproven_failures: Some(20),
        }),
        E::AuthenticatorThrottled(AuthenticatorThrottled {
            authenticator_id,
            consecutive_failures: 30,
            until: Some(at(61)),
            closed_to: ClosedTo::Source {
                source: SOURCE,
                unproven: Some(Closure { until: Some(at(31)) }),
            },
        }),
    ]
}

fn verified(consumed: Consumed) -> ChallengeVerified {
    ChallengeVerified {
        challenge_id: CHALLENGE,
        authenticator_id: AUTHENTICATOR,
        kind: "totp".into(),
        consumed,
        acr: "urn:countersign:acr:aal2".into(),
        amr: vec!["otp".to_owned(), "mfa".to_owned()],
        verified_at: at(2),
        codes_remaining: Some(2),
        codes_low: true,
        source: SOURCE,
    }
}

fn verified_by_code() -> user_challenges::Event {
    let code = Consumed::Code { generation: 2, index: 7 };
    user_challenges::Event::ChallengeVerified(verified(code))
}

/// As it was written before an event said why and when.
fn attempt_failed_v1() -> Sample {
    let message = AttemptFailedV1 {
        challenge_id: CHALLENGE.to_string(),
        authenticator_id: AUTHENTICATOR.to_string(),
        attempts_left: 4,
        consecutive_failures: 1,
    };
    let payload = message.encode_to_vec().into();
    Sample { event_type: "AttemptFailed", version: 1, variant: None, payload }
}

fn sign_ins() -> Vec<user_sign_ins::Event> {
    vec![user_sign_ins::Event::SignInEvaluated(SignInEvaluated {
        sign_in_id: SIGN_IN,
        application_id: "vpn".into(),
        context: sealed(7),
        decision: Decision::Challenge,
        required_acr: "urn:countersign:acr:aal2".into(),
        trace: vec![TracedRule {
            rule: "tenant-always".to_owned(),
            matched: true,
            explanation: "the tenant asks for a second factor at every sign-in".to_owned(),
        }],
        usable: vec![Usable { authenticator_id: AUTHENTICATOR, kind: "totp".into() }],
        policy_hash: [0xab; 32],
        evaluated_at: at(3),
    })]
}

fn deliveries() -> Vec<delivery::Event> {
    use delivery::Event as E;
    let delivery_id = DELIVERY;
    vec![
        E::DeliveryRequested(DeliveryRequested {
            delivery_id,
            template: "authenticator_enrolled".into(),
            recipient: sealed(8),
            values: [("kind".to_owned(), "totp".to_owned())].into(),
            requested_at: at(4),
        }),
        E::DeliverySent(DeliverySent { delivery_id, provider: "log".into(), sent_at: at(5) }),
        E::DeliveryFailed(DeliveryFailed {
            delivery_id,
            provider: "log".into(),
            reason: "refused".to_owned(),
            failed_at: at(6),
        }),
    ]
}
