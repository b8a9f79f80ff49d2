//! Translation between the wire's words and the domain's.

use countersign_core::Timestamp;
use countersign_domain::{
    user_challenges::{Challenge, ChallengeState, ChallengeVerified, Proof},
    wire::timestamp_to_wire,
};
use countersign_proto::challenge as wire;

/// Shows a challenge as it stands at `now`.
pub(super) fn challenge(challenge: &Challenge, now: Timestamp) -> wire::Challenge {
    let status = match challenge.state_at(now) {
        ChallengeState::Pending => wire::ChallengeStatus::Pending,
        ChallengeState::Verified => wire::ChallengeStatus::Verified,
        ChallengeState::Exhausted => wire::ChallengeStatus::Exhausted,
        ChallengeState::Expired => wire::ChallengeStatus::Expired,
        ChallengeState::Canceled => wire::ChallengeStatus::Canceled,
        ChallengeState::Superseded => wire::ChallengeStatus::Superseded,
    };
    let allowed = challenge.allowed.iter().map(|allowed| wire::AllowedAuthenticator {
        authenticator_id: allowed.authenticator_id.to_string(),
        kind: allowed.kind.to_string(),
    });
    wire::Challenge {
        challenge_id: challenge.id.to_string(),
        status: status.into(),
        application_id: challenge.application_id.to_string(),
        allowed_authenticators: allowed.collect(),
        created_at: Some(timestamp_to_wire(challenge.issued_at)),
        expires_at: Some(timestamp_to_wire(challenge.expires_at)),
        attempts_left: challenge.attempts_left,
        proof: challenge.proof.as_ref().map(kept_proof),
    }
}

fn kept_proof(proof: &Proof) -> wire::Proof {
    wire::Proof {
        authenticator_id: proof.authenticator_id.to_string(),
        kind: proof.kind.to_string(),
        acr: proof.acr.to_string(),
        amr: proof.amr.clone(),
        auth_time: Some(timestamp_to_wire(proof.verified_at)),
    }
}

/// Shows what a verification proves.
pub(super) fn proof(verified: ChallengeVerified) -> wire::Proof {
    wire::Proof {
        authenticator_id: verified.authenticator_id.to_string(),
        kind: verified.kind.into(),
        acr: verified.acr.into(),
        amr: verified.amr,
        auth_time: Some(timestamp_to_wire(verified.verified_at)),
    }
}
