//! A request that is repeated is told what the first was told, and changes nothing; also after a restart.

use std::time::Duration;

use countersign_proto::{
    admin::{
        CreateApiKeyRequest, CreateApplicationRequest, CreateTenantRequest, FactorSettings,
        RevokeApiKeyRequest, Role, SetFactorSettingsRequest, SetMfaRequirementRequest,
    },
    challenge::{
        CancelChallengeRequest, CreateChallengeRequest, CreateChallengeResponse,
        ReleaseThrottleRequest, VerifyChallengeRequest, VerifyChallengeResponse,
    },
    common::MfaRequirement,
    enrollment::{
        ConfirmEnrollmentRequest, IssueRecoveryCodesRequest, ReinstateAuthenticatorRequest,
        RemoveAuthenticatorRequest, RenameAuthenticatorRequest, SetDefaultAuthenticatorRequest,
        StartEnrollmentRequest, StartEnrollmentResponse, SuspendAuthenticatorRequest,
        start_enrollment_response::Provisioning,
    },
    policy::EvaluateSignInRequest,
};
use countersign_tests::{Caller, House, Phone, Tenant, reason};
use prost::Message;

const NOBODY: &str = "00000000-0000-4000-8000-000000000000";

/// A house that is started again in the middle of every step.
struct Repeating {
    house: Option<House>,
    tenant: Tenant,
}

impl Repeating {
    async fn start() -> Self {
        let house = House::start().await;
        let tenant = house.tenant("acme").await;
        Self { tenant, house: Some(house) }
    }

    fn house(&self) -> &House {
        self.house.as_ref().unwrap()
    }

    fn operator(&self) -> Caller {
        self.house().operator()
    }

    async fn restart(&mut self) {
        let house = self.house.take().unwrap().restart().await;
        self.tenant = self.tenant.over(&house.channel());
        self.house = Some(house);
    }

    /// Makes a request, repeats it, starts the house again and repeats it once more; makes sure that the answers are
    /// equal and that only the first one appended anything. `other` has the same id and other content.
    async fn step<M: Message>(
        &mut self,
        path: &str,
        caller: impl Fn(&Self) -> Caller,
        message: M,
        other: Option<M>,
    ) -> Vec<u8> {
        let before = self.operator().requested_events().await;
        let first = answer(path, &caller(self), &message).await;
        let after = self.operator().requested_events().await;
        assert!(after > before, "{path} is a mutation");
        assert_eq!(shown(path, &answer(path, &caller(self), &message).await), shown(path, &first));
        self.restart().await;
        assert_eq!(shown(path, &answer(path, &caller(self), &message).await), shown(path, &first));
        if let Some(other) = other {
            let reused = caller(self).call(path, &other).await.unwrap_err();
            assert_eq!(reason(&reused), "REQUEST_ID_REUSED", "{path}");
        }
        assert_eq!(self.operator().requested_events().await, after, "{path}");
        first
    }

    /// Makes a request whose answer holds a secret that is shown once: its repeats say so, and append nothing.
    async fn step_shown_once<M: Message>(
        &mut self,
        path: &str,
        message: M,
        other: Option<M>,
        refusal: &str,
    ) {
        let admin = |repeating: &Self| repeating.tenant.admin.clone();
        answer(path, &admin(self), &message).await;
        let after = self.operator().requested_events().await;
        let again = admin(self).call(path, &message).await.unwrap_err();
        assert_eq!(reason(&again), refusal);
        self.restart().await;
        let again = admin(self).call(path, &message).await.unwrap_err();
        assert_eq!(reason(&again), refusal);
        if let Some(other) = other {
            let reused = admin(self).call(path, &other).await.unwrap_err();
            assert_eq!(reason(&reused), "REQUEST_ID_REUSED", "{path}");
        }
        assert_eq!(self.operator().requested_events().await, after, "{path}");
    }
}

async fn answer(path: &str, caller: &Caller, message: &impl Message) -> Vec<u8> {
    let answered = caller.call(path, message).await;
    let messages = answered.unwrap_or_else(|status| panic!("{path}: {status}"));
    let [message] = messages.try_into().unwrap();
    message
}

/// Leaves out the signature of an assertion: ECDSA draws a fresh one each time, over the same claims.
fn shown(path: &str, answer: &[u8]) -> Vec<u8> {
    if !path.ends_with("/VerifyChallenge") {
        return answer.to_vec();
    }
    let mut verified = VerifyChallengeResponse::decode(answer).unwrap();
    if let Some((signed, _)) = verified.assertion.rsplit_once('.') {
        verified.assertion = signed.to_owned();
    }
    verified.encode_to_vec()
}

