//! Wires are cut, or swallow what they are given: whoever asks is told of the outage within their deadline, and once the
//! wire is mended everything goes on, without a restart.
//!
//! The wires are proxies between real processes. A wire that is *cut* closes its connections and refuses new ones, as when
//! the other side was killed; one that is *stalled* takes everything, passes nothing on and closes nothing, as a network
//! does that drops what it is given. That is what a process can see of a network, so that network namespaces and the
//! rights to make them are not needed.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use countersign::serve::ServiceName;
use countersign_core::Timestamp;
use countersign_proto::{
    challenge::{
        CreateChallengeRequest, GetChallengeRequest, VerificationOutcome, VerifyChallengeRequest,
    },
    enrollment::{ListAuthenticatorsRequest, StartEnrollmentRequest},
};
use countersign_testkit::{CuttableProxy, KurrentDb, NatsServer};
use countersign_tests::{
    Phone, Tenant, Wire,
    aftermath::{assert_log_holds_once, settle},
    cluster::{Cluster, Ground, Layout},
    load::{Load, verifications},
    reason, retry_after,
};
use tokio::{
    task::JoinSet,
    time::{sleep, timeout},
};
use tonic::{Code, Request, Status};

use crate::{
    deliveries::{assert_sent, messages},
    insisting, lazily, tenant,
};

/// What callers allow for an answer: less than the servers' own limit of 10 s.
const DEADLINE: Duration = Duration::from_secs(8);

/// How long it may take until everything works again.
const RECOVERY: Duration = Duration::from_secs(20);

/// Callers who ask at once.
const CROWD: usize = 200;

/// What happens to a wire.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Stall,
    Cut,
}

impl Fault {
    const ALL: [Self; 2] = [Self::Stall, Self::Cut];

    async fn befall(self, wire: &mut CuttableProxy) {
        match self {
            Self::Stall => wire.stall(),
            Self::Cut => wire.cut().await,
        }
    }
}

fn in_time<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

/// Waits for an answer that must come in time, and must be good or say that what it stands on is away.
async fn answer<T>(
    call: impl Future<Output = Result<tonic::Response<T>, Status>>,
) -> Result<T, String> {
    let began = Instant::now();
    let answer = call.await;
    assert!(began.elapsed() < DEADLINE, "{:?}", began.elapsed());
    let status = match answer {
        Ok(response) => return Ok(response.into_inner()),
        Err(status) => status,
    };
    assert_eq!(status.code(), Code::Unavailable, "after {:?}: {status:?}", began.elapsed());
    assert!(retry_after(&status).is_some(), "{status:?}");
    Err(reason(&status))
}

/// A user who is asked for a code while the log is away.
#[derive(Clone, Debug)]
struct Asked {
    user: String,
    challenge_id: String,
    code: String,
}

impl Asked {
    /// Verifies, under a request id that belongs to the challenge.
    async fn verify(&self, tenant: &Tenant) -> Result<VerificationOutcome, String> {
        let request = VerifyChallengeRequest {
            request_id: format!("verify-{}", self.challenge_id),
            user_id: self.user.clone(),
            challenge_id: self.challenge_id.clone(),
            code: self.code.clone(),
            ..Default::default()
        };
        let mut challenge = tenant.platform.challenge();
        let verified = answer(challenge.verify_challenge(in_time(request))).await?;
        Ok(verified.outcome())
    }

    /// Makes one call or another, and returns why it came to nothing.
    async fn refused(self, tenant: Tenant, number: usize) -> String {
        let mut challenge = tenant.platform.challenge();
        let Self { user, challenge_id, .. } = self.clone();
        let refused = match number % 3 {
            0 => self.verify(&tenant).await.err(),
            1 => {
                let request = CreateChallengeRequest {
                    user_id: user,
                    application_id: "vpn".to_owned(),
                    ..Default::default()
                };
                answer(challenge.create_challenge(in_time(request))).await.err()
            }
            _ => {
                let request = GetChallengeRequest { user_id: user, challenge_id };
                answer(challenge.get_challenge(in_time(request))).await.err()
            }
        };
        refused.expect("the log is away")
    }
}

/// Hands out codes that are not spent yet.
struct Codes {
    phone: Phone,
    next: Timestamp,
}

impl Codes {
    fn next(&mut self) -> String {
        self.next = Timestamp::from_unix_seconds(self.next.unix_seconds() + 30);
        self.phone.code(self.next)
    }
}

