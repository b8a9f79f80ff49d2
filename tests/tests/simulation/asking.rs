//! Requests that callers make, and make again, and what they are told.

use countersign_proto::{
    challenge::{
        Challenge, CreateChallengeRequest, CreateChallengeResponse, VerifyChallengeRequest,
        VerifyChallengeResponse,
    },
    enrollment::{
        ConfirmEnrollmentRequest, ConfirmEnrollmentResponse, StartEnrollmentRequest,
        StartEnrollmentResponse, start_enrollment_response::Provisioning,
    },
};
use prost_types::Timestamp;
use uuid::Uuid;

/// A request with its id.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Start(StartEnrollmentRequest),
    Confirm(ConfirmEnrollmentRequest),
    Create(CreateChallengeRequest),
    Verify(VerifyChallengeRequest),
}

/// What a caller was told.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    Start(Started),
    Confirm(ConfirmEnrollmentResponse),
    Create(CreateChallengeResponse),
    Verify(VerifyChallengeResponse),
}

/// What is told of an enrolment, without the pictures.
#[derive(Clone, Debug)]
pub(crate) struct Started {
    /// None once a newer enrolment took its place.
    pub(crate) authenticator_id: Option<String>,
    pub(crate) expires_at: Option<Timestamp>,
    /// What the phone scans, while the enrolment is pending.
    pub(crate) key_uri: Option<String>,
}

/// A request and what became of it so far.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) request: Request,
    /// Names each time that it was made: events tell by it that they are its doing.
    pub(crate) calls: Vec<Uuid>,
    /// What the first caller who got an answer was told.
    pub(crate) answer: Option<Answer>,
}

impl Asked {
    pub(crate) const fn new(request: Request) -> Self {
        Self { request, calls: Vec::new(), answer: None }
    }
}

impl From<StartEnrollmentResponse> for Started {
    fn from(told: StartEnrollmentResponse) -> Self {
        Self {
            authenticator_id: told.authenticator.map(|shown| shown.authenticator_id),
            expires_at: told.expires_at,
            key_uri: told.provisioning.map(|Provisioning::Totp(totp)| totp.key_uri),
        }
    }
}

impl Answer {
    /// Returns whether a repeat that is told this is told the same. A challenge is shown as it stands now, and an enrolment
    /// and its secret only while they are there.
    pub(crate) fn repeats(&self, first: &Self) -> bool {
        match (self, first) {
            (Self::Start(again), Self::Start(first)) => {
                let differ = |again: &Option<String>, first: &Option<String>| {
                    again.is_some() && first.is_some() && again != first
                };
                !differ(&again.authenticator_id, &first.authenticator_id)
                    && !differ(&again.key_uri, &first.key_uri)
                    && again.expires_at == first.expires_at
            }
            (Self::Confirm(again), Self::Confirm(first)) => {
                (again.outcome, again.attempts_left) == (first.outcome, first.attempts_left)
            }
            (Self::Create(again), Self::Create(first)) => {
                let opened = |told: &CreateChallengeResponse| {
                    let challenge = told.challenge.clone().unwrap_or_default();
                    Challenge { status: 0, attempts_left: 0, proof: None, ..challenge }
                };
                opened(again) == opened(first)
            }
            (Self::Verify(again), Self::Verify(first)) => again == first,
            (Self::Start(_) | Self::Confirm(_) | Self::Create(_) | Self::Verify(_), _) => false,
        }
    }
}
