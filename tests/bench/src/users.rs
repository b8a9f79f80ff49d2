//! Users with an authenticator app each: enrolling them, and challenging them.

use std::{collections::VecDeque, ops::ControlFlow, sync::Arc, time::Duration};

use anyhow::Context as _;
use countersign_proto::{
    challenge::{CreateChallengeRequest, challenge_service_client::ChallengeServiceClient},
    enrollment::{
        ConfirmEnrollmentRequest, ConfirmationOutcome, StartEnrollmentRequest, TotpParameters,
        enrollment_service_client::EnrollmentServiceClient,
        start_enrollment_response::Provisioning,
    },
};
use parking_lot::Mutex;

use crate::{
    client::Service,
    clock,
    load::{Caller, Load},
    platform::Platform,
    server::RunningServer,
};

/// Seconds that a code is current: the shortest that is allowed, because each user uses up one step for each load.
const PERIOD: u32 = 15;

/// Callers that set users up, which is not what is measured.
const SETTING_UP: usize = 64;
const SET_UP_WITHIN: Duration = Duration::from_secs(900);

/// A user.
pub(crate) struct User {
    /// The platform's own id.
    pub(crate) id: String,
    /// The only authenticator.
    pub(crate) authenticator_id: String,
    /// The challenge that waits.
    pub(crate) challenge_id: String,
    app: totp_rs::Totp,
    spent: u64,
}

impl User {
    fn new(number: usize) -> Self {
        Self {
            id: format!("user-{number:08}"),
            authenticator_id: String::new(),
            challenge_id: String::new(),
            app: totp_rs::Builder::new().with_step_duration(PERIOD.into()).build_noncompliant(),
            spent: 0,
        }
    }

    /// Returns the code of the present step, or the next step's if that one is spent: the server takes it a step early.
    pub(crate) fn next_code(&mut self) -> String {
        self.spent = present_step().max(self.spent.saturating_add(1));
        self.app.generate(self.spent.saturating_mul(PERIOD.into())).to_string()
    }
}

fn present_step() -> u64 {
    clock::unix_seconds() / u64::from(PERIOD)
}

/// Waits until the next code of every user is current, or is so a step early.
pub(crate) async fn until_codes_are_fresh(users: &[User]) {
    let spent = users.iter().map(|user| user.spent).max().unwrap_or_default();
    while present_step() < spent {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Users who wait for their turn, and those who had it.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<VecDeque<User>>,
    served: Mutex<Vec<User>>,
}

impl Queue {
    /// Lets `users` wait.
    pub(crate) fn of(users: Vec<User>) -> Arc<Self> {
        Arc::new(Self { waiting: Mutex::new(users.into()), served: Mutex::default() })
    }

    /// Returns whose turn it is.
    pub(crate) fn next(&self) -> Option<User> {
        self.waiting.lock().pop_front()
    }

    /// Puts back who had their turn.
    pub(crate) fn served(&self, user: User) {
        self.served.lock().push(user);
    }

    /// Returns everybody, whether they had their turn or not.
    pub(crate) fn everybody(&self) -> Vec<User> {
        let mut users = std::mem::take(&mut *self.served.lock());
        users.extend(self.waiting.lock().drain(..));
        users
    }
}

/// Enrols so many users, a TOTP authenticator each. The load tells of whole enrolments, two requests each.
pub(crate) async fn enroll(
    server: &RunningServer,
    platform: &Platform,
    count: usize,
) -> anyhow::Result<(Vec<User>, Load)> {
    let queue = Queue::of((0..count).map(User::new).collect());
    let clients = platform.enrollment_clients(SETTING_UP).await?;
    let callers = clients.map(|client| Enrolling { client, queue: Arc::clone(&queue) });
    let load = server.process.drive(callers.collect(), SET_UP_WITHIN).await?;
    anyhow::ensure!(load.requests == count, "{count} users could not be enrolled in time");
    Ok((queue.everybody(), load))
}

struct Enrolling {
    client: EnrollmentServiceClient<Service>,
    queue: Arc<Queue>,
}

impl Caller for Enrolling {
    async fn ask(&mut self) -> anyhow::Result<ControlFlow<()>> {
        let Some(mut user) = self.queue.next() else { return Ok(ControlFlow::Break(())) };
        let request = StartEnrollmentRequest {
            request_id: format!("start-{}", user.id),
            user_id: user.id.clone(),
            kind: "totp".to_owned(),
            parameters: Some(
                countersign_proto::enrollment::start_enrollment_request::Parameters::Totp(
                    TotpParameters { period_seconds: PERIOD, ..Default::default() },
                ),
            ),
            ..Default::default()
        };
        let started = self.client.start_enrollment(request).await?.into_inner();
        user.authenticator_id = started.authenticator.unwrap_or_default().authenticator_id;
        let Some(Provisioning::Totp(provisioning)) = started.provisioning else {
            anyhow::bail!("an enrolment of kind totp comes with what the app needs");
        };
        user.app = totp_rs::Totp::from_url_unchecked(&provisioning.key_uri)
            .map_err(|_| anyhow::anyhow!("every authenticator app reads the key URI"))?;
        let request = ConfirmEnrollmentRequest {
            request_id: format!("confirm-{}", user.id),
            user_id: user.id.clone(),
            authenticator_id: user.authenticator_id.clone(),
            code: user.next_code(),
        };
        let confirmed = self.client.confirm_enrollment(request).await?.into_inner();
        anyhow::ensure!(
            confirmed.outcome() == ConfirmationOutcome::Confirmed,
            "the right code did not confirm an enrolment"
        );
        self.queue.served(user);
        Ok(ControlFlow::Continue(()))
    }
}

/// Opens a challenge for every user. `round` tells it apart from the last one.
pub(crate) async fn challenge(
    server: &RunningServer,
    platform: &Platform,
    users: Vec<User>,
    round: usize,
) -> anyhow::Result<(Vec<User>, Load)> {
    let count = users.len();
    let queue = Queue::of(users);
    let clients = platform.challenge_clients(SETTING_UP).await?;
    let callers = clients.map(|client| Challenging { client, round, queue: Arc::clone(&queue) });
    let load = server.process.drive(callers.collect(), SET_UP_WITHIN).await?;
    anyhow::ensure!(load.requests == count, "{count} users could not be challenged in time");
    Ok((queue.everybody(), load))
}

struct Challenging {
    client: ChallengeServiceClient<Service>,
    round: usize,
    queue: Arc<Queue>,
}

impl Caller for Challenging {
    async fn ask(&mut self) -> anyhow::Result<ControlFlow<()>> {
        let Some(mut user) = self.queue.next() else { return Ok(ControlFlow::Break(())) };
        let request = CreateChallengeRequest {
            request_id: format!("challenge-{}-{}", self.round, user.id),
            user_id: user.id.clone(),
            ..Default::default()
        };
        let created = self.client.create_challenge(request).await?.into_inner();
        user.challenge_id = created.challenge.context("a challenge is opened")?.challenge_id;
        self.queue.served(user);
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_user_shows_a_code_twice() {
        let mut user = User::new(7);
        user.next_code();
        let first = user.spent;
        user.next_code();
        assert!(user.spent > first);
    }

    #[test]
    fn a_queue_loses_nobody() {
        let queue = Queue::of((0..3).map(User::new).collect());
        let first = queue.next().unwrap();
        assert_eq!(first.id, "user-00000000");
        queue.served(first);
        assert_eq!(queue.everybody().len(), 3);
    }
}
