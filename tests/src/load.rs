//! Platforms that enrol users, challenge and verify until the server goes away, and note what they were answered.

use std::sync::{Arc, Mutex};

use countersign_core::Timestamp;
use countersign_proto::{
    admin::{FactorSettings, ThrottleSettings},
    audit::ReplayEventsRequest,
    challenge::{
        CreateChallengeRequest, VerificationOutcome, VerifyChallengeRequest,
        VerifyChallengeResponse,
    },
    enrollment::{
        ConfirmEnrollmentRequest, ConfirmationOutcome, StartEnrollmentRequest, TotpParameters,
        start_enrollment_request::Parameters, start_enrollment_response::Provisioning,
    },
    event::ChallengeVerified,
};
use prost::Message as _;
use tokio::{sync::watch, task::JoinSet};
use tonic::{Response, Status};

use crate::{Phone, Process, Tenant, reason};

/// How far from now codes are accepted, in steps: with the widest skew, a user can prove many times in real time.
const SKEW_STEPS: u32 = 10;
/// The step whose code confirms the enrolment, counted from now. The five steps to the end of the skew are slack: they
/// may pass before its answer is needed.
const FIRST_STEP: i64 = -5;
/// How often each user proves.
const PROOFS: i64 = 4;

/// An enrolment that was acknowledged.
#[derive(Clone, Debug)]
pub struct Enrolled {
    /// The user.
    pub user: String,
    /// What was enrolled.
    pub phone: Phone,
    /// The step that none of its codes has been shown for, in seconds since the epoch.
    pub fresh: Timestamp,
}

/// A verification that was acknowledged.
#[derive(Clone, Debug)]
pub struct Verified {
    /// What was asked.
    pub request: VerifyChallengeRequest,
    /// What was answered.
    pub response: VerifyChallengeResponse,
}

/// A request whose answer was lost.
#[derive(Clone, Debug)]
pub enum Lost {
    /// Of StartEnrollment.
    Start(StartEnrollmentRequest),
    /// Of ConfirmEnrollment, with a right code.
    Confirm(ConfirmEnrollmentRequest),
    /// Of CreateChallenge.
    Challenge(CreateChallengeRequest),
    /// Of VerifyChallenge, with a right and fresh code.
    Verify(VerifyChallengeRequest),
}

/// What the platforms noted.
#[derive(Clone, Debug, Default)]
pub struct Noted {
    /// Enrolments that were acknowledged.
    pub enrolled: Vec<Enrolled>,
    /// Verifications that were acknowledged.
    pub verified: Vec<Verified>,
    /// Requests whose answers were lost.
    pub lost: Vec<Lost>,
}

/// Prepares a tenant for users who prove many times a minute.
pub async fn widen(tenant: &Tenant) {
    let throttle = ThrottleSettings { free_attempts: 100, ..Default::default() };
    tenant
        .set_factor(FactorSettings {
            kind: "totp".to_owned(),
            throttle: Some(throttle),
            totp_skew_steps: Some(SKEW_STEPS),
            ..Default::default()
        })
        .await;
}

/// How much the platforms have done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Requests sent.
    pub sent: u64,
    /// Requests answered.
    pub answered: u64,
}

/// Platforms at work.
#[derive(Debug)]
pub struct Load {
    noted: Arc<Mutex<Noted>>,
    progress: watch::Receiver<Progress>,
    platforms: JoinSet<()>,
}

impl Load {
    /// Sets `count` platforms to work, each over a connection of its own. `name` keeps their users from those of others.
    pub async fn begin(process: &Process, tenant: &Tenant, name: &str, count: usize) -> Self {
        let noted = Arc::<Mutex<Noted>>::default();
        let (sender, progress) = watch::channel(Progress::default());
        let mut platforms = JoinSet::new();
        for number in 0..count {
            let platform = Platform {
                tenant: tenant.over(&process.connect().await),
                name: format!("{name}-{number}"),
                noted: Arc::clone(&noted),
                progress: sender.clone(),
            };
            platforms.spawn(platform.work());
        }
        Self { noted, progress, platforms }
    }

    /// Waits until enough is done.
    pub async fn until(&self, enough: impl FnMut(&Progress) -> bool) {
        self.progress.clone().wait_for(enough).await.unwrap();
    }

    /// Waits until every platform has noticed that the server is gone, and returns what they noted.
    pub async fn end(mut self) -> Noted {
        while let Some(ended) = self.platforms.join_next().await {
            ended.unwrap();
        }
        self.noted.lock().unwrap().clone()
    }
}

