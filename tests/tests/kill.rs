//! A server that is killed under load, again and again: what was acknowledged stays, what was accepted once is not
//! accepted again, and whoever got no answer repeats the request and gets one.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed test says so by panicking"
)]

use std::{
    collections::{HashMap, HashSet},
    fmt, fs,
    path::Path,
    sync::Arc,
};

use countersign_core::Rng as _;
use countersign_proto::{
    challenge::{
        ChallengeStatus, CreateChallengeRequest, CreateChallengeResponse, GetChallengeRequest,
        VerificationOutcome, VerifyChallengeRequest, VerifyChallengeResponse,
    },
    common::AuthenticatorStatus,
    enrollment::{ConfirmationOutcome, ListAuthenticatorsRequest, StartEnrollmentResponse},
    event::challenge_verified::Consumed,
};
use countersign_service::OsRandom;
use countersign_testkit::SeededRandom;
use countersign_tests::{
    Process, Tenant,
    load::{Enrolled, Load, Lost, Noted, Verified, verifications, widen},
    process::{doctor, serve},
};
use tokio::task::JoinSet;

const ROUNDS: usize = 20;
const PLATFORMS: usize = 8;

/// When servers are killed: drawn from a seed, which a failed test prints, and which can be given again.
struct Fate {
    seed: u64,
    random: SeededRandom,
}

impl Fate {
    fn draw() -> Self {
        let mut drawn = [0; 8];
        OsRandom.fill(&mut drawn);
        let given = std::env::var_os("COUNTERSIGN_TEST_SEED");
        let given = given.map(|seed| seed.to_str().unwrap().parse().unwrap());
        let seed = given.unwrap_or_else(|| u64::from_le_bytes(drawn));
        Self { seed, random: SeededRandom::new(seed) }
    }

    /// Returns a number below `end`.
    fn below(&self, end: u64) -> u64 {
        let mut drawn = [0; 8];
        self.random.fill(&mut drawn);
        u64::from_le_bytes(drawn) % end
    }
}

impl Drop for Fate {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("again with COUNTERSIGN_TEST_SEED={}", self.seed);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9_and_what_was_accepted_is_not_accepted_again() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let fate = Fate::draw();
    let mut process = Process::start(&data_dir).await;
    let mut tenant = process.tenant("acme").await;
    widen(&tenant).await;
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let load = Load::begin(&process, &tenant, &format!("user-{round}"), PLATFORMS).await;
        let moment = 20 + fate.below(400);
        // Now just after an answer, now while a request is on its way.
        if fate.below(2) == 0 {
            load.until(|progress| progress.answered >= moment).await;
        } else {
            load.until(|progress| progress.sent >= moment).await;
        }
        let ended = process.kill().await;
        assert!(ended.status.code().is_none(), "it ended by itself: {}", ended.log);
        let noted = load.end().await;
        if fate.below(3) == 0 {
            kill_while_it_opens(&data_dir, &fate).await;
        }
        process = Process::start(&data_dir).await;
        tenant = tenant.over(&process.connect().await);
        acknowledged.extend(settle(&tenant, noted).await);
    }
    assert_log_holds_once(&tenant, &acknowledged).await;
    let ended = process.stop().await;
    assert!(ended.status.success(), "{}", ended.log);
    let found = doctor(&data_dir).await;
    assert_eq!(found.lines().count(), 4, "{found}");
    assert!(found.lines().all(|line| line.trim_start().starts_with("sound")), "{found}");
}

/// Starts a server and kills it while it reads what the one before left.
async fn kill_while_it_opens(data_dir: &Path, fate: &Fate) {
    let lock = data_dir.join("LOCK");
    let mut opening = serve(data_dir).spawn().unwrap();
    let holder = format!("{}\n", opening.id().unwrap());
    while fs::read_to_string(&lock).unwrap() != holder {
        assert_eq!(opening.try_wait().unwrap(), None, "it ended before it had the directory");
        tokio::task::yield_now().await;
    }
    for _ in 0..fate.below(2_000) {
        fs::read_to_string(&lock).unwrap();
    }
    opening.kill().await.unwrap();
}

/// Checks all that the platforms of one round were told, and returns every verification that there must be.
async fn settle(tenant: &Tenant, noted: Noted) -> Vec<Verified> {
    let Noted { enrolled, verified, lost } = noted;
    assert!(!lost.is_empty(), "no request was under way");
    let last: HashMap<_, _> = verified
        .iter()
        .map(|verified| (verified.request.user_id.clone(), verified.clone()))
        .collect();
    let mut checks = JoinSet::new();
    for one in verified.clone() {
        checks.spawn(assert_verified(tenant.clone(), one));
    }
    let settled = lost.into_iter().map(|lost| repeat(tenant, lost));
    let mut found = verified;
    for settled in settled.collect::<Vec<_>>() {
        found.extend(settled.await);
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap();
    }
    for one in enrolled {
        let last = last.get(&one.user).cloned();
        checks.spawn(assert_enrolled(tenant.clone(), one, last));
    }
    while let Some(checked) = checks.join_next().await {
        checked.unwrap();
    }
    found
}