/// Cuts the challenge replicas off from what keeps the log.
async fn an_outage_is_told_in_time_and_ends(ground: Ground, wire: Wire) {
    let layout = Layout::of(1).with(ServiceName::Challenge, 2).cuttable([wire]);
    let mut cluster = Cluster::start(ground, layout).await;
    let tenant = tenant(&cluster).await;
    let replicas = [0, 1].map(|n| tenant.over(&lazily(cluster.address(ServiceName::Challenge, n))));
    let mut codes = Codes { phone: tenant.enrol("ann").await, next: tenant.now() };
    for fault in Fault::ALL {
        let asked = Asked {
            user: "ann".to_owned(),
            challenge_id: tenant.challenge("ann").await.challenge_id,
            code: codes.next(),
        };
        fault.befall(cluster.wire(wire)).await;
        // One after another, as the first ones after an outage are; then many at once, half of them for one user.
        for (number, replica) in (0..3).flat_map(|n| replicas.iter().map(move |one| (n, one))) {
            assert_tells_of_the_log(&asked.clone().refused(replica.clone(), number).await);
        }
        let mut crowd = JoinSet::new();
        for (number, replica) in (0..CROWD).zip(replicas.iter().cycle()) {
            let mut asked = asked.clone();
            if number % 4 < 2 {
                asked.user = format!("user-{number}");
            }
            crowd.spawn(asked.refused(replica.clone(), number));
        }
        for reason in crowd.join_all().await {
            assert_tells_of_the_log(&reason);
        }
        // Nobody else is affected.
        tenant.enrol(&format!("bob-{fault:?}")).await;
        cluster.wire(wire).mend();
        let mended = Instant::now();
        for replica in &replicas {
            // What was not answered is answered under its request id.
            assert_eq!(insist(|| asked.verify(replica)).await, VerificationOutcome::Verified);
            assert!(mended.elapsed() < RECOVERY);
            let asked = Asked {
                user: "ann".to_owned(),
                challenge_id: insist(|| open(replica, "ann")).await,
                code: codes.next(),
            };
            assert_eq!(insist(|| asked.verify(replica)).await, VerificationOutcome::Verified);
        }
    }
    assert_eq!(verifications(&tenant).await.len(), 3 * Fault::ALL.len());
    cluster.stop_all().await;
}

fn assert_tells_of_the_log(reason: &str) {
    assert!(matches!(reason, "LOG_UNAVAILABLE" | "KEYS_UNAVAILABLE"), "{reason:?}");
}

async fn open(tenant: &Tenant, user: &str) -> Result<String, String> {
    let request = CreateChallengeRequest {
        user_id: user.to_owned(),
        application_id: "vpn".to_owned(),
        ..Default::default()
    };
    let mut challenge = tenant.platform.challenge();
    let created = answer(challenge.create_challenge(in_time(request))).await?;
    Ok(created.challenge.unwrap().challenge_id)
}

