//! Requests that callers make, and make again, and what they are told.

use countersign_proto::{
    challenge::{
        Challenge, CreateChallengeRequest, CreateChallengeResponse, VerifyChallengeRequest,
        VerifyChallengeResponse,
    },
    enrollment::{
        ConfirmEnrollmentRequest, ConfirmEnrollmentResponse, StartEnrollmentRequest,
        StartEnrollmentResponse,
    },
};
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
    Start(StartEnrollmentResponse),
    Confirm(ConfirmEnrollmentResponse),
    Create(CreateChallengeResponse),
    Verify(VerifyChallengeResponse),
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

impl Answer {
    /// Returns whether a repeat that is told this is told the same. A challenge is shown as it stands now, and the secret
    /// of an enrolment only while that is pending.
    pub(crate) fn repeats(&self, first: &Self) -> bool {
        match (self, first) {
            (Self::Start(again), Self::Start(first)) => {
                let id = |told: &StartEnrollmentResponse| {
                    told.authenticator.as_ref().map(|shown| shown.authenticator_id.clone())
                };
                let secrets = again.provisioning.as_ref().zip(first.provisioning.as_ref());
                id(again) == id(first)
                    && again.expires_at == first.expires_at
                    && secrets.is_none_or(|(again, first)| again == first)
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
