//! Binding a TOTP authenticator, and the ways in which that comes to nothing.

use std::{collections::BTreeMap, time::Duration};

use countersign_proto::{
    common::AuthenticatorStatus,
    enrollment::{
        ConfirmationOutcome, GetAuthenticatorRequest, StartEnrollmentRequest, TotpAlgorithm,
        TotpParameters, start_enrollment_request::Parameters,
    },
    event::{AbandonReason, EnrollmentAbandoned},
};
use countersign_tests::{House, Phone, Tenant, instant, reason};
use data_encoding::BASE32_NOPAD;
use tonic::Status;

fn asking(
    user: &str,
    algorithm: TotpAlgorithm,
    digits: u32,
    period: u32,
) -> StartEnrollmentRequest {
    let algorithm = algorithm.into();
    let parameters = TotpParameters { algorithm, digits, period_seconds: period };
    StartEnrollmentRequest {
        user_id: user.to_owned(),
        kind: "totp".to_owned(),
        parameters: Some(Parameters::Totp(parameters)),
        ..Default::default()
    }
}

async fn found(tenant: &Tenant, user: &str, phone: &Phone) -> Result<i32, Status> {
    let request = GetAuthenticatorRequest {
        user_id: user.to_owned(),
        authenticator_id: phone.authenticator_id.clone(),
    };
    let response = tenant.platform.enrollment().get_authenticator(request).await?;
    Ok(response.into_inner().authenticator.unwrap().status)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_choice_of_algorithm_digits_and_period_enrols_and_verifies() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let algorithms = [
        (TotpAlgorithm::Sha1, "SHA1"),
        (TotpAlgorithm::Sha256, "SHA256"),
        (TotpAlgorithm::Sha512, "SHA512"),
    ];
    for (algorithm, name) in algorithms {
        for digits in [6, 8] {
            for period in [15, 30, 60, 300] {
                let user = format!("{name}-{digits}-{period}");
                let (_, phone) = tenant.start(asking(&user, algorithm, digits, period)).await;
                let query = format!("&algorithm={name}&digits={digits}&period={period}");
                assert!(phone.key_uri.ends_with(&query), "{user}");
                let code = phone.code(tenant.now());
                assert_eq!(code.len(), digits as usize);
                let confirmed = tenant.confirm(&user, &phone, &code).await.unwrap();
                assert_eq!(confirmed.outcome(), ConfirmationOutcome::Confirmed);
                let told = BTreeMap::from([
                    ("algorithm".to_owned(), name.to_owned()),
                    ("digits".to_owned(), digits.to_string()),
                    ("period_seconds".to_owned(), period.to_string()),
                ]);
                assert_eq!(confirmed.authenticator.unwrap().parameters, told);
                house.clock.advance(Duration::from_secs(period.into()));
                let challenge = tenant.challenge(&user).await;
                tenant.verified(&user, &challenge, &phone.code(tenant.now())).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_chosen_is_what_every_app_reads() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let (started, phone) = tenant.start_enrollment("ann").await;
    assert!(phone.key_uri.ends_with("&issuer=acme&algorithm=SHA1&digits=6&period=30"));
    assert!(phone.key_uri.starts_with("otpauth://totp/acme:ann?secret="));
    let authenticator = started.authenticator.unwrap();
    assert_eq!(authenticator.status(), AuthenticatorStatus::Pending);
    assert_eq!(
        (authenticator.kind.as_str(), authenticator.display_name.as_str()),
        ("totp", "totp")
    );
    assert_eq!(authenticator.confirmed_at, None);
    assert_eq!(instant(&authenticator.created_at.unwrap()), house.now());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_provisioning_shows_one_secret_in_every_form() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    for (algorithm, bytes) in
        [(TotpAlgorithm::Sha1, 20), (TotpAlgorithm::Sha256, 32), (TotpAlgorithm::Sha512, 64)]
    {
        let request = StartEnrollmentRequest {
            account_name: "ann@example.com".to_owned(),
            display_name: "Ann's phone".to_owned(),
            ..asking("ann", algorithm, 0, 0)
        };
        let (totp, _) = tenant.start(request).await;
        let secret = BASE32_NOPAD.decode(totp.secret_base32.as_bytes()).unwrap();
        assert_eq!(secret.len(), bytes);
        let start = format!("otpauth://totp/acme:ann%40example.com?secret={}&", totp.secret_base32);
        assert!(totp.key_uri.starts_with(&start));
        // PNG specification (third edition) section 5.2.
        assert!(totp.qr_png.starts_with(b"\x89PNG\r\n\x1a\n"));
        assert!(totp.qr_svg.contains("<svg") && totp.qr_svg.trim_end().ends_with("</svg>"));
        assert!(totp.qr_text.contains('█') && totp.qr_text.lines().count() > 20);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_codes_cost_attempts_and_the_last_one_abandons_the_enrolment() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let (_, phone) = tenant.start_enrollment("ann").await;
    let wrong = phone.wrong_code(tenant.now());
    for left in (0..10).rev() {
        let refused = tenant.confirm("ann", &phone, &wrong).await.unwrap();
        assert_eq!(refused.outcome(), ConfirmationOutcome::Refused);
        assert_eq!(refused.attempts_left, left);
        assert_eq!(refused.authenticator.is_some(), left > 0, "an abandoned one is forgotten");
    }
    let late = tenant.confirm("ann", &phone, &phone.code(tenant.now())).await.unwrap_err();
    assert_eq!(reason(&late), "AUTHENTICATOR_NOT_FOUND");
    let gone = found(&tenant, "ann", &phone).await.unwrap_err();
    assert_eq!(reason(&gone), "AUTHENTICATOR_NOT_FOUND");
    let abandoned: Vec<EnrollmentAbandoned> = tenant.events("ann", "EnrollmentAbandoned").await;
    let reasons: Vec<_> = abandoned.iter().map(EnrollmentAbandoned::reason).collect();
    assert_eq!(reasons, [AbandonReason::AttemptsExhausted]);
    assert_eq!(tenant.count("ann", "EnrollmentAttemptFailed").await, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_is_confirmed_only_once() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    house.clock.advance(Duration::from_secs(30));
    let again = tenant.confirm("ann", &phone, &phone.code(tenant.now())).await.unwrap_err();
    assert_eq!(reason(&again), "ENROLLMENT_CLOSED");
    let history = tenant.history("ann").await;
    assert_eq!(history, ["EnrollmentStarted", "EnrollmentConfirmed", "DefaultAuthenticatorSet"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrolment_lapses_at_the_instant_that_was_announced() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let (started, in_time) = tenant.start_enrollment("ann").await;
    let (_, too_late) = tenant.start_enrollment("bob").await;
    let expires_at = instant(&started.expires_at.unwrap());
    assert_eq!(expires_at.since(house.now()), Duration::from_secs(15 * 60));

    house.clock.set(expires_at);
    let code = too_late.code(tenant.now());
    let lapsed = tenant.confirm("bob", &too_late, &code).await.unwrap_err();
    assert_eq!(reason(&lapsed), "ENROLLMENT_EXPIRED");

    house.clock.advance(Duration::from_secs(1));
    tenant.start_enrollment("bob").await;
    let abandoned: Vec<EnrollmentAbandoned> = tenant.events("bob", "EnrollmentAbandoned").await;
    let reasons: Vec<_> = abandoned.iter().map(EnrollmentAbandoned::reason).collect();
    assert_eq!(reasons, [AbandonReason::Expired]);

    house.clock.set(countersign_core::Timestamp::from_unix_micros(expires_at.unix_micros() - 1));
    let code = in_time.code(tenant.now());
    let confirmed = tenant.confirm("ann", &in_time, &code).await.unwrap();
    assert_eq!(confirmed.outcome(), ConfirmationOutcome::Confirmed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_enrolment_takes_the_place_of_a_pending_one() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let (_, first) = tenant.start_enrollment("ann").await;
    let (_, second) = tenant.start_enrollment("ann").await;
    let superseded = tenant.confirm("ann", &first, &first.code(tenant.now())).await.unwrap_err();
    assert_eq!(reason(&superseded), "AUTHENTICATOR_NOT_FOUND");
    let confirmed = tenant.confirm("ann", &second, &second.code(tenant.now())).await.unwrap();
    assert_eq!(confirmed.outcome(), ConfirmationOutcome::Confirmed);
    let status = found(&tenant, "ann", &second).await.unwrap();
    assert_eq!(status, i32::from(AuthenticatorStatus::Active));
    let abandoned: Vec<EnrollmentAbandoned> = tenant.events("ann", "EnrollmentAbandoned").await;
    let reasons: Vec<_> = abandoned.iter().map(EnrollmentAbandoned::reason).collect();
    assert_eq!(reasons, [AbandonReason::Superseded]);
}
