//! Outsiders who guess from elsewhere (docs/adr/0012-guess-budgets.md).

use std::time::Duration;

use countersign_proto::{
    challenge::{
        Challenge, CreateChallengeRequest, ReleaseThrottleRequest, Source, VerificationOutcome,
        VerifyChallengeRequest, VerifyChallengeResponse,
    },
    common::ThrottleScope,
    event::{AttemptFailed, ChallengeVerified},
};
use countersign_tests::{House, Phone, Tenant, Told, reason, retry_after};
use tokio::task::JoinSet;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::enrolled;

/// Where the user is known to sign in.
const KNOWN: &str = "198.51.100.7";

fn source(address: &str) -> Option<Source> {
    Some(Source { client_address: address.to_owned() })
}

/// Answers a challenge of one's own from `address`.
async fn answer_from(
    tenant: &Tenant,
    user: &str,
    address: &str,
    code: &str,
) -> Result<VerifyChallengeResponse, Status> {
    let challenge = tenant.challenge(user).await;
    answer_with(tenant, user, &challenge, source(address), code).await
}

async fn challenge_from(tenant: &Tenant, address: &str) -> Challenge {
    let create = CreateChallengeRequest {
        user_id: "ann".to_owned(),
        source: source(address),
        ..Default::default()
    };
    let created = tenant.platform.challenge().create_challenge(create).await.unwrap();
    created.into_inner().challenge.unwrap()
}

async fn answer_with(
    tenant: &Tenant,
    user: &str,
    challenge: &Challenge,
    source: Option<Source>,
    code: &str,
) -> Result<VerifyChallengeResponse, Status> {
    let request = VerifyChallengeRequest {
        user_id: user.to_owned(),
        challenge_id: challenge.challenge_id.clone(),
        code: code.to_owned(),
        source,
        ..Default::default()
    };
    tenant.platform.challenge().verify_challenge(request).await.map(tonic::Response::into_inner)
}

async fn verified_from(tenant: &Tenant, phone: &Phone, address: &str) {
    let answer = answer_from(tenant, "ann", address, &phone.code(tenant.now())).await.unwrap();
    assert_eq!(answer.outcome(), VerificationOutcome::Verified, "{address}");
}

/// Guesses once from `address`; returns why that was not looked at, if it was not.
async fn guess_from(tenant: &Tenant, phone: &Phone, address: &str) -> Result<(), Status> {
    let wrong = phone.wrong_code(tenant.now());
    let answer = answer_from(tenant, "ann", address, &wrong).await?;
    assert_eq!(answer.outcome(), VerificationOutcome::Refused);
    Ok(())
}

/// Guesses once from each of 50 addresses; returns how many guesses were looked at.
async fn guess_from_fifty(tenant: &Tenant, phone: &Phone) -> usize {
    let mut looked_at = 0;
    for n in 0..50 {
        let address =
            if n % 2 == 0 { format!("203.0.113.{n}") } else { format!("2001:db8:0:{n:x}::1") };
        match guess_from(tenant, phone, &address).await {
            Ok(()) => looked_at += 1,
            Err(status) => assert_eq!(reason(&status), "THROTTLED"),
        }
    }
    looked_at
}