const ENROLLMENT: &str = "/countersign.enrollment.v1.EnrollmentService/";
const CHALLENGE: &str = "/countersign.challenge.v1.ChallengeService/";
const POLICY: &str = "/countersign.policy.v1.PolicyService/";
const ADMIN: &str = "/countersign.admin.v1.AdminService/";

fn platform(repeating: &Repeating) -> Caller {
    repeating.tenant.platform.clone()
}

fn admin(repeating: &Repeating) -> Caller {
    repeating.tenant.admin.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_enrolments_are_told_what_the_first_were() {
    let mut house = Repeating::start().await;
    let start = StartEnrollmentRequest {
        request_id: "start".to_owned(),
        user_id: "ann".to_owned(),
        kind: "totp".to_owned(),
        ..Default::default()
    };
    let other = StartEnrollmentRequest { display_name: "phone".to_owned(), ..start.clone() };
    let path = format!("{ENROLLMENT}StartEnrollment");
    let started = house.step(&path, platform, start, Some(other)).await;
    let started = StartEnrollmentResponse::decode(&*started).unwrap();
    let Some(Provisioning::Totp(totp)) = started.provisioning else { panic!("no key URI") };
    let phone = Phone::scan(&started.authenticator.unwrap().authenticator_id, &totp.key_uri);

    let confirm = |request_id: &str, code: String| ConfirmEnrollmentRequest {
        request_id: request_id.to_owned(),
        user_id: "ann".to_owned(),
        authenticator_id: phone.authenticator_id.clone(),
        code,
    };
    let now = house.tenant.now();
    let (right, wrong) = (phone.code(now), phone.wrong_code(now));
    let path = format!("{ENROLLMENT}ConfirmEnrollment");
    let (refused, other) = (confirm("c1", wrong.clone()), confirm("c1", right.clone()));
    house.step(&path, platform, refused, Some(other)).await;
    house.step(&path, platform, confirm("c2", right), Some(confirm("c2", wrong))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_changes_to_an_authenticator_are_told_what_the_first_were() {
    let mut house = Repeating::start().await;
    house.tenant.enrol("ann").await;
    let phone = house.tenant.enrol("ann").await;
    let (user_id, authenticator_id) = ("ann".to_owned(), phone.authenticator_id);
    let request_id = "r".to_owned();
    let reason = "lost".to_owned();

    let first = RenameAuthenticatorRequest {
        request_id: request_id.clone(),
        user_id: user_id.clone(),
        authenticator_id: authenticator_id.clone(),
        display_name: "phone".to_owned(),
    };
    let other = RenameAuthenticatorRequest { display_name: "tablet".to_owned(), ..first.clone() };
    house.step(&format!("{ENROLLMENT}RenameAuthenticator"), platform, first, Some(other)).await;

    let first = SetDefaultAuthenticatorRequest {
        request_id: request_id.clone(),
        user_id: user_id.clone(),
        authenticator_id: authenticator_id.clone(),
    };
    let other =
        SetDefaultAuthenticatorRequest { authenticator_id: NOBODY.to_owned(), ..first.clone() };
    let path = format!("{ENROLLMENT}SetDefaultAuthenticator");
    house.step(&path, platform, first, Some(other)).await;

    let first = SuspendAuthenticatorRequest {
        request_id: request_id.clone(),
        user_id: user_id.clone(),
        authenticator_id: authenticator_id.clone(),
        reason: reason.clone(),
    };
    let other = SuspendAuthenticatorRequest { reason: "found".to_owned(), ..first.clone() };
    house.step(&format!("{ENROLLMENT}SuspendAuthenticator"), admin, first, Some(other)).await;

    let first = ReinstateAuthenticatorRequest {
        request_id: request_id.clone(),
        user_id: user_id.clone(),
        authenticator_id: authenticator_id.clone(),
    };
    let other =
        ReinstateAuthenticatorRequest { authenticator_id: NOBODY.to_owned(), ..first.clone() };
    house.step(&format!("{ENROLLMENT}ReinstateAuthenticator"), admin, first, Some(other)).await;

    let first = RemoveAuthenticatorRequest { request_id, user_id, authenticator_id, reason };
    let other = RemoveAuthenticatorRequest { reason: "found".to_owned(), ..first.clone() };
    house.step(&format!("{ENROLLMENT}RemoveAuthenticator"), platform, first, Some(other)).await;

    let issue = IssueRecoveryCodesRequest { request_id: "r".to_owned(), user_id: "ann".to_owned() };
    let path = format!("{ENROLLMENT}IssueRecoveryCodes");
    house.step_shown_once(&path, issue, None, "CODES_ALREADY_SHOWN").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_challenges_and_answers_are_told_what_the_first_were() {
    let mut house = Repeating::start().await;
    let phone = house.tenant.enrol("ann").await;
    house.house().clock.advance(Duration::from_secs(30));
    let evaluate = EvaluateSignInRequest {
        request_id: "r".to_owned(),
        user_id: "ann".to_owned(),
        application_id: "vpn".to_owned(),
        context: None,
    };
    let other = EvaluateSignInRequest { application_id: String::new(), ..evaluate.clone() };
    house.step(&format!("{POLICY}EvaluateSignIn"), platform, evaluate, Some(other)).await;

    let create = CreateChallengeRequest {
        request_id: "r".to_owned(),
        user_id: "ann".to_owned(),
        application_id: "vpn".to_owned(),
        ..Default::default()
    };
    let other = CreateChallengeRequest { application_id: String::new(), ..create.clone() };
    let path = format!("{CHALLENGE}CreateChallenge");
    let created = house.step(&path, platform, create, Some(other)).await;
    let challenge = CreateChallengeResponse::decode(&*created).unwrap().challenge.unwrap();

    let verify = |request_id: &str, code: String| VerifyChallengeRequest {
        request_id: request_id.to_owned(),
        user_id: "ann".to_owned(),
        challenge_id: challenge.challenge_id.clone(),
        code,
        with_assertion: true,
        ..Default::default()
    };
    let now = house.tenant.now();
    let (right, wrong) = (phone.code(now), phone.wrong_code(now));
    let path = format!("{CHALLENGE}VerifyChallenge");
    let (refused, other) = (verify("v1", wrong.clone()), verify("v1", right.clone()));
    house.step(&path, platform, refused, Some(other)).await;

    let release = ReleaseThrottleRequest {
        request_id: "r".to_owned(),
        user_id: "ann".to_owned(),
        authenticator_id: phone.authenticator_id.clone(),
    };
    let other = ReleaseThrottleRequest { authenticator_id: NOBODY.to_owned(), ..release.clone() };
    house.step(&format!("{CHALLENGE}ReleaseThrottle"), admin, release, Some(other)).await;

    let (verified, other) = (verify("v2", right.clone()), verify("v2", wrong));
    house.step(&path, platform, verified.clone(), Some(other)).await;
    // However late: the statement is of the proof that was given, not of the repeat.
    house.house().clock.advance(Duration::from_secs(600));
    let late = answer(&path, &platform(&house), &verified).await;
    let late = VerifyChallengeResponse::decode(&*late).unwrap();
    assert_eq!(late.proof.unwrap().auth_time.unwrap().seconds, now.unix_seconds());

    let challenge = house.tenant.challenge("ann").await;
    let cancel = CancelChallengeRequest {
        request_id: "r".to_owned(),
        user_id: "ann".to_owned(),
        challenge_id: challenge.challenge_id,
    };
    let other = CancelChallengeRequest { challenge_id: NOBODY.to_owned(), ..cancel.clone() };
    house.step(&format!("{CHALLENGE}CancelChallenge"), platform, cancel, Some(other)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn repeated_settings_are_told_what_the_first_were() {
    let mut house = Repeating::start().await;
    let request_id = "r".to_owned();
    let first = CreateTenantRequest {
        request_id: request_id.clone(),
        tenant_id: "globex".to_owned(),
        display_name: "Globex".to_owned(),
    };
    let other = CreateTenantRequest { display_name: "Other".to_owned(), ..first.clone() };
    house.step(&format!("{ADMIN}CreateTenant"), Repeating::operator, first, Some(other)).await;

    let first = CreateApplicationRequest {
        request_id: request_id.clone(),
        application_id: "wiki".to_owned(),
        display_name: "Wiki".to_owned(),
        mfa_requirement: MfaRequirement::Never.into(),
    };
    let other = CreateApplicationRequest { display_name: "Other".to_owned(), ..first.clone() };
    house.step(&format!("{ADMIN}CreateApplication"), admin, first, Some(other)).await;

    let first = SetMfaRequirementRequest {
        request_id: request_id.clone(),
        application_id: "wiki".to_owned(),
        mfa_requirement: MfaRequirement::Always.into(),
    };
    let other = SetMfaRequirementRequest { application_id: "vpn".to_owned(), ..first.clone() };
    house.step(&format!("{ADMIN}SetMfaRequirement"), admin, first, Some(other)).await;

    let settings = FactorSettings { kind: "totp".to_owned(), disabled: true, ..Default::default() };
    let first =
        SetFactorSettingsRequest { request_id: request_id.clone(), settings: Some(settings) };
    let settings = FactorSettings { kind: "totp".to_owned(), ..Default::default() };
    let other = SetFactorSettingsRequest { settings: Some(settings), ..first.clone() };
    house.step(&format!("{ADMIN}SetFactorSettings"), admin, first, Some(other)).await;

    let create = CreateApiKeyRequest {
        request_id: request_id.clone(),
        display_name: "vpn".to_owned(),
        roles: vec![Role::Verifier.into()],
        ..Default::default()
    };
    let key = CreateApiKeyRequest { request_id: String::new(), ..create.clone() };
    let key = house.tenant.admin.admin().create_api_key(key).await.unwrap().into_inner();
    let other = CreateApiKeyRequest { roles: vec![Role::Auditor.into()], ..create.clone() };
    let path = format!("{ADMIN}CreateApiKey");
    house.step_shown_once(&path, create, Some(other), "KEY_ALREADY_SHOWN").await;

    let first = RevokeApiKeyRequest { request_id, key_id: key.api_key.unwrap().key_id };
    let other = RevokeApiKeyRequest { key_id: "other".to_owned(), ..first.clone() };
    house.step(&format!("{ADMIN}RevokeApiKey"), admin, first, Some(other)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_told_what_the_first_was_although_it_would_be_refused_by_now() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    tenant.enrol("ann").await;
    let start = StartEnrollmentRequest {
        request_id: "start".to_owned(),
        user_id: "ann".to_owned(),
        kind: "totp".to_owned(),
        ..Default::default()
    };
    let create = CreateChallengeRequest {
        request_id: "create".to_owned(),
        user_id: "ann".to_owned(),
        ..Default::default()
    };
    let issue =
        IssueRecoveryCodesRequest { request_id: "issue".to_owned(), user_id: "ann".to_owned() };
    let (start_path, create_path) =
        (format!("{ENROLLMENT}StartEnrollment"), format!("{CHALLENGE}CreateChallenge"));
    let started = answer(&start_path, &tenant.platform, &start).await;
    let created = answer(&create_path, &tenant.platform, &create).await;
    tenant.platform.enrollment().issue_recovery_codes(issue.clone()).await.unwrap();
    for kind in ["totp", "recovery_code"] {
        let kind = kind.to_owned();
        tenant.set_factor(FactorSettings { kind, disabled: true, ..Default::default() }).await;
    }
    assert_eq!(answer(&start_path, &tenant.platform, &start).await, started);
    assert_eq!(answer(&create_path, &tenant.platform, &create).await, created);
    let again = tenant.platform.enrollment().issue_recovery_codes(issue).await.unwrap_err();
    assert_eq!(reason(&again), "CODES_ALREADY_SHOWN");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_shows_the_secret_only_while_the_enrolment_is_pending() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let start = StartEnrollmentRequest {
        request_id: "start".to_owned(),
        user_id: "ann".to_owned(),
        kind: "totp".to_owned(),
        ..Default::default()
    };
    let shown = async || {
        let response = tenant.platform.enrollment().start_enrollment(start.clone()).await;
        response.unwrap().into_inner().provisioning
    };
    let (totp, phone) = tenant.start(start.clone()).await;
    assert_eq!(shown().await, Some(Provisioning::Totp(totp)));
    tenant.confirm("ann", &phone, &phone.code(house.now())).await.unwrap();
    assert_eq!(shown().await, None);
    let remove = RemoveAuthenticatorRequest {
        user_id: "ann".to_owned(),
        authenticator_id: phone.authenticator_id.clone(),
        ..Default::default()
    };
    tenant.platform.enrollment().remove_authenticator(remove).await.unwrap();
    assert_eq!(shown().await, None);
}
