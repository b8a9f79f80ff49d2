//! Translation between the wire's words and the factors' own.

use std::collections::BTreeMap;

use countersign_core::FieldProblem;
use countersign_factors::{Provisioning, qr};
use countersign_proto::enrollment::{
    self as wire, start_enrollment_request::Parameters, start_enrollment_response,
};
use countersign_service::ApiError;

/// Reads the parameters of a kind; they must be of the kind that is enrolled.
pub(super) fn parameters(
    kind: &str,
    given: Option<Parameters>,
) -> Result<BTreeMap<String, String>, ApiError> {
    match given {
        None => Ok(BTreeMap::new()),
        Some(Parameters::Totp(totp)) if kind == "totp" => totp_parameters(&totp),
        Some(Parameters::Totp(_)) => {
            Err(ApiError::field("totp", FieldProblem::Other("goes with kind `totp` only")))
        }
    }
}

fn totp_parameters(totp: &wire::TotpParameters) -> Result<BTreeMap<String, String>, ApiError> {
    let mut parameters = BTreeMap::new();
    let algorithm = wire::TotpAlgorithm::try_from(totp.algorithm).map_err(|_| {
        let problem = FieldProblem::Other("must be TOTP_ALGORITHM_SHA1, _SHA256 or _SHA512");
        ApiError::field("totp.algorithm", problem)
    })?;
    let algorithm = match algorithm {
        wire::TotpAlgorithm::Unspecified => None,
        wire::TotpAlgorithm::Sha1 => Some("SHA1"),
        wire::TotpAlgorithm::Sha256 => Some("SHA256"),
        wire::TotpAlgorithm::Sha512 => Some("SHA512"),
    };
    if let Some(algorithm) = algorithm {
        parameters.insert("algorithm".to_owned(), algorithm.to_owned());
    }
    if totp.digits != 0 {
        parameters.insert("digits".to_owned(), totp.digits.to_string());
    }
    if totp.period_seconds != 0 {
        parameters.insert("period_seconds".to_owned(), totp.period_seconds.to_string());
    }
    Ok(parameters)
}

/// Shows what the user needs to set the authenticator up.
pub(super) fn provisioning(
    provisioning: Provisioning,
) -> Result<Option<start_enrollment_response::Provisioning>, ApiError> {
    match provisioning {
        Provisioning::KeyUri { uri, secret_base32 } => {
            let uri = uri.expose();
            let symbol = qr::Symbol::encode(uri).map_err(ApiError::internal)?;
            Ok(Some(start_enrollment_response::Provisioning::Totp(wire::TotpProvisioning {
                key_uri: uri.to_owned(),
                secret_base32: secret_base32.expose().to_owned(),
                qr_png: symbol.png().map_err(ApiError::internal)?.into(),
                qr_svg: symbol.svg(),
                qr_text: symbol.text(),
            })))
        }
        Provisioning::Codes(_) | Provisioning::Nothing => Ok(None),
    }
}
