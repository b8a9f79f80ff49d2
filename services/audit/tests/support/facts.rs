//! Words for what happened. Authenticators and challenges have small numbers for names.

use countersign_core::{AuthenticatorId, ChallengeId, SignInId};
use countersign_crypto::Sealed;
use countersign_domain::{
    policy::{Decision, MfaRequirement},
    tenant::{self, MfaRequirementSet, Tenant, TenantCreated},
    user_authenticators::{
        self, AuthenticatorReinstated, AuthenticatorRemoved, AuthenticatorSuspended,
        DefaultAuthenticatorSet, EnrollmentConfirmed, EnrollmentStarted, RecoveryCodesIssued,
        UserAuthenticators,
    },
    user_challenges::{
        self, Allowed, AttemptFailed, AttemptFailure, AuthenticatorThrottled, ChallengeCanceled,
        ChallengeIssued, ChallengeVerified, ClosedTo, Consumed, ThrottleReleased, UserChallenges,
    },
    user_sign_ins::{self, SignInEvaluated, UserSignIns},
};
use countersign_eventsourcing::{EncodedEvent, EventCodec as _};
use countersign_service::{Foundation, User, present::DISPLAY_NAME_FIELD};
use uuid::Uuid;

use super::at;

/// One thing that happened.
#[derive(Clone, Debug)]
pub enum Fact {
    Authenticators(user_authenticators::Event),
    Challenges(user_challenges::Event),
    SignIns(user_sign_ins::Event),
    Tenant(tenant::Event),
}

impl Fact {
    pub fn encode(&self) -> EncodedEvent {
        match self {
            Self::Authenticators(event) => UserAuthenticators::encode(event),
            Self::Challenges(event) => UserChallenges::encode(event),
            Self::SignIns(event) => UserSignIns::encode(event),
            Self::Tenant(event) => Tenant::encode(event),
        }
    }
}

pub fn authenticator(n: u8) -> AuthenticatorId {
    AuthenticatorId::new(Uuid::from_u128(0xa00 + u128::from(n)))
}

pub fn challenge(n: u8) -> ChallengeId {
    ChallengeId::new(Uuid::from_u128(0xc00 + u128::from(n)))
}

pub fn tenant_created(seconds: i64) -> Fact {
    let created = TenantCreated { display_name: "A company".to_owned(), created_at: at(seconds) };
    Fact::Tenant(tenant::Event::TenantCreated(created))
}

pub fn requirement_set(requirement: MfaRequirement) -> Fact {
    let set = MfaRequirementSet { application_id: None, requirement };
    Fact::Tenant(tenant::Event::MfaRequirementSet(set))
}

/// Seals what a user calls an authenticator.
pub async fn name(foundation: &Foundation, user: &User, name: &str) -> Sealed {
    let vault = &foundation.vault;
    vault.seal(&user.tenant, user.key, DISPLAY_NAME_FIELD, name.as_bytes()).await.unwrap()
}

/// A sealed value that nobody opens.
fn unopened() -> Sealed {
    Sealed { key_id: "acme.00".into(), ciphertext: vec![1, 2, 3] }
}

pub fn started(n: u8, display_name: &Sealed, seconds: i64) -> Fact {
    Fact::Authenticators(user_authenticators::Event::EnrollmentStarted(EnrollmentStarted {
        authenticator_id: authenticator(n),
        kind: "totp".into(),
        display_name: display_name.clone(),
        user_id: unopened(),
        record: unopened(),
        parameters: [("digits".to_owned(), "6".to_owned())].into(),
        expires_at: at(seconds + 600),
        started_at: at(seconds),
    }))
}

pub fn confirmed(n: u8, seconds: i64) -> Fact {
    Fact::Authenticators(user_authenticators::Event::EnrollmentConfirmed(EnrollmentConfirmed {
        authenticator_id: authenticator(n),
        consumed_factor: Some(7),
        confirmed_at: at(seconds),
    }))
}

pub fn default_set(n: u8) -> Fact {
    let set = DefaultAuthenticatorSet { authenticator_id: authenticator(n) };
    Fact::Authenticators(user_authenticators::Event::DefaultAuthenticatorSet(set))
}