/// Asks again until there is a good answer.
async fn insist<T>(call: impl AsyncFn() -> Result<T, String>) -> T {
    let answered = async {
        loop {
            match call().await {
                Ok(answer) => return answer,
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    };
    timeout(RECOVERY, answered).await.expect("it works again")
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_needs_the_log_is_told_that_it_is_away_on_jetstream() {
    let ground = Ground::JetStream(NatsServer::start().await);
    an_outage_is_told_in_time_and_ends(ground, Wire::Nats(ServiceName::Challenge)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_needs_the_log_is_told_that_it_is_away_on_kurrentdb() {
    let ground = Ground::KurrentDb(KurrentDb::start().await, NatsServer::start().await);
    an_outage_is_told_in_time_and_ends(ground, Wire::KurrentDb(ServiceName::Challenge)).await;
}

async fn list(tenant: &Tenant) -> Result<usize, String> {
    let request = ListAuthenticatorsRequest { user_id: "ann".to_owned(), ..Default::default() };
    let mut enrollment = tenant.platform.enrollment();
    let listed = answer(enrollment.list_authenticators(in_time(request))).await?;
    Ok(listed.authenticators.len())
}

async fn begin(tenant: &Tenant, user: &str) -> Result<(), String> {
    let request = StartEnrollmentRequest {
        request_id: format!("begin-{user}"),
        user_id: user.to_owned(),
        kind: "totp".to_owned(),
        ..Default::default()
    };
    let mut enrollment = tenant.platform.enrollment();
    answer(enrollment.start_enrollment(in_time(request))).await.map(drop)
}

/// Asks through policy what enrolment answers, one after another and many at once, and counts what came of it.
async fn ask_through(entrance: &Tenant, name: &str) -> BTreeMap<String, usize> {
    let mut outcomes = vec![list(entrance).await.map(drop), begin(entrance, name).await];
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let (entrance, user) = (entrance.clone(), format!("{name}-{number}"));
        crowd.spawn(async move {
            if number % 4 == 0 {
                return begin(&entrance, &user).await;
            }
            list(&entrance).await.map(|count| assert_eq!(count, 1))
        });
    }
    outcomes.extend(crowd.join_all().await);
    let mut counts = BTreeMap::new();
    for outcome in outcomes {
        *counts.entry(outcome.err().unwrap_or_default()).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_passed_on_goes_around_a_cut() {
    let wires = [0, 1].map(|n| Wire::Peer(ServiceName::Policy, ServiceName::Enrollment, n));
    let layout = Layout::of(1).with(ServiceName::Enrollment, 2).cuttable(wires);
    let mut cluster = Cluster::start(Ground::JetStream(NatsServer::start().await), layout).await;
    let tenant = tenant(&cluster).await;
    tenant.enrol("ann").await;
    let entrance = tenant.over(&lazily(cluster.address(ServiceName::Policy, 0)));
    let calls = CROWD + 2;
    let all_good = BTreeMap::from([(String::new(), calls)]);
    let all_away = BTreeMap::from([("SERVICE_UNAVAILABLE".to_owned(), calls)]);
    assert_eq!(ask_through(&entrance, "calm").await, all_good);
    for fault in Fault::ALL {
        for (number, wire) in wires.into_iter().enumerate() {
            fault.befall(cluster.wire(wire)).await;
            assert_eq!(ask_through(&entrance, &format!("{fault:?}-{number}")).await, all_good);
            cluster.wire(wire).mend();
            // Both are in use again before the other one is cut.
            insist(async || list(&entrance).await).await;
        }
        for wire in wires {
            fault.befall(cluster.wire(wire)).await;
        }
        assert_eq!(ask_through(&entrance, &format!("all-{fault:?}")).await, all_away);
        for wire in wires {
            cluster.wire(wire).mend();
        }
        insist(async || list(&entrance).await).await;
        assert_eq!(ask_through(&entrance, &format!("mended-{fault:?}")).await, all_good);
    }
    cluster.stop_all().await;
}

/// Lets the platforms work on.
async fn a_while(load: &Load) {
    let moment = load.progress().answered + 60;
    load.until(|progress| progress.answered >= moment).await;
}

/// Waits until the notification process has said something so many times.
async fn notification_says(cluster: &Cluster, part: &str, times: usize) {
    let log = cluster.process(ServiceName::Notification, 0).log();
    let said = async {
        while log.so_far().matches(part).count() < times {
            sleep(Duration::from_millis(20)).await;
        }
    };
    let said = timeout(RECOVERY, said).await;
    said.unwrap_or_else(|_| panic!("{part:?} is not said {times} times:\n{}", log.so_far()));
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_while_notification_is_cut_off_and_nobody_else_notices() {
    let wire = Wire::Nats(ServiceName::Notification);
    let layout = Layout::of(1).with(ServiceName::Challenge, 2).cuttable([wire]);
    let mut cluster = Cluster::start(Ground::JetStream(NatsServer::start().await), layout).await;
    let tenant = tenant(&cluster).await;
    let load = insisting(&cluster, &tenant, "user", 4).await;
    for (before, fault) in Fault::ALL.into_iter().enumerate() {
        a_while(&load).await;
        fault.befall(cluster.wire(wire)).await;
        a_while(&load).await;
        notification_says(&cluster, "NATS went away", before + 1).await;
        cluster.wire(wire).mend();
        notification_says(&cluster, "connected to NATS", before + 2).await;
    }
    a_while(&load).await;
    let noted = load.stop().await;
    assert_eq!(noted.repeats, 0, "somebody noticed");
    let acknowledged = settle(&tenant, noted).await;
    assert_log_holds_once(verifications(&tenant).await, &acknowledged);
    assert_sent(&tenant, &[], &cluster).await;
    // From now on all is calm, and nothing is sent twice.
    let before = messages(&cluster.logs()).len();
    for number in 0..20 {
        tenant.enrol(&format!("calm-{number}")).await;
    }
    assert_sent(&tenant, &[], &cluster).await;
    let mut times = BTreeMap::<String, usize>::new();
    for delivery in messages(&cluster.logs()).into_iter().skip(before) {
        *times.entry(delivery).or_default() += 1;
    }
    assert!(times.len() >= 20 && times.values().all(|times| *times == 1), "{times:?}");
    cluster.stop_all().await;
}
