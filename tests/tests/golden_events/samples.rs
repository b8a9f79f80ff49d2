//! One event of each type and version, with something in every field.

use std::time::Duration;

use bytes::Bytes;
use countersign_core::{
    ApplicationId, AuthenticatorId, ChallengeId, DeliveryId, KeyId, SignInId, Timestamp,
};
use countersign_crypto::Sealed;
use countersign_domain::{
    delivery::{self, Delivery, DeliveryFailed, DeliveryRequested, DeliverySent},
    policy::{Decision, MfaRequirement, TracedRule, Usable},
    tenant::{
        self, ApiKeyIssued, ApiKeyRevoked, ApplicationCreated, FactorSettings,
        FactorSettingsChanged, MfaRequirementSet, Role, Tenant, TenantCreated, ThrottleOverrides,
    },
    user_authenticators::{
        self, AbandonReason, AuthenticatorReinstated, AuthenticatorRemoved, AuthenticatorRenamed,
        AuthenticatorSuspended, DefaultAuthenticatorSet, EnrollmentAbandoned,
        EnrollmentAttemptFailed, EnrollmentConfirmed, EnrollmentStarted, RecoveryCodesIssued,
        UserAuthenticators,
    },
    user_challenges::{
        self, Allowed, AttemptFailed, AttemptFailure, AuthenticatorThrottled, ChallengeCanceled,
        ChallengeExhausted, ChallengeExpired, ChallengeIssued, ChallengeSuperseded,
        ChallengeVerified, Consumed, ThrottleReleased, UserChallenges,
    },
    user_sign_ins::{self, SignInEvaluated, UserSignIns},
};
use countersign_eventsourcing::EventCodec;
use countersign_proto::event::AttemptFailedV1;
use prost::Message as _;
use uuid::Uuid;

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
    samples.push(Sample { variant: Some("code"), ..today::<UserChallenges>(&verified_by_code()) });
    samples.push(attempt_failed_v1());
    samples.extend(sign_ins().iter().map(today::<UserSignIns>));
    samples.extend(deliveries().iter().map(today::<Delivery>));
    samples
}

/// An instant that needs its microseconds.
const fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_micros((1_767_225_600 + seconds) * 1_000_000 + 123_456)
}

const AUTHENTICATOR: AuthenticatorId = AuthenticatorId::new(Uuid::from_u128(0xa1));
const CHALLENGE: ChallengeId = ChallengeId::new(Uuid::from_u128(0xc1));
const SIGN_IN: SignInId = SignInId::new(Uuid::from_u128(0x51));
const DELIVERY: DeliveryId = DeliveryId::new(Uuid::from_u128(0xd1));

fn sealed(last: u8) -> Sealed {
    let key_id = "acme.000102030405060708090a0b0c0d0e0f".into();
    Sealed { key_id, ciphertext: vec![0xff, 0x00, last] }
}

fn key_id() -> KeyId {
    KeyId::parse("k4f2").unwrap()
}

fn application_id() -> ApplicationId {
    ApplicationId::parse("vpn").unwrap()
}

fn tenant() -> Vec<tenant::Event> {
    use tenant::Event as E;
    let settings = FactorSettings {
        disabled: true,
        throttle: ThrottleOverrides {
            free_attempts: Some(7),
            first_pause: Some(Duration::from_millis(1_500)),
            longest_pause: Some(Duration::from_secs(7_200)),
            hard_limit: Some(90),
        },
        totp_skew_steps: Some(2),
        recovery_code_count: Some(12),
        recovery_code_low: Some(4),
    };
    vec![
        E::TenantCreated(TenantCreated { display_name: "Acme".to_owned(), created_at: at(0) }),
        E::ApplicationCreated(ApplicationCreated {
            application_id: application_id(),
            display_name: "VPN".to_owned(),
            requirement: Some(MfaRequirement::Always),
        }),
        E::MfaRequirementSet(MfaRequirementSet {
            application_id: Some(application_id()),
            requirement: MfaRequirement::Never,
        }),
        E::FactorSettingsChanged(FactorSettingsChanged { kind: "totp".into(), settings }),
        E::ApiKeyIssued(ApiKeyIssued {
            key_id: key_id(),
            display_name: "the VPN gateway".to_owned(),
            secret_hash: std::array::from_fn(|n| u8::try_from(n).unwrap()),
            roles: vec![Role::PlatformAdmin, Role::TenantAdmin, Role::Verifier, Role::Auditor],
            issued_at: at(1),
            expires_at: Some(at(2)),
        }),
        E::ApiKeyRevoked(ApiKeyRevoked { key_id: key_id() }),
    ]
}

fn authenticators() -> Vec<user_authenticators::Event> {
    use user_authenticators::Event as E;
    let authenticator_id = AUTHENTICATOR;
    let parameters = [("digits", "6"), ("period_seconds", "30")];
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
    ]
}

fn challenges() -> Vec<user_challenges::Event> {
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
        }),
        E::ChallengeVerified(verified(Consumed::MovingFactor(58_907_521))),
        E::AttemptFailed(AttemptFailed {
            challenge_id,
            authenticator_id,
            attempts_left: 3,
            consecutive_failures: 2,
            reason: AttemptFailure::Replayed,
            failed_at: at(1),
        }),
        E::ChallengeExhausted(ChallengeExhausted { challenge_id }),
        E::ChallengeExpired(ChallengeExpired { challenge_id }),
        E::ChallengeCanceled(ChallengeCanceled { challenge_id }),
        E::ChallengeSuperseded(ChallengeSuperseded { challenge_id }),
        E::AuthenticatorThrottled(AuthenticatorThrottled {
            authenticator_id,
            consecutive_failures: 5,
            until: Some(at(30)),
        }),
        E::ThrottleReleased(ThrottleReleased { authenticator_id }),
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
