//! Platforms that enrol users, challenge and verify, and note what they were answered: until the server goes away, or, if
//! they do not give up, until they are told to stop.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use countersign_core::Timestamp;
use countersign_proto::{
    admin::{FactorSettings, ThrottleSettings},
    audit::{RecordedEvent, ReplayEventsRequest},
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
use tonic::{Code, Response, Status};

use crate::{Phone, Process, Tenant, reason, retry_after};

/// How far from now codes are accepted, in steps: with the widest skew, a user can prove many times in real time.
const SKEW_STEPS: u32 = 10;
/// The step whose code confirms the enrolment, counted from now. The five steps to the end of the skew are slack: they
/// may pass before its answer is needed.
const FIRST_STEP: i64 = -5;
/// How often each user proves.
const PROOFS: i64 = 4;
/// How long any answer may take: the server's own limit, and slack for a busy machine.
const LONGEST_ANSWER: Duration = Duration::from_secs(15);
/// How long a platform that does not give up waits between two tries.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

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
    /// How often a request had to be repeated by platforms that do not give up.
    pub repeats: u64,
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
    /// Requests that platforms who do not give up had to repeat, once for every time.
    pub repeated: u64,
}

/// Platforms at work.
#[derive(Debug)]
pub struct Load {
    noted: Arc<Mutex<Noted>>,
    progress: watch::Receiver<Progress>,
    platforms: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// What a platform does when it is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// It notes the request as lost, and ends.
    GivesUp,
    /// It asks again.
    Insists,
}

impl Load {
    /// Sets `count` platforms to work, each over a connection of its own. `name` keeps their users from those of others.
    pub async fn begin(process: &Process, tenant: &Tenant, name: &str, count: usize) -> Self {
        let mut tenants = Vec::new();
        for _ in 0..count {
            tenants.push(tenant.over(&process.connect().await));
        }
        Self::with(tenants, name, Patience::GivesUp)
    }

    /// Sets platforms to work that repeat whatever is not answered, under the same request id, until they are told to
    /// stop.
    #[must_use]
    pub fn insisting(tenants: Vec<Tenant>, name: &str) -> Self {
        Self::with(tenants, name, Patience::Insists)
    }

    fn with(tenants: Vec<Tenant>, name: &str, patience: Patience) -> Self {
        let noted = Arc::<Mutex<Noted>>::default();
        let (sender, progress) = watch::channel(Progress::default());
        let stop = watch::Sender::new(false);
        let mut platforms = JoinSet::new();
        for (number, tenant) in tenants.into_iter().enumerate() {
            let platform = Platform {
                tenant,
                name: format!("{name}-{number}"),
                noted: Arc::clone(&noted),
                progress: sender.clone(),
                patience,
                stop: stop.subscribe(),
            };
            platforms.spawn(platform.work());
        }
        Self { noted, progress, platforms, stop }
    }

    /// Returns how much has been done so far.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// Tells platforms that do not give up to finish what they are at, and returns what they noted.
    pub async fn stop(self) -> Noted {
        self.stop.send_replace(true);
        self.end().await
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
        let noted = self.noted.lock().unwrap().clone();
        Noted { repeats: self.progress().repeated, ..noted }
    }
}

struct Platform {
    tenant: Tenant,
    name: String,
    noted: Arc<Mutex<Noted>>,
    progress: watch::Sender<Progress>,
    patience: Patience,
    stop: watch::Receiver<bool>,
}

impl Platform {
    async fn work(self) {
        let mut number = 0;
        while !*self.stop.borrow() && self.serve(&format!("{}-{number}", self.name)).await.is_some()
        {
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
        let enrollment = self.tenant.platform.enrollment();
        let start = || {
            let (mut enrollment, request) = (enrollment.clone(), request.clone());
            async move { enrollment.start_enrollment(request).await }
        };
        let started = self.ask(Lost::Start(request.clone()), start).await?;
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
        let confirm = || {
            let (mut enrollment, request) = (enrollment.clone(), request.clone());
            async move { enrollment.confirm_enrollment(request).await }
        };
        let confirmed = self.ask(Lost::Confirm(request.clone()), confirm).await?;
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
        let challenge = self.tenant.platform.challenge();
        let create = || {
            let (mut challenge, request) = (challenge.clone(), request.clone());
            async move { challenge.create_challenge(request).await }
        };
        let created = self.ask(Lost::Challenge(request.clone()), create).await?.challenge.unwrap();
        let request = VerifyChallengeRequest {
            request_id: format!("verify-{step}-{user}"),
            user_id: user.to_owned(),
            challenge_id: created.challenge_id,
            code: code.to_owned(),
            ..Default::default()
        };
        let verify = || {
            let (mut challenge, request) = (challenge.clone(), request.clone());
            async move { challenge.verify_challenge(request).await }
        };
        let response = self.ask(Lost::Verify(request.clone()), verify).await?;
        assert_eq!(response.outcome(), VerificationOutcome::Verified);
        self.noted.lock().unwrap().verified.push(Verified { request, response });
        Some(())
    }

    /// Waits for an answer. A server that goes away gives none; one that answers must not fail, but may say that what it
    /// stands on is away, and when to ask again.
    async fn ask<T, F>(&self, request: Lost, call: impl Fn() -> F) -> Option<T>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        loop {
            self.progress.send_modify(|progress| progress.sent += 1);
            let began = Instant::now();
            let answer = call().await;
            assert!(began.elapsed() < LONGEST_ANSWER, "{:?} for {request:?}", began.elapsed());
            let status = match answer {
                Ok(response) => {
                    self.progress.send_modify(|progress| progress.answered += 1);
                    return Some(response.into_inner());
                }
                Err(status) => status,
            };
            if self.patience == Patience::GivesUp {
                assert_eq!(reason(&status), "", "the server answered {status:?} to {request:?}");
                self.noted.lock().unwrap().lost.push(request);
                return None;
            }
            assert!(is_passing(&status), "the server answered {status:?} to {request:?}");
            self.progress.send_modify(|progress| progress.repeated += 1);
            tokio::time::sleep(TRY_AGAIN_AFTER).await;
        }
    }
}

/// Returns whether a status says that asking again may help: as our own servers say it, with the time to wait, or as the
/// transport does when nobody answers.
fn is_passing(status: &Status) -> bool {
    let code = status.code();
    if code == Code::Unavailable {
        return reason(status).is_empty() || retry_after(status).is_some();
    }
    // A connection that breaks in the middle of an answer.
    matches!(code, Code::Unknown | Code::Cancelled | Code::Internal) && reason(status).is_empty()
}

/// Reads every verification of a tenant from the log.
pub async fn verifications(tenant: &Tenant) -> Vec<ChallengeVerified> {
    decoded(tenant.auditor.replay(verified()).await)
}

/// Reads every verification of a tenant from a log that may still be away.
pub async fn verifications_in_the_end(tenant: &Tenant) -> Vec<ChallengeVerified> {
    decoded(tenant.auditor.replay_in_the_end(verified()).await)
}

fn verified() -> ReplayEventsRequest {
    ReplayEventsRequest { event_types: vec!["ChallengeVerified".to_owned()], ..Default::default() }
}

fn decoded(events: Vec<RecordedEvent>) -> Vec<ChallengeVerified> {
    let payloads = events.into_iter().map(|event| event.payload.unwrap().value);
    payloads.map(|payload| ChallengeVerified::decode(&*payload).unwrap()).collect()
}