pub fn suspended(n: u8) -> Fact {
    let reason = "reported lost".to_owned();
    let suspended = AuthenticatorSuspended { authenticator_id: authenticator(n), reason };
    Fact::Authenticators(user_authenticators::Event::AuthenticatorSuspended(suspended))
}

pub fn reinstated(n: u8) -> Fact {
    let reinstated = AuthenticatorReinstated { authenticator_id: authenticator(n) };
    Fact::Authenticators(user_authenticators::Event::AuthenticatorReinstated(reinstated))
}

pub fn removed(n: u8, seconds: i64) -> Fact {
    Fact::Authenticators(user_authenticators::Event::AuthenticatorRemoved(AuthenticatorRemoved {
        authenticator_id: authenticator(n),
        reason: "replaced".to_owned(),
        removed_at: at(seconds),
    }))
}

pub fn codes_issued(n: u8, generation: u32, seconds: i64) -> Fact {
    Fact::Authenticators(user_authenticators::Event::RecoveryCodesIssued(RecoveryCodesIssued {
        authenticator_id: authenticator(n),
        generation,
        record: unopened(),
        count: 10,
        user_id: unopened(),
        issued_at: at(seconds),
    }))
}

/// A challenge that takes five attempts for 300 seconds.
pub fn issued(n: u8, seconds: i64) -> Fact {
    Fact::Challenges(user_challenges::Event::ChallengeIssued(ChallengeIssued {
        challenge_id: challenge(n),
        application_id: "vpn".into(),
        allowed: vec![Allowed { authenticator_id: authenticator(n), kind: "totp".into() }],
        sign_in_id: "".into(),
        max_attempts: 5,
        issued_at: at(seconds),
        expires_at: at(seconds + 300),
        source: None,
    }))
}

pub fn failed(n: u8, attempts_left: u32, seconds: i64) -> Fact {
    Fact::Challenges(user_challenges::Event::AttemptFailed(AttemptFailed {
        challenge_id: challenge(n),
        authenticator_id: authenticator(n),
        attempts_left,
        consecutive_failures: 5 - attempts_left.min(5),
        reason: AttemptFailure::WrongCode,
        failed_at: at(seconds),
        source: None,
        source_failures: None,
        unproven_failures: None,
    }))
}

pub fn verified(n: u8, consumed: Consumed, seconds: i64) -> Fact {
    Fact::Challenges(user_challenges::Event::ChallengeVerified(ChallengeVerified {
        challenge_id: challenge(n),
        authenticator_id: authenticator(n),
        kind: "totp".into(),
        consumed,
        acr: "aal2".into(),
        amr: vec!["otp".to_owned()],
        verified_at: at(seconds),
        codes_remaining: None,
        codes_low: false,
        source: None,
    }))
}

pub fn canceled(n: u8) -> Fact {
    let canceled = ChallengeCanceled { challenge_id: challenge(n) };
    Fact::Challenges(user_challenges::Event::ChallengeCanceled(canceled))
}

pub fn throttled(n: u8, until: Option<i64>) -> Fact {
    Fact::Challenges(user_challenges::Event::AuthenticatorThrottled(AuthenticatorThrottled {
        authenticator_id: authenticator(n),
        consecutive_failures: 5,
        until: until.map(at),
        closed_to: ClosedTo::Everyone,
    }))
}

pub fn released(n: u8) -> Fact {
    let released = ThrottleReleased { authenticator_id: authenticator(n) };
    Fact::Challenges(user_challenges::Event::ThrottleReleased(released))
}

pub fn evaluated(seconds: i64) -> Fact {
    Fact::SignIns(user_sign_ins::Event::SignInEvaluated(SignInEvaluated {
        sign_in_id: SignInId::new(Uuid::from_u128(0x5)),
        application_id: "vpn".into(),
        context: unopened(),
        decision: Decision::Challenge,
        required_acr: "aal2".into(),
        trace: vec![],
        usable: vec![],
        policy_hash: [3; 32],
        evaluated_at: at(seconds),
    }))
}
