//! A whole story of one user with what goes wrong on the way, wherever it is told.

use std::sync::Arc;

use countersign_core::Timestamp;
use countersign_proto::{
    admin::CreateTenantRequest,
    challenge::{Challenge, CreateChallengeRequest, ReleaseThrottleRequest, Source},
    enrollment::{
        ConfirmationOutcome, CreateSelfServiceTokenRequest, EraseUserRequest,
        IssueTemporaryAccessPassRequest, ListAuthenticatorsRequest, RenameAuthenticatorRequest,
        StartEnrollmentRequest, TotpAlgorithm, TotpParameters,
        start_enrollment_request::Parameters,
    },
    policy::{EvaluateSignInRequest, SignInContext},
};
use countersign_service::SystemClock;
use countersign_tests::{Caller, Phone, Tenant, load::widen};
use tonic::transport::Channel;

use crate::list::{
    ACCOUNT_NAME, ADDRESS, DEVICE, DISPLAY_NAME, KNOWN, List, OTHER_NAME, RESOURCE, SOURCE, USER,
    USER_AGENT, WRONG_CODES,
};

/// A tenant in which the story is told.
pub(crate) async fn tenant(operator: &Caller, channel: Channel, list: &mut List) -> Tenant {
    let known = CreateTenantRequest {
        tenant_id: "known".to_owned(),
        display_name: KNOWN.to_owned(),
        ..Default::default()
    };
    operator.admin().create_tenant(known).await.unwrap();
    let tenant = Tenant::create(operator, channel, "acme", Arc::new(SystemClock)).await;
    for caller in [operator, &tenant.platform, &tenant.admin, &tenant.auditor] {
        list.add_caller(caller);
    }
    widen(&tenant).await;
    tenant
}

/// Tells it to its end but for the erasure; returns the id of one of its requests.
pub(crate) async fn tell(tenant: &Tenant, list: &mut List) -> String {
    let phones = enrol(tenant, list).await;
    let correlation = sign_in(tenant).await;
    prove(tenant, &phones[0], list).await;
    recover(tenant, list).await;
    serve_oneself(tenant, list).await;
    guess(tenant, &phones[0], list).await;
    correlation
}

/// Ends it.
pub(crate) async fn erase(tenant: &Tenant, list: &mut List) {
    let request = EraseUserRequest {
        user_id: USER.to_owned(),
        reason: "asked to".to_owned(),
        ..Default::default()
    };
    tenant.admin.enrollment().erase_user(request).await.unwrap();
    list.told(&tenant.try_challenge(USER).await.unwrap_err());
}

fn step(now: Timestamp, steps: i64) -> Timestamp {
    Timestamp::from_unix_seconds(now.unix_seconds() + 30 * steps)
}

async fn enrol(tenant: &Tenant, list: &mut List) -> Vec<Phone> {
    let now = tenant.now();
    let mut phones = Vec::new();
    for algorithm in [TotpAlgorithm::Sha1, TotpAlgorithm::Sha256] {
        let phone = start(tenant, algorithm, list).await;
        let refused = tenant.confirm(USER, &phone, WRONG_CODES[0]).await.unwrap();
        assert_eq!(refused.outcome(), ConfirmationOutcome::Refused);
        let confirmed = tenant.confirm(USER, &phone, &phone.code(step(now, -5))).await.unwrap();
        assert_eq!(confirmed.outcome(), ConfirmationOutcome::Confirmed);
        list.add_codes(&phone, now);
        phones.push(phone);
    }
    phones
}

/// Begins to enrol an authenticator, and notes all that must stay between the user and us.
async fn start(tenant: &Tenant, algorithm: TotpAlgorithm, list: &mut List) -> Phone {
    let parameters =
        TotpParameters { algorithm: algorithm.into(), digits: 8, ..Default::default() };
    let request = StartEnrollmentRequest {
        request_id: format!("start-{algorithm:?}"),
        user_id: USER.to_owned(),
        kind: "totp".to_owned(),
        display_name: DISPLAY_NAME.to_owned(),
        account_name: ACCOUNT_NAME.to_owned(),
        parameters: Some(Parameters::Totp(parameters)),
    };
    let (totp, phone) = tenant.start(request).await;
    list.add("a key URI", &totp.key_uri);
    list.add("a QR code", totp.qr_text.lines().nth(4).unwrap());
    list.add_seed(&totp.secret_base32);
    phone
}

