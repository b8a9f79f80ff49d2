//! What a user does with a pass.

use countersign_proto::{
    challenge::{VerificationOutcome, VerifyChallengeRequest},
    common::AuthenticatorStatus,
    event::{AttemptFailed, AttemptFailure},
    policy::{EvaluateSignInRequest, SignInDecision as Decision},
};
use countersign_tests::{House, Tenant, reason};
use tokio::task::JoinSet;

use super::{KIND, answer, asked, help_desk, is_verified, issue, pass, reusable};

async fn decision(tenant: &Tenant, user: &str) -> (Decision, usize) {
    let request = EvaluateSignInRequest { user_id: user.to_owned(), ..Default::default() };
    let evaluated = tenant.platform.policy().evaluate_sign_in(request).await.unwrap().into_inner();
    (evaluated.decision(), evaluated.usable_authenticators.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_who_lost_everything_signs_in_once_with_what_the_help_desk_told_them() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    assert_eq!(decision(&tenant, "ann").await, (Decision::Enroll, 0));
    let code = issue(&desk, asked("ann")).await;
    // With a pass the password alone does not lead to enrolment any more.
    assert_eq!(decision(&tenant, "ann").await, (Decision::Challenge, 1));

    let opened = tenant.challenge("ann").await;
    let verified = tenant.verified("ann", &opened, &code).await;
    let proof = verified.proof.unwrap();
    assert_eq!((proof.kind.as_str(), proof.amr.as_slice()), (KIND, &["otp".to_owned()][..]));
    assert_eq!(proof.acr, "urn:countersign:acr:aal1", "it is worth one factor");
    assert_eq!((verified.recovery_codes_remaining, verified.recovery_codes_low), (None, false));

    // Used up: it is offered no more, and nothing else is there.
    assert_eq!(pass(&tenant, "ann").await.status(), AuthenticatorStatus::Ended);
    assert_eq!(decision(&tenant, "ann").await, (Decision::Enroll, 0));
    let refused = tenant.try_challenge("ann").await.unwrap_err();
    assert_eq!(reason(&refused), "NO_USABLE_AUTHENTICATOR");
    let phone = tenant.enrol("ann").await;
    house.clock.advance(super::MINUTE);
    assert!(is_verified(&tenant, "ann", &phone.code(tenant.now())).await);
    assert!(!is_verified(&tenant, "ann", &code).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_use_is_refused_and_on_record() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    let code = issue(&desk, asked("ann")).await;
    // Both opened while the pass could answer.
    let (first, second) = (tenant.challenge("ann").await, tenant.challenge("ann").await);
    tenant.verified("ann", &first, &code).await;
    assert_eq!(tenant.refused("ann", &second, &code).await, 4);
    let failed: Vec<AttemptFailed> = tenant.events("ann", "AttemptFailed").await;
    let reasons: Vec<_> = failed.iter().map(AttemptFailed::reason).collect();
    assert_eq!(reasons, [AttemptFailure::Replayed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_for_several_uses_is_right_until_it_ends() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    let code = issue(&desk, reusable("ann")).await;
    for _ in 0..4 {
        assert!(is_verified(&tenant, "ann", &code).await);
        house.clock.advance(super::MINUTE * 14);
    }
    assert_eq!(pass(&tenant, "ann").await.status(), AuthenticatorStatus::Active);
    let opened = tenant.challenge("ann").await;
    house.clock.advance(super::MINUTE * 4);
    assert_eq!(pass(&tenant, "ann").await.status(), AuthenticatorStatus::Ended);
    // The challenge is still open, the pass is not.
    tenant.refused("ann", &opened, &code).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_sixteen_uses_at_once_exactly_one_succeeds() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    let code = issue(&desk, asked("ann")).await;
    // Each challenge takes five attempts, so that none is used up before all sixteen were judged.
    let mut challenges = Vec::new();
    for _ in 0..4 {
        challenges.push(tenant.challenge("ann").await);
    }
    let mut answers = JoinSet::new();
    for challenge in challenges.iter().cycle().take(16) {
        let caller = tenant.platform.over(house.connect().await);
        let request = VerifyChallengeRequest {
            user_id: "ann".to_owned(),
            challenge_id: challenge.challenge_id.clone(),
            code: code.clone(),
            ..Default::default()
        };
        answers.spawn(async move { caller.challenge().verify_challenge(request).await });
    }
    let (mut verified, mut refused) = (0, 0);
    for answer in answers.join_all().await {
        match answer {
            Ok(answer) => match answer.get_ref().outcome() {
                VerificationOutcome::Verified => verified += 1,
                VerificationOutcome::Refused => refused += 1,
                VerificationOutcome::Unspecified => panic!("an answer says how it ended"),
            },
            // The challenge of the one that succeeded, and the pause that follows so many failures.
            Err(status) => {
                refused += 1;
                assert!(["CHALLENGE_CLOSED", "THROTTLED"].contains(&&*reason(&status)), "{status}");
            }
        }
    }
    assert_eq!((verified, refused), (1, 15));
    assert_eq!(tenant.count("ann", "ChallengeVerified").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_read_as_people_type_it_and_a_wrong_one_is_refused() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    let code = issue(&desk, reusable("ann")).await;
    let typed = code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
    assert!(is_verified(&tenant, "ann", &typed).await);
    assert!(!is_verified(&tenant, "ann", "0000-0000-0000").await);
    assert!(!is_verified(&tenant, "ann", "123456").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_stands_beside_a_phone_and_is_found_by_the_form_of_its_code() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let desk = help_desk(&house, &tenant).await;
    let phone = tenant.enrol("ann").await;
    let code = issue(&desk, asked("ann")).await;
    house.clock.advance(super::MINUTE);
    let challenge = tenant.challenge("ann").await;
    let kinds: Vec<_> =
        challenge.allowed_authenticators.iter().map(|one| one.kind.as_str()).collect();
    assert_eq!(kinds, ["totp", KIND], "the pass comes last");
    let proof = answer(&tenant, "ann", &code).await.proof.unwrap();
    assert_eq!(proof.kind, KIND);
    let code = phone.code(tenant.now());
    let proof = answer(&tenant, "ann", &code).await.proof.unwrap();
    assert_eq!((proof.kind.as_str(), proof.acr.as_str()), ("totp", "urn:countersign:acr:aal2"));
}
