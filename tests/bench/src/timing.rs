//! What the time of a refusal tells: whether somebody with a clock can tell an unknown user or authenticator from a wrong code.

use std::{
    hint::spin_loop,
    time::{Duration, Instant},
};

use countersign_proto::challenge::{
    VerificationOutcome, VerifyChallengeRequest, challenge_service_client::ChallengeServiceClient,
};

use crate::{
    args::{Plan, Section},
    client::Service,
    platform::Platform,
    report::{Figure, Goal, Report, Unit},
    server::RunningServer,
    users::{self, User},
};

/// Wrong codes for each user: fewer than earn a pause.
const WRONG_CODES: usize = 4;

/// Beyond this, a test of two means counts as having found a difference (Reparaz, Balasch and Verbauwhede, "Dude, is my
/// code constant time?", 2017).
const FOUND: f64 = 4.5;

/// Before a request lies a pause of chance up to this. The server's timers tick by the millisecond: who asks right after the last
/// answer always meets the same part of a tick, and what comes before a way would look like the way itself.
const LONGEST_PAUSE: Duration = Duration::from_millis(2);

/// The same chance in every run.
const SEED: u64 = 7;

/// An id that nobody has.
const NOBODYS: &str = "0198c000-0000-7000-8000-000000000000";

/// Ways to be refused. The first is what the others are compared with.
const WAYS: [Way; 4] =
    [Way::WrongCode, Way::UnknownUser, Way::UnknownChallenge, Way::UnknownAuthenticator];

#[derive(Clone, Copy, Debug)]
enum Way {
    WrongCode,
    UnknownUser,
    UnknownChallenge,
    UnknownAuthenticator,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Self::WrongCode => "a wrong code",
            Self::UnknownUser => "an unknown user",
            Self::UnknownChallenge => "an unknown challenge",
            Self::UnknownAuthenticator => "an unknown authenticator",
        }
    }

    /// Makes a request that is refused in this way; `number` keeps unknown users from being known from before.
    fn request(self, user: &User, number: usize) -> VerifyChallengeRequest {
        let usual = VerifyChallengeRequest {
            user_id: user.id.clone(),
            challenge_id: user.challenge_id.clone(),
            authenticator_id: user.authenticator_id.clone(),
            code: "000000".to_owned(),
            ..Default::default()
        };
        match self {
            Self::WrongCode => usual,
            Self::UnknownUser => {
                VerifyChallengeRequest { user_id: format!("nobod-{number:08}"), ..usual }
            }
            Self::UnknownChallenge => {
                VerifyChallengeRequest { challenge_id: NOBODYS.to_owned(), ..usual }
            }
            Self::UnknownAuthenticator => {
                VerifyChallengeRequest { authenticator_id: NOBODYS.to_owned(), ..usual }
            }
        }
    }
}

/// Has one caller be refused in every way, so that all ways see the same weather, each time in another order and after another
/// pause, so that none has a place of its own in it.
pub(crate) async fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    report.section(
        Section::Timing,
        "How long a refusal takes, one caller, the ways shuffled. The noise is the interquartile range of a wrong code.",
    )?;
    let directory = plan.directory()?;
    let server = RunningServer::start(plan, directory.path()).await?;
    let platform = Platform::set_up(&server).await?;
    let (users, _) = users::enroll(&server, &platform, plan.timed_users).await?;
    let (users, _) = users::challenge(&server, &platform, users, 0).await?;
    let client = platform.challenge_clients(1).await?.next();
    let mut client = client.ok_or_else(|| anyhow::anyhow!("there is no client"))?;
    let mut taken: [Vec<f64>; WAYS.len()] = Default::default();
    let mut chance = fastrand::Rng::with_seed(SEED);
    for (number, user) in users.iter().cycle().take(users.len() * WRONG_CODES).enumerate() {
        let mut ways: Vec<_> = WAYS.iter().zip(&mut taken).collect();
        chance.shuffle(&mut ways);
        for (way, taken) in ways {
            pause(LONGEST_PAUSE.mul_f64(chance.f64()));
            taken.push(refused(&mut client, way.request(user, number)).await?);
        }
    }
    server.stop().await?;
    tell(report, &taken)
}

/// Waits more exactly than a timer does.
fn pause(length: Duration) {
    let began = Instant::now();
    while began.elapsed() < length {
        spin_loop();
    }
}