async fn sign_in(tenant: &Tenant) -> String {
    let sign_in = EvaluateSignInRequest {
        user_id: USER.to_owned(),
        application_id: "vpn".to_owned(),
        context: Some(SignInContext {
            ip_address: ADDRESS.to_owned(),
            user_agent: USER_AGENT.to_owned(),
            device_id: DEVICE.to_owned(),
            resource: RESOURCE.to_owned(),
        }),
        ..Default::default()
    };
    let evaluated = tenant.platform.policy().evaluate_sign_in(sign_in).await.unwrap();
    let correlation = evaluated.metadata().get("countersign-correlation-id").unwrap();
    correlation.to_str().unwrap().to_owned()
}

/// Opens a challenge from where she is.
async fn challenge(tenant: &Tenant) -> Challenge {
    let request = CreateChallengeRequest {
        user_id: USER.to_owned(),
        application_id: "vpn".to_owned(),
        source: Some(Source { client_address: SOURCE.to_owned() }),
        ..Default::default()
    };
    let created = tenant.platform.challenge().create_challenge(request).await.unwrap();
    created.into_inner().challenge.unwrap()
}

async fn prove(tenant: &Tenant, phone: &Phone, list: &mut List) {
    let now = tenant.now();
    for code in [phone.code(step(now, -4)), phone.code(step(now, -3))] {
        let challenge = challenge(tenant).await;
        tenant.refused(USER, &challenge, WRONG_CODES[1]).await;
        let proved = tenant.verified(USER, &challenge, &code).await;
        list.add_token("an assertion", &proved.assertion);
        // Closed, and the code is spent.
        list.told(&tenant.verify(USER, &challenge, &code).await.unwrap_err());
        tenant.refused(USER, &tenant.challenge(USER).await, &code).await;
    }
}

async fn recover(tenant: &Tenant, list: &mut List) {
    let recovery = tenant.issue_codes(USER).await;
    for code in &recovery {
        list.add_grouped("a recovery code", code);
    }
    let request =
        IssueTemporaryAccessPassRequest { user_id: USER.to_owned(), ..Default::default() };
    let issued = tenant.admin.enrollment().issue_temporary_access_pass(request).await.unwrap();
    let pass = issued.into_inner().code;
    list.add_grouped("an access pass", &pass);
    for code in [&pass, &recovery[0]] {
        let challenge = challenge(tenant).await;
        tenant.verified(USER, &challenge, code).await;
    }
    let challenge = tenant.challenge(USER).await;
    tenant.refused(USER, &challenge, &recovery[0]).await;
}

/// She looks after her authenticators herself.
async fn serve_oneself(tenant: &Tenant, list: &mut List) {
    let request = CreateSelfServiceTokenRequest { user_id: USER.to_owned(), ..Default::default() };
    let made = tenant.platform.enrollment().create_self_service_token(request).await.unwrap();
    let token = made.into_inner().token;
    list.add("a self-service token", &token);
    list.add("the tag of a self-service token", token.rsplit_once('.').unwrap().1);
    let herself = tenant.platform.with_key(&token);
    let request = ListAuthenticatorsRequest { user_id: USER.to_owned(), ..Default::default() };
    let listed = herself.enrollment().list_authenticators(request).await.unwrap().into_inner();
    let rename = |user: &str| RenameAuthenticatorRequest {
        user_id: user.to_owned(),
        authenticator_id: listed.authenticators[0].authenticator_id.clone(),
        display_name: OTHER_NAME.to_owned(),
        ..Default::default()
    };
    herself.enrollment().rename_authenticator(rename(USER)).await.unwrap();
    let of_another = "barnaby.inkwhistle@example.org";
    list.add("another user", of_another);
    let refused = herself.enrollment().rename_authenticator(rename(of_another)).await;
    list.told(&refused.unwrap_err());
    let forged = tenant.platform.with_key(&format!("{token}x"));
    let refused = forged.enrollment().rename_authenticator(rename(USER)).await;
    list.told(&refused.unwrap_err());
}

/// Somebody guesses until there is a pause, which an administrator ends.
async fn guess(tenant: &Tenant, phone: &Phone, list: &mut List) {
    loop {
        let challenge = match tenant.try_challenge(USER).await {
            Ok(challenge) => challenge,
            Err(status) => return list.told(&status),
        };
        if let Err(status) = tenant.verify(USER, &challenge, WRONG_CODES[2]).await {
            list.told(&status);
            break;
        }
    }
    let request = ReleaseThrottleRequest {
        user_id: USER.to_owned(),
        authenticator_id: phone.authenticator_id.clone(),
        ..Default::default()
    };
    tenant.admin.challenge().release_throttle(request).await.unwrap();
}