/// An acknowledged verification is there, and a repeat is told the same.
async fn assert_verified(tenant: Tenant, Verified { request, response }: Verified) {
    let again = verify(&tenant, request.clone()).await;
    assert_eq!(again.proof, response.proof);
    assert_eq!(again.outcome(), VerificationOutcome::Verified);
    let asked = GetChallengeRequest {
        user_id: request.user_id.clone(),
        challenge_id: request.challenge_id.clone(),
    };
    let got = tenant.platform.challenge().get_challenge(asked).await.unwrap();
    let challenge = got.into_inner().challenge.unwrap();
    assert_eq!(challenge.status(), ChallengeStatus::Verified);
    assert_eq!(challenge.proof, response.proof);
}

/// An acknowledged enrolment is there, its last accepted code is not accepted again, and a fresh one is.
async fn assert_enrolled(
    tenant: Tenant,
    Enrolled { user, phone, fresh }: Enrolled,
    last: Option<Verified>,
) {
    let request = ListAuthenticatorsRequest { user_id: user.clone(), ..Default::default() };
    let listed = tenant.platform.enrollment().list_authenticators(request).await.unwrap();
    let listed = listed.into_inner().authenticators;
    assert_eq!(listed.len(), 1, "user {user}");
    assert_eq!(listed[0].authenticator_id, phone.authenticator_id);
    assert_eq!(listed[0].status(), AuthenticatorStatus::Active);
    let challenge = tenant.challenge(&user).await;
    if let Some(last) = last {
        let spent = tenant.verify(&user, &challenge, &last.request.code).await.unwrap();
        assert_eq!(spent.outcome(), VerificationOutcome::Refused, "twice: {last:?}");
    }
    let proved = tenant.verify(&user, &challenge, &phone.code(fresh)).await.unwrap();
    assert_eq!(proved.outcome(), VerificationOutcome::Verified, "user {user}");
}

/// Repeats a request whose answer was lost, twice: both answers are the same, and it was carried out once. Returns the
/// verification, if it was one.
async fn repeat(tenant: &Tenant, lost: Lost) -> Option<Verified> {
    let (mut enrollment, mut challenge) =
        (tenant.platform.enrollment(), tenant.platform.challenge());
    match lost {
        Lost::Start(request) => {
            let first = enrollment.start_enrollment(request.clone()).await.unwrap().into_inner();
            let second = enrollment.start_enrollment(request).await.unwrap().into_inner();
            let told = |response: StartEnrollmentResponse| {
                (response.provisioning, response.authenticator.unwrap().authenticator_id)
            };
            assert_same(&told(first), &told(second));
            None
        }
        Lost::Confirm(request) => {
            let first = enrollment.confirm_enrollment(request.clone()).await.unwrap().into_inner();
            assert_eq!(first.outcome(), ConfirmationOutcome::Confirmed);
            let second = enrollment.confirm_enrollment(request).await.unwrap().into_inner();
            assert_same(&first, &second);
            None
        }
        Lost::Challenge(request) => {
            let first = open(tenant, request.clone()).await;
            let second = challenge.create_challenge(request).await.unwrap().into_inner();
            assert_same(&first, &second);
            None
        }
        Lost::Verify(request) => {
            let first = verify(tenant, request.clone()).await;
            assert_eq!(first.outcome(), VerificationOutcome::Verified, "{request:?}");
            assert_same(&first.proof, &verify(tenant, request.clone()).await.proof);
            Some(Verified { request, response: first })
        }
    }
}

fn assert_same<T: PartialEq + fmt::Debug>(first: &T, second: &T) {
    assert_eq!(first, second, "two answers to one request");
}

async fn open(tenant: &Tenant, request: CreateChallengeRequest) -> CreateChallengeResponse {
    tenant.platform.challenge().create_challenge(request).await.unwrap().into_inner()
}

async fn verify(tenant: &Tenant, request: VerifyChallengeRequest) -> VerifyChallengeResponse {
    tenant.platform.challenge().verify_challenge(request).await.unwrap().into_inner()
}

/// Every verification is in the log once, and no code was accepted for two of them, whether anybody was told or not.
async fn assert_log_holds_once(tenant: &Tenant, acknowledged: &[Verified]) {
    let stored = verifications(tenant).await;
    let mut challenges = HashSet::new();
    let mut spent = HashSet::new();
    for verified in stored {
        let Some(Consumed::MovingFactor(step)) = verified.consumed else {
            panic!("a TOTP code uses up a step: {verified:?}")
        };
        let authenticator = Arc::<str>::from(&*verified.authenticator_id);
        assert!(spent.insert((authenticator, step)), "accepted twice: {verified:?}");
        assert!(challenges.insert(verified.challenge_id), "verified twice");
    }
    for Verified { request, .. } in acknowledged {
        assert!(challenges.contains(&request.challenge_id), "lost: {request:?}");
    }
}
