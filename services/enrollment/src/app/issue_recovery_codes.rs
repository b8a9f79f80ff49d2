//! Issuing a set of recovery codes in place of the previous one.

use countersign_core::{AuthenticatorId, SecretString, UserId};
use countersign_domain::user_authenticators::{
    self as authenticators, Command, Event, RECOVERY_CODE_KIND,
};
use countersign_eventsourcing::Request;
use countersign_service::{ApiError, Foundation, Reason, User};

use super::{Authenticators, draw::draw, execute_sealing, seal_user_id};
use crate::api::status::rejected;

/// What came of it.
pub(crate) struct IssuedCodes {
    pub(crate) authenticators: Authenticators,
    pub(crate) authenticator_id: AuthenticatorId,
    pub(crate) codes: Vec<SecretString>,
}

/// Issues a set of recovery codes.
pub(crate) async fn issue_recovery_codes(
    foundation: &Foundation,
    user: &User,
    request: &Request,
    user_id: &UserId,
) -> Result<IssuedCodes, ApiError> {
    let settings = foundation.existing_tenant(&user.tenant).await?;
    let stream = user.authenticators();
    let known = foundation.authenticators.load(&stream).await?;
    let failed = |error| ApiError::from_execute(error, rejected);
    // Before anything is looked at that may have changed since, and before the hashes, which cost more than all else.
    let recalled = foundation.authenticators.recall(&stream, &known, request).await;
    if recalled.map_err(failed)?.is_some() {
        return Err(ApiError::new(Reason::CodesAlreadyShown));
    }
    // Let go of, so that the executor need not copy the fold to go on with it.
    drop(known);
    let own = settings.state.factor_settings(RECOVERY_CODE_KIND);
    if own.disabled {
        return Err(ApiError::new(Reason::FactorKindDisabled));
    }
    let count = own.recovery_code_count.map(|count| ("count".to_owned(), count.to_string()));
    let drawn = draw(foundation, RECOVERY_CODE_KIND, count.into_iter().collect()).await?;
    let codes = drawn.codes;
    let new_authenticator_id = AuthenticatorId::new(foundation.new_id());
    let count = u32::try_from(codes.len()).unwrap_or(u32::MAX);
    let user_id = seal_user_id(foundation, user, user_id).await?;
    let now = foundation.now();
    let command = |record| {
        Command::IssueRecoveryCodes(authenticators::IssueRecoveryCodes {
            new_authenticator_id,
            record,
            count,
            user_id: user_id.clone(),
            now,
        })
    };
    let executed = execute_sealing(foundation, user, request, &drawn.record, command).await?;
    // Repeats that came at once.
    if executed.repeated {
        return Err(ApiError::new(Reason::CodesAlreadyShown));
    }
    let authenticator_id = executed.events.iter().find_map(|event| {
        if let Event::RecoveryCodesIssued(issued) = event {
            Some(issued.authenticator_id)
        } else {
            None
        }
    });
    Ok(IssuedCodes {
        authenticators: executed.folded,
        authenticator_id: authenticator_id.ok_or_else(|| ApiError::new(Reason::Internal))?,
        codes,
    })
}
