//! Beginning to bind an authenticator.

use std::{collections::BTreeMap, time::Duration};

use countersign_core::{AuthenticatorId, FieldProblem, SecretBytes, Timestamp, UserId};
use countersign_crypto::Sealed;
use countersign_domain::{
    tenant,
    user_authenticators::{
        self as authenticators, Command, Event, RECOVERY_CODE_KIND, TEMPORARY_ACCESS_PASS_KIND,
    },
};
use countersign_eventsourcing::Request;
use countersign_factors::{BeginEnrollment, EnrollmentError, Factor, Provisioning, factor, kinds};
use countersign_service::{
    ApiError, Foundation, Reason, User, open_record, present::DISPLAY_NAME_FIELD,
};

use super::{Authenticators, execute_sealing, seal_user_id};
use crate::api::status::rejected;

/// How long an enrolment awaits its proof.
const PENDING_FOR: Duration = Duration::from_secs(15 * 60);

/// What is asked.
pub(crate) struct StartEnrollment {
    pub(crate) user_id: UserId,
    pub(crate) kind: String,
    pub(crate) display_name: String,
    pub(crate) account_name: String,
    pub(crate) parameters: BTreeMap<String, String>,
}

/// What came of it.
pub(crate) struct Started {
    pub(crate) authenticators: Authenticators,
    pub(crate) authenticator_id: AuthenticatorId,
    pub(crate) expires_at: Timestamp,
    pub(crate) provisioning: Provisioning,
}

/// Begins to bind an authenticator; a repeated request shows the first secret again while the enrolment is pending.
pub(crate) async fn start_enrollment(
    foundation: &Foundation,
    user: &User,
    request: &Request,
    asked: StartEnrollment,
) -> Result<Started, ApiError> {
    let settings = foundation.existing_tenant(&user.tenant).await?;
    let stream = user.authenticators();
    let known = foundation.authenticators.load(&stream).await?;
    let failed = |error| ApiError::from_execute(error, rejected);
    let recalled = foundation.authenticators.recall(&stream, &known, request).await;
    let executed = match recalled.map_err(failed)? {
        // Before anything is looked at that may have changed since.
        Some(executed) => executed,
        None => {
            // Let go of, so that the executor need not copy the fold to go on with it.
            drop(known);
            let (record, command) = begin(foundation, user, &settings.state, asked).await?;
            execute_sealing(foundation, user, request, &record, command).await?
        }
    };
    // Taken from the event, not from what was just made: a repeat shows what the first request made.
    let started = executed.events.into_iter().find_map(|event| {
        if let Event::EnrollmentStarted(started) = event { Some(started) } else { None }
    });
    let started = started.ok_or_else(|| ApiError::new(Reason::Internal))?;
    let authenticators = executed.folded;
    let begun = authenticators.state.find(started.authenticator_id);
    let record = match begun.filter(|begun| begun.is_pending()) {
        Some(begun) => open_record(foundation, user, begun).await?,
        None => None,
    };
    let provisioning = match record {
        Some(record) => {
            let factor = factor(&started.kind);
            let factor = factor.ok_or_else(|| ApiError::new(Reason::DataDamaged))?;
            factor.provisioning(&record).map_err(ApiError::internal)?
        }
        // A repeat that comes later must not show a secret that is in use.
        None => Provisioning::Nothing,
    };
    Ok(Started {
        authenticators,
        authenticator_id: started.authenticator_id,
        expires_at: started.expires_at,
        provisioning,
    })
}

/// Makes the secret, what is kept of it, and the command that takes that over once it is sealed.
async fn begin(
    foundation: &Foundation,
    user: &User,
    tenant: &tenant::State,
    asked: StartEnrollment,
) -> Result<(SecretBytes, impl Fn(Sealed) -> Command), ApiError> {
    let factor = enrollable(&asked.kind, tenant)?;
    let begin = BeginEnrollment {
        account_name: asked.account_name,
        issuer: tenant.display_name().to_owned(),
        parameters: asked.parameters,
    };
    let begun = factor.begin_enrollment(&begin, &*foundation.rng).map_err(|error| match error {
        EnrollmentError::Parameter(error) => ApiError::from(error),
        error @ (EnrollmentError::UnknownParameter { .. } | EnrollmentError::Record { .. }) => {
            ApiError::internal(error)
        }
    })?;
    let seal = async |field: &'static str, bytes: &[u8]| {
        foundation.vault.seal(&user.tenant, user.key, field, bytes).await
    };
    let display_name =
        if asked.display_name.is_empty() { factor.kind() } else { &asked.display_name };
    let display_name = seal(DISPLAY_NAME_FIELD, display_name.as_bytes()).await?;
    let user_id = seal_user_id(foundation, user, &asked.user_id).await?;
    let authenticator_id = AuthenticatorId::new(foundation.new_id());
    let (now, parameters) = (foundation.now(), begun.parameters);
    let command = move |record| {
        Command::StartEnrollment(authenticators::StartEnrollment {
            authenticator_id,
            kind: factor.kind().into(),
            display_name: display_name.clone(),
            user_id: user_id.clone(),
            record,
            parameters: parameters.clone(),
            now,
            expires_at: now.plus(PENDING_FOR),
        })
    };
    Ok((begun.record, command))
}

/// Returns the factor of `kind` if this tenant's users may enrol it here.
fn enrollable(kind: &str, tenant: &tenant::State) -> Result<&'static dyn Factor, ApiError> {
    let factor = factor(kind).ok_or_else(|| {
        let known: Vec<_> = kinds().collect();
        let message = format!("there is no such kind of factor; there are {}", known.join(", "));
        let problem = FieldProblem::Other("must be one of the kinds that the message lists");
        ApiError::with_message(Reason::FactorKindUnknown, message).at("kind", problem)
    })?;
    let issued = match kind {
        RECOVERY_CODE_KIND => Some("recovery codes are issued by IssueRecoveryCodes"),
        TEMPORARY_ACCESS_PASS_KIND => {
            Some("temporary access passes are issued by IssueTemporaryAccessPass")
        }
        _ => None,
    };
    if let Some(message) = issued {
        return Err(ApiError::with_message(Reason::FactorKindNotEnrollable, message)
            .at("kind", FieldProblem::Other(message)));
    }
    if tenant.factor_settings(kind).disabled {
        return Err(ApiError::new(Reason::FactorKindDisabled));
    }
    Ok(factor)
}