struct Platform {
    tenant: Tenant,
    name: String,
    noted: Arc<Mutex<Noted>>,
    progress: watch::Sender<Progress>,
}

impl Platform {
    async fn work(self) {
        let mut number = 0;
        while self.serve(&format!("{}-{number}", self.name)).await.is_some() {
            number += 1;
        }
    }

    /// Enrols a user, who then proves some times; `None` once an answer is lost.
    async fn serve(&self, user: &str) -> Option<()> {
        let now = self.tenant.now();
        let at = |step| Timestamp::from_unix_seconds(now.unix_seconds() + 30 * (FIRST_STEP + step));
        let phone = self.enrol(user, at(0)).await?;
        let fresh = at(PROOFS + 1);
        let enrolled = Enrolled { user: user.to_owned(), phone: phone.clone(), fresh };
        self.noted.lock().unwrap().enrolled.push(enrolled);
        for step in 1..=PROOFS {
            self.prove(user, step, &phone.code(at(step))).await?;
        }
        Some(())
    }

    async fn enrol(&self, user: &str, now: Timestamp) -> Option<Phone> {
        let request = StartEnrollmentRequest {
            request_id: format!("start-{user}"),
            user_id: user.to_owned(),
            kind: "totp".to_owned(),
            // Of eight digits, so that no two codes of a test are the same by chance.
            parameters: Some(Parameters::Totp(TotpParameters { digits: 8, ..Default::default() })),
            ..Default::default()
        };
        let mut enrollment = self.tenant.platform.enrollment();
        let started = enrollment.start_enrollment(request.clone());
        let started = self.ask(Lost::Start(request), started).await?;
        let Some(Provisioning::Totp(totp)) = &started.provisioning else {
            panic!("an enrolment of kind totp comes with what the app needs")
        };
        let id = started.authenticator.unwrap().authenticator_id;
        let phone = Phone::scan(&id, &totp.key_uri);
        let request = ConfirmEnrollmentRequest {
            request_id: format!("confirm-{user}"),
            user_id: user.to_owned(),
            authenticator_id: id,
            code: phone.code(now),
        };
        let confirmed = enrollment.confirm_enrollment(request.clone());
        let confirmed = self.ask(Lost::Confirm(request), confirmed).await?;
        assert_eq!(confirmed.outcome(), ConfirmationOutcome::Confirmed);
        Some(phone)
    }

    async fn prove(&self, user: &str, step: i64, code: &str) -> Option<()> {
        let request = CreateChallengeRequest {
            request_id: format!("challenge-{step}-{user}"),
            user_id: user.to_owned(),
            application_id: "vpn".to_owned(),
            ..Default::default()
        };
        let mut challenge = self.tenant.platform.challenge();
        let created = challenge.create_challenge(request.clone());
        let created = self.ask(Lost::Challenge(request), created).await?.challenge.unwrap();
        let request = VerifyChallengeRequest {
            request_id: format!("verify-{step}-{user}"),
            user_id: user.to_owned(),
            challenge_id: created.challenge_id,
            code: code.to_owned(),
            ..Default::default()
        };
        let verified = challenge.verify_challenge(request.clone());
        let response = self.ask(Lost::Verify(request.clone()), verified).await?;
        assert_eq!(response.outcome(), VerificationOutcome::Verified);
        self.noted.lock().unwrap().verified.push(Verified { request, response });
        Some(())
    }

    /// Waits for an answer. A server that goes away gives none; one that answers must not fail.
    async fn ask<T>(
        &self,
        request: Lost,
        answer: impl Future<Output = Result<Response<T>, Status>>,
    ) -> Option<T> {
        self.progress.send_modify(|progress| progress.sent += 1);
        match answer.await {
            Ok(response) => {
                self.progress.send_modify(|progress| progress.answered += 1);
                Some(response.into_inner())
            }
            Err(status) => {
                assert_eq!(reason(&status), "", "the server answered {status:?} to {request:?}");
                self.noted.lock().unwrap().lost.push(request);
                None
            }
        }
    }
}

/// Reads every verification of a tenant from the log.
pub async fn verifications(tenant: &Tenant) -> Vec<ChallengeVerified> {
    let request = ReplayEventsRequest {
        event_types: vec!["ChallengeVerified".to_owned()],
        ..Default::default()
    };
    let events = tenant.auditor.replay(request).await.into_iter();
    let payloads = events.map(|event| event.payload.unwrap().value);
    payloads.map(|payload| ChallengeVerified::decode(&*payload).unwrap()).collect()
}
