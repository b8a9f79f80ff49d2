//! Judging one sign-in after the first factor.

use countersign_core::{ApplicationId, SignInId};
use countersign_domain::{
    policy::{BrokenGlass, Inputs, PolicyEngine, Usable},
    user_sign_ins::{Event, RecordEvaluation, SignInEvaluated},
};
use countersign_eventsourcing::Request;
use countersign_service::{ApiError, Foundation, Reason, User, seals, usable, user_not_erased};

/// What is asked.
pub(crate) struct EvaluateSignIn {
    pub(crate) application_id: Option<ApplicationId>,
    /// What the platform knows of the sign-in, as it sent it.
    pub(crate) context: Vec<u8>,
}

/// Judges a sign-in and records it; a repeated request is told what the first was told.
pub(crate) async fn evaluate_sign_in(
    foundation: &Foundation,
    user: &User,
    request: &Request,
    asked: EvaluateSignIn,
) -> Result<SignInEvaluated, ApiError> {
    let settings = foundation.existing_tenant(&user.tenant).await?;
    let settings = &settings.state;
    if let Some(application) = &asked.application_id
        && settings.application(application).is_none()
    {
        return Err(ApiError::new(Reason::ApplicationNotFound));
    }
    let authenticators = foundation.authenticators.load(&user.authenticators()).await?;
    user_not_erased(&authenticators.state)?;
    let usable = usable(foundation, user, settings, &authenticators.state).await?.into_iter();
    let usable: Vec<_> =
        usable.map(|a| Usable { authenticator_id: a.id, kind: a.kind.clone() }).collect();
    let now = foundation.now();
    let policy = settings.policy();
    let until = settings.glass_until(asked.application_id.as_ref(), now);
    let broken = until.map(|until| BrokenGlass { until, policy: &policy });
    let policy: &dyn PolicyEngine = broken.as_ref().map_or(&policy, |broken| broken);
    let application = asked.application_id.as_ref().map(ApplicationId::as_str);
    let judgement = policy.judge(&Inputs { application, usable: &usable });
    let User { tenant, key } = user;
    let vault = &foundation.vault;
    let context = vault.seal(tenant, *key, seals::SIGN_IN_CONTEXT, &asked.context).await?;
    let evaluated = SignInEvaluated {
        sign_in_id: SignInId::new(foundation.new_id()),
        application_id: application.unwrap_or_default().into(),
        context,
        decision: judgement.decision,
        required_acr: judgement.required.map_or("", |aal| aal.acr()).into(),
        trace: judgement.trace,
        usable,
        policy_hash: countersign_crypto::sha256(&policy.canonical()),
        evaluated_at: now,
    };
    let executed = foundation
        .sign_ins
        .execute(&user.sign_ins(), request, RecordEvaluation(evaluated))
        .await
        .map_err(|error| ApiError::from_execute(error, |never| match never {}))?;
    let recorded = executed.events.into_iter().next();
    let Some(Event::SignInEvaluated(evaluated)) = recorded else {
        return Err(ApiError::new(Reason::Internal));
    };
    Ok(evaluated)
}