/// Asks, and returns how long it took in microseconds.
async fn refused(
    client: &mut ChallengeServiceClient<Service>,
    request: VerifyChallengeRequest,
) -> anyhow::Result<f64> {
    let began = Instant::now();
    let answer = client.verify_challenge(request).await;
    let took = began.elapsed();
    let is_accepted =
        answer.is_ok_and(|answer| answer.get_ref().outcome() == VerificationOutcome::Verified);
    anyhow::ensure!(!is_accepted, "a wrong answer was accepted");
    Ok(took.as_secs_f64() * 1e6)
}

fn tell(report: &mut Report, taken: &[Vec<f64>; WAYS.len()]) -> anyhow::Result<()> {
    let [usual, others @ ..] = taken;
    let known = Spread::of(usual);
    let figure = |what: String, value, unit| Figure::new(Section::Timing, what, value, unit);
    let median =
        figure(format!("{}, median", Way::WrongCode.name()), known.median, Unit::Microseconds);
    report.figure(median)?;
    report.figure(figure("the noise".to_owned(), known.range, Unit::Microseconds))?;
    for (way, other) in WAYS.iter().skip(1).zip(others) {
        let spread = Spread::of(other);
        let name = way.name();
        let apart = (spread.median - known.median).abs() / known.range.max(1.0);
        let what = format!("{name}, difference of medians / noise");
        report.figure(figure(what, apart, Unit::Times).with_goal(Goal::AtMost(1.0)))?;
        let t = yuen(usual, other).abs();
        let what = format!("{name}, Yuen's t");
        report.figure(figure(what, t, Unit::Count).with_goal(Goal::AtMost(FOUND)))?;
    }
    Ok(())
}

/// Where the middle of a sample is, and how wide.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Spread {
    median: f64,
    /// From the first quartile to the third.
    range: f64,
}

impl Spread {
    fn of(sample: &[f64]) -> Self {
        let sorted = sorted(sample);
        let at = |share: usize| sorted.get(sorted.len() * share / 4).copied().unwrap_or_default();
        Self { median: at(2), range: at(3) - at(1) }
    }
}

fn sorted(sample: &[f64]) -> Vec<f64> {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Yuen's t of two samples: Welch's t of the means without the lowest and highest quarters, with the variances of the samples
/// in which those quarters are drawn in to the quartiles (Yuen, "The two-sample trimmed t for unequal population variances",
/// 1974). What the machine does now and then is not what a request does.
fn yuen(a: &[f64], b: &[f64]) -> f64 {
    let ((mean_a, error_a), (mean_b, error_b)) = (trimmed(a), trimmed(b));
    (mean_b - mean_a) / (error_a + error_b).sqrt().max(f64::MIN_POSITIVE)
}

/// Returns the mean of the middle half, and the square of its standard error.
#[expect(clippy::cast_precision_loss, reason = "samples are far smaller than 2^52")]
fn trimmed(sample: &[f64]) -> (f64, f64) {
    let sorted = sorted(sample);
    let quarter = sorted.len() / 4;
    let middle: Vec<_> =
        sorted.iter().copied().skip(quarter).take(sorted.len() - 2 * quarter).collect();
    let (all, kept) = (sorted.len() as f64, middle.len() as f64);
    let mean = middle.iter().sum::<f64>() / kept;
    let (low, high) = (middle.first().copied(), middle.last().copied());
    let (low, high) = (low.unwrap_or_default(), high.unwrap_or_default());
    let drawn_in: Vec<_> = sorted.iter().map(|x| x.clamp(low, high)).collect();
    let centre = drawn_in.iter().sum::<f64>() / all;
    let squares = drawn_in.iter().map(|x| (x - centre).powi(2)).sum::<f64>();
    (mean, squares / (kept * (kept - 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(from: u32) -> Vec<f64> {
        (0..400).map(|n| f64::from(from + (n * 7_919) % 100)).collect()
    }

    #[test]
    fn alike_samples_are_not_told_apart_and_others_are() {
        assert!(yuen(&sample(0), &sample(0)).abs() < FOUND);
        assert!(yuen(&sample(0), &sample(20)) > FOUND);
        assert!(yuen(&sample(20), &sample(0)) < -FOUND);
    }

    #[test]
    fn a_spread_is_told_by_its_quartiles() {
        assert_eq!(Spread::of(&sample(100)), Spread { median: 150.0, range: 50.0 });
        assert_eq!(Spread::of(&[]), Spread { median: 0.0, range: 0.0 });
    }
}
