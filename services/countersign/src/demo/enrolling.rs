//! Alice binds an authenticator app.

use countersign_proto::enrollment::{
    ConfirmEnrollmentRequest, ConfirmationOutcome, StartEnrollmentRequest, TotpProvisioning,
    start_enrollment_response::Provisioning,
};

use super::{Setting, Story, phone::Phone, setting::USER, story::broken_promise};
use crate::cli::{Failure, fresh_request_id, now};

/// Enrols a TOTP authenticator and returns the phone that holds it.
pub(super) async fn enrol(setting: &Setting, story: &mut Story<'_>) -> Result<Phone, Failure> {
    story.chapter("Alice enrols an authenticator app")?;
    story.call(
        "EnrollmentService.StartEnrollment",
        "a secret is made, shown once and stored sealed",
    )?;
    let request = StartEnrollmentRequest {
        request_id: fresh_request_id(),
        user_id: USER.to_owned(),
        kind: "totp".to_owned(),
        display_name: "Alice's phone".to_owned(),
        ..Default::default()
    };
    let response = setting.platform.enrollment().start_enrollment(request).await;
    let started = response.map_err(Failure::refused("starting the enrolment"))?.into_inner();
    let authenticator = started.authenticator.unwrap_or_default();
    let Some(Provisioning::Totp(provisioning)) = started.provisioning else {
        return Err(broken_promise("an enrolment of kind totp comes with what the app needs"));
    };
    show(&provisioning, story)?;

    let mut phone = Phone::scan(authenticator.authenticator_id, &provisioning.key_uri)?;
    let code = phone.next_code(now());
    story
        .call("EnrollmentService.ConfirmEnrollment", "the app's first code proves that it works")?;
    let request = ConfirmEnrollmentRequest {
        request_id: fresh_request_id(),
        user_id: USER.to_owned(),
        authenticator_id: phone.authenticator_id().to_owned(),
        code: code.clone(),
    };
    let response = setting.platform.enrollment().confirm_enrollment(request).await;
    let confirmed = response.map_err(Failure::refused("confirming the enrolment"))?.into_inner();
    match confirmed.outcome() {
        ConfirmationOutcome::Confirmed => {
            story.outcome(format_args!("code {code}: confirmed, and spent"))?;
            Ok(phone)
        }
        ConfirmationOutcome::Refused | ConfirmationOutcome::Unspecified => {
            Err(broken_promise("the right code confirms (are both clocks right?)"))
        }
    }
}

fn show(provisioning: &TotpProvisioning, story: &mut Story<'_>) -> Result<(), Failure> {
    story.outcome("scan this with any authenticator app, and it will show the same codes")?;
    story.block(&provisioning.qr_text)?;
    story.block(&provisioning.key_uri)
}