/// Enrols `ann` and lets her sign in once from where she is known.
async fn known(house: &House) -> (Tenant, Phone) {
    let (tenant, phone) = enrolled(house).await;
    verified_from(&tenant, &phone, KNOWN).await;
    house.clock.advance(Duration::from_secs(30));
    (tenant, phone)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outsider_with_fifty_addresses_is_paced_and_does_not_keep_the_user_out() {
    let house = House::start().await;
    let (tenant, phone) = known(&house).await;
    assert_eq!(guess_from_fifty(&tenant, &phone).await, 20);
    let throttles = tenant.throttles("ann").await;
    let [throttle] = throttles.as_slice() else { panic!("one throttle, not {throttles:?}") };
    assert_eq!(throttle.scope(), ThrottleScope::NewSources);
    assert_eq!(throttle.consecutive_failures, 20);

    // From where she is known she signs in at once, again after a restart, and that gives the outsider nothing.
    verified_from(&tenant, &phone, KNOWN).await;
    let house = house.restart().await;
    let tenant = tenant.over(&house.channel());
    assert_eq!(guess_from_fifty(&tenant, &phone).await, 0);

    // From elsewhere she waits as whoever else comes from there; a right code is told what a wrong one is.
    house.clock.advance(Duration::from_secs(29));
    let elsewhere = "192.0.2.9";
    let wrong = guess_from(&tenant, &phone, elsewhere).await.unwrap_err();
    let right = phone.code(tenant.now());
    let right = answer_from(&tenant, "ann", elsewhere, &right).await.unwrap_err();
    assert_eq!(Told::by(&right), Told::by(&wrong));
    assert_eq!(retry_after(&right), Some(Duration::from_secs(1)));
    house.clock.advance(Duration::from_secs(1));
    verified_from(&tenant, &phone, elsewhere).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_answers_while_an_outsider_guesses_from_many_addresses_at_once_is_let_in() {
    let house = House::start().await;
    let (tenant, phone) = known(&house).await;
    let mut outsiders = JoinSet::new();
    // The last challenges are the user's: an outsider's own do not push them out.
    let mut challenges = Vec::new();
    for _ in 0..4 {
        challenges.push(tenant.challenge("ann").await);
    }
    let own = tenant.challenge("ann").await;
    for n in 0..100 {
        let (tenant, phone) = (tenant.clone(), phone.clone());
        let challenge = challenges[n % challenges.len()].clone();
        outsiders.spawn(async move {
            let wrong = phone.wrong_code(tenant.now());
            let from = source(&format!("203.0.113.{n}"));
            answer_with(&tenant, "ann", &challenge, from, &wrong).await
        });
    }
    let right = phone.code(tenant.now());
    let answer = answer_with(&tenant, "ann", &own, source(KNOWN), &right).await.unwrap();
    assert_eq!(answer.outcome(), VerificationOutcome::Verified);
    let answers = outsiders.join_all().await;
    let looked_at = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(looked_at, 20, "five for each challenge, and as many as strangers have together");
    assert_eq!(tenant.count("ann", "AttemptFailed").await, 20);
    assert_eq!(tenant.count("ann", "ChallengeVerified").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn challenges_that_an_outsider_opens_do_not_push_out_the_users() {
    let house = House::start().await;
    let (tenant, phone) = known(&house).await;
    let own = challenge_from(&tenant, KNOWN).await;
    for n in 0..20 {
        challenge_from(&tenant, &format!("203.0.113.{n}")).await;
    }
    let answer = tenant.verify("ann", &own, &phone.code(tenant.now())).await.unwrap();
    assert_eq!(answer.outcome(), VerificationOutcome::Verified);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_strangers_do_not_slow_each_other_down_at_once() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    for _ in 0..5 {
        guess_from(&tenant, &phone, "203.0.113.1").await.unwrap();
    }
    let paused = guess_from(&tenant, &phone, "203.0.113.1").await.unwrap_err();
    assert_eq!(retry_after(&paused), Some(Duration::from_secs(30)));
    assert_eq!(tenant.throttles("ann").await[0].scope(), ThrottleScope::FailedSources);
    verified_from(&tenant, &phone, "203.0.113.2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addresses_of_an_ipv6_network_are_one_source() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    for n in 1..=5 {
        guess_from(&tenant, &phone, &format!("2001:db8:1:2::{n}")).await.unwrap();
    }
    let again = guess_from(&tenant, &phone, "2001:db8:1:2:ffff::1").await.unwrap_err();
    assert_eq!(reason(&again), "THROTTLED");
    guess_from(&tenant, &phone, "2001:db8:1:3::1").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_names_no_source_comes_from_where_the_challenge_was_created() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let challenge = challenge_from(&tenant, KNOWN).await;
    let wrong = phone.wrong_code(tenant.now());
    for from in [None, source(""), source(KNOWN), source("203.0.113.1")] {
        answer_with(&tenant, "ann", &challenge, from, &wrong).await.unwrap();
    }
    let failed: Vec<AttemptFailed> = tenant.events("ann", "AttemptFailed").await;
    let counts: Vec<_> = failed.iter().map(|event| event.source_failures).collect();
    assert_eq!(counts, [Some(1), Some(2), Some(3), Some(1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_opens_the_door_to_strangers_again() {
    let house = House::start().await;
    let (tenant, phone) = known(&house).await;
    guess_from_fifty(&tenant, &phone).await;
    let release = ReleaseThrottleRequest {
        user_id: "ann".to_owned(),
        authenticator_id: phone.authenticator_id.clone(),
        ..Default::default()
    };
    tenant.admin.challenge().release_throttle(release).await.unwrap();
    assert_eq!(tenant.throttles("ann").await, []);
    verified_from(&tenant, &phone, "192.0.2.9").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_sources_apart_and_no_address() {
    let house = House::start().await;
    let (tenant, ann) = enrolled(&house).await;
    let bob = tenant.enrol("bob").await;
    house.clock.advance(Duration::from_secs(30));
    verified_from(&tenant, &ann, KNOWN).await;
    for address in [KNOWN, "203.0.113.1"] {
        guess_from(&tenant, &ann, address).await.unwrap();
    }
    answer_from(&tenant, "bob", KNOWN, &bob.wrong_code(tenant.now())).await.unwrap();
    let verified: Vec<ChallengeVerified> = tenant.events("ann", "ChallengeVerified").await;
    let of_ann: Vec<AttemptFailed> = tenant.events("ann", "AttemptFailed").await;
    let of_bob: Vec<AttemptFailed> = tenant.events("bob", "AttemptFailed").await;
    assert!(verified[0].source.is_some());
    assert_eq!(of_ann[0].source, verified[0].source);
    assert_ne!(of_ann[1].source, verified[0].source);
    assert_ne!(of_bob[0].source, of_ann[0].source, "an address does not tell who lives together");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_address_is_refused_and_not_repeated() {
    let house = House::start().await;
    let (tenant, phone) = enrolled(&house).await;
    let status = guess_from(&tenant, &phone, "203.0.113.1:443").await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "FIELD_INVALID"));
    let details = status.get_details_bad_request().unwrap();
    assert_eq!(details.field_violations[0].field, "source.client_address");
    assert!(!status.message().contains("203"), "{}", status.message());
}
