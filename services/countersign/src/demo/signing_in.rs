//! Alice signs in; then somebody tries what should not work.

use countersign_proto::{
    challenge::{
        Challenge, CreateChallengeRequest, Source, VerificationOutcome, VerifyChallengeRequest,
        VerifyChallengeResponse,
    },
    policy::{EvaluateSignInRequest, SignInContext, SignInDecision},
};

use super::{
    Setting, Story,
    phone::Phone,
    setting::{APPLICATION, USER},
    story::broken_promise,
};
use crate::cli::{Failure, fresh_request_id, now, words::word};

/// Where Alice is; reserved for examples (RFC 5737).
const CLIENT_ADDRESS: &str = "203.0.113.7";

/// Asks whether more proof is needed, gives it, and shows that neither its code nor a wrong one opens another door.
pub(super) async fn sign_in(
    setting: &Setting,
    phone: &mut Phone,
    story: &mut Story<'_>,
) -> Result<(), Failure> {
    story.chapter("Alice signs in")?;
    let sign_in_id = evaluate(setting, story).await?;
    let challenge = create_challenge(setting, sign_in_id.clone(), story).await?;
    let code = phone.next_code(now());
    let proof = verify(setting, &challenge, &code, story).await?;
    expect(&proof, VerificationOutcome::Verified, "the right code verifies")?;
    say_proof(&code, &proof, story)?;

    story.chapter("The same code again")?;
    let challenge = create_challenge(setting, sign_in_id, story).await?;
    let answer = verify(setting, &challenge, &code, story).await?;
    expect(&answer, VerificationOutcome::Refused, "a code is accepted once")?;
    story.refusal(format_args!("code {code}: refused, {} attempts left", answer.attempts_left))?;

    story.chapter("A wrong code")?;
    let wrong = phone.wrong_code(now());
    let answer = verify(setting, &challenge, &wrong, story).await?;
    expect(&answer, VerificationOutcome::Refused, "a wrong code is refused")?;
    story.refusal(format_args!("code {wrong}: refused, {} attempts left", answer.attempts_left))?;
    story.outcome("both look the same from outside; the log knows which was which")
}

async fn evaluate(setting: &Setting, story: &mut Story<'_>) -> Result<String, Failure> {
    story.call("PolicyService.EvaluateSignIn", "the password was right: is that enough?")?;
    let request = EvaluateSignInRequest {
        request_id: fresh_request_id(),
        user_id: USER.to_owned(),
        application_id: APPLICATION.to_owned(),
        context: Some(SignInContext {
            ip_address: CLIENT_ADDRESS.to_owned(),
            user_agent: "countersign-demo".to_owned(),
            ..Default::default()
        }),
    };
    let response = setting.platform.policy().evaluate_sign_in(request).await;
    let answer = response.map_err(Failure::refused("evaluating the sign-in"))?.into_inner();
    let decision = word(answer.decision().as_str_name(), "SIGN_IN_DECISION_");
    story.outcome(format_args!("{decision}: {}", answer.required_acr))?;
    for rule in answer.trace.iter().filter(|rule| rule.matched) {
        story.outcome(format_args!("because of {}: {}", rule.rule, rule.explanation))?;
    }
    match answer.decision() {
        SignInDecision::Challenge => Ok(answer.sign_in_id),
        SignInDecision::Unspecified
        | SignInDecision::Sufficient
        | SignInDecision::Enroll
        | SignInDecision::Denied => Err(broken_promise("a new tenant challenges every sign-in")),
    }
}

/// Says where answers come from: failures from elsewhere do not keep Alice out.
fn source() -> Source {
    Source { client_address: CLIENT_ADDRESS.to_owned() }
}

/// Opens a challenge for a sign-in.
pub(super) async fn create_challenge(
    setting: &Setting,
    sign_in_id: String,
    story: &mut Story<'_>,
) -> Result<Challenge, Failure> {
    story.call("ChallengeService.CreateChallenge", "a question, open for a while")?;
    let request = CreateChallengeRequest {
        request_id: fresh_request_id(),
        user_id: USER.to_owned(),
        application_id: APPLICATION.to_owned(),
        authenticator_id: String::new(),
        sign_in_id,
        source: Some(source()),
    };
    let response = setting.platform.challenge().create_challenge(request).await;
    let created = response.map_err(Failure::refused("opening the challenge"))?.into_inner();
    let challenge = created.challenge.unwrap_or_default();
    story.outcome(format_args!(
        "challenge {}, {} attempts",
        challenge.challenge_id, challenge.attempts_left
    ))?;
    Ok(challenge)
}

/// Answers a challenge.
pub(super) async fn verify(
    setting: &Setting,
    challenge: &Challenge,
    code: &str,
    story: &mut Story<'_>,
) -> Result<VerifyChallengeResponse, Failure> {
    story.call(
        "ChallengeService.VerifyChallenge",
        "one append decides, on any number of replicas",
    )?;
    let request = VerifyChallengeRequest {
        request_id: fresh_request_id(),
        user_id: USER.to_owned(),
        challenge_id: challenge.challenge_id.clone(),
        // Which authenticator is found by the code's form.
        authenticator_id: String::new(),
        code: code.to_owned(),
        with_assertion: true,
        source: Some(source()),
    };
    let response = setting.platform.challenge().verify_challenge(request).await;
    Ok(response.map_err(Failure::refused("verifying the code"))?.into_inner())
}

/// Fails the demo if an answer did not end as it must.
pub(super) fn expect(
    answer: &VerifyChallengeResponse,
    outcome: VerificationOutcome,
    promise: &str,
) -> Result<(), Failure> {
    if answer.outcome() == outcome { Ok(()) } else { Err(broken_promise(promise)) }
}

/// Says what a verification proves.
pub(super) fn say_proof(
    code: &str,
    answer: &VerifyChallengeResponse,
    story: &mut Story<'_>,
) -> Result<(), Failure> {
    let proof = answer.proof.clone().unwrap_or_default();
    story.outcome(format_args!("code {code}: verified"))?;
    story.outcome(format_args!("acr {}, amr {}", proof.acr, proof.amr.join(" ")))?;
    if !answer.assertion.is_empty() {
        story.outcome("with a signed assertion that others can check (JWS)")?;
    }
    Ok(())
}
