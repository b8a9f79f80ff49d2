//! Alice loses her phone and has a recovery code.

use countersign_proto::{challenge::VerificationOutcome, enrollment::IssueRecoveryCodesRequest};

use super::{
    Setting, Story,
    setting::USER,
    signing_in::{create_challenge, expect, say_proof, verify},
    story::broken_promise,
};
use crate::cli::{Failure, fresh_request_id};

/// Issues a set of recovery codes and signs in with one of them.
pub(super) async fn recover(setting: &Setting, story: &mut Story<'_>) -> Result<(), Failure> {
    story.chapter("Recovery codes, for the day the phone is gone")?;
    story
        .call("EnrollmentService.IssueRecoveryCodes", "shown once, stored as memory-hard hashes")?;
    let request =
        IssueRecoveryCodesRequest { request_id: fresh_request_id(), user_id: USER.to_owned() };
    let response = setting.platform.enrollment().issue_recovery_codes(request).await;
    let codes = response.map_err(Failure::refused("issuing recovery codes"))?.into_inner().codes;
    let Some(code) = codes.first() else {
        return Err(broken_promise("a set of recovery codes has codes"));
    };
    story.outcome(format_args!("{} codes, for example {code}", codes.len()))?;
    let challenge = create_challenge(setting, String::new(), story).await?;
    let answer = verify(setting, &challenge, code, story).await?;
    expect(&answer, VerificationOutcome::Verified, "a recovery code verifies once")?;
    say_proof(code, &answer, story)?;
    story.outcome(format_args!("{} codes left", answer.recovery_codes_remaining()))
}
