//! Durable verifications of distinct users, beside the floor.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use countersign_proto::challenge::{
    VerificationOutcome, VerifyChallengeRequest, challenge_service_client::ChallengeServiceClient,
};

use crate::{
    args::{Plan, Section},
    client::Service,
    floor::RunningFloor,
    load::{Caller, Load},
    platform::Platform,
    report::{Figure, Goal, Report, Unit},
    server::RunningServer,
    users::{self, Queue, User},
};

/// Where the goals are set, in callers.
const GOALS_AT: usize = 64;

/// Enrols users, then has each of them verify once for each number of callers. The floor is loaded just before, so that
/// both are measured in the same weather.
pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    report.section(
        Section::Verify,
        "VerifyChallenge, each request another user's, and the floor just before it. Every verification is an event on the disk.",
    )?;
    let directory = plan.directory()?;
    let server = RunningServer::start(plan, directory.path()).await?;
    let floor = RunningFloor::start(plan).await?;
    let platform = Platform::set_up(&server).await?;
    let (mut users, enrolled) = users::enroll(&server, &platform, plan.verifying_users).await?;
    report.load(Section::Verify, "enrol", enrolled)?;
    for (round, &callers) in plan.server_callers.iter().enumerate() {
        let challenged;
        (users, challenged) = users::challenge(&server, &platform, users, round).await?;
        report.load(Section::Verify, "create", challenged)?;
        users::until_codes_are_fresh(&users).await;
        let bare = floor.load(callers, plan.load).await?;
        report.load(Section::Verify, "floor", bare)?;
        let load;
        (users, load) = verify(&server, &platform, users, callers, plan.load).await?;
        report.load(Section::Verify, "server", load)?;
        compare(report, load, bare)?;
    }
    floor.stop().await?;
    server.stop().await
}

/// Has users verify, once each, for so long or until all have.
pub(crate) async fn verify(
    server: &RunningServer,
    platform: &Platform,
    users: Vec<User>,
    callers: usize,
    span: Duration,
) -> anyhow::Result<(Vec<User>, Load)> {
    let queue = Queue::of(users);
    let clients = platform.challenge_clients(callers).await?;
    let callers = clients.map(|client| Verifying { client, queue: Arc::clone(&queue) });
    let load = server.process.drive(callers.collect(), span).await?;
    Ok((queue.everybody(), load))
}

fn compare(report: &mut Report, server: Load, floor: Load) -> anyhow::Result<()> {
    let callers = server.callers;
    let ratio = |what: &str, value| {
        let what = format!("verify / floor, {what} at {callers} callers");
        Figure::new(Section::Verify, what, value, Unit::Times)
    };
    let goal = |figure: Figure, goal| {
        if callers == GOALS_AT { figure.with_goal(goal) } else { figure }
    };
    let throughput = ratio("requests/s", server.per_second / floor.per_second);
    report.figure(goal(throughput, Goal::AtLeast(0.4)))?;
    let tail = ratio("p99", f64::from(server.p99_us) / f64::from(floor.p99_us));
    report.figure(goal(tail, Goal::AtMost(5.0)))?;
    if let (Some(server), Some(floor)) = (server.server_cpu_us, floor.server_cpu_us) {
        report.figure(ratio("server CPU", server / floor))?;
        let what = format!("server CPU of a verification at {callers} callers");
        let figure = Figure::new(Section::Verify, what, server, Unit::Microseconds);
        report.figure(goal(figure, Goal::AtMost(40.0)))?;
    }
    Ok(())
}

struct Verifying {
    client: ChallengeServiceClient<Service>,
    queue: Arc<Queue>,
}

impl Caller for Verifying {
    async fn ask(&mut self) -> anyhow::Result<ControlFlow<()>> {
        let Some(mut user) = self.queue.next() else { return Ok(ControlFlow::Break(())) };
        let request = VerifyChallengeRequest {
            request_id: format!("verify-{}", user.challenge_id),
            user_id: user.id.clone(),
            challenge_id: user.challenge_id.clone(),
            authenticator_id: user.authenticator_id.clone(),
            code: user.next_code(),
            with_assertion: false,
            source: None,
        };
        let answer = self.client.verify_challenge(request).await?.into_inner();
        anyhow::ensure!(
            answer.outcome() == VerificationOutcome::Verified,
            "a right code was not accepted"
        );
        self.queue.served(user);
        Ok(ControlFlow::Continue(()))
    }
}
