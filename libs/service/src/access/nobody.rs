//! Why a caller is nobody: for the operator's log. Callers themselves are told the same in every case.

use std::{net::IpAddr, sync::Arc};

use countersign_core::KeyId;

use crate::{ApiError, Reason};

/// Why a caller is nobody. It holds nothing that opens anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Nobody {
    #[error("it shows no key, no token and no certificate with a SPIFFE id")]
    ShowsNothing,
    #[error("its authorization is not one line of the scheme Bearer")]
    Unreadable,
    #[error("its API key is unknown or wrong")]
    WrongKey,
    #[error("its API key {0} has ended or was revoked")]
    EndedKey(KeyId),
    #[error("its API key {key} may not be used from {}", from.map_or_else(|| "nowhere".to_owned(), |from| from.to_string()))]
    Elsewhere { key: KeyId, from: Option<IpAddr> },
    #[error("its self-service token is wrong or has ended")]
    WrongSelfServiceToken,
    #[error("it shows a token, and callers.issuers names nobody whose tokens are taken")]
    NoIssuers,
    #[error("no rule of issuer {0} fits its token")]
    NoTokenRule(String),
    #[error("no rule of callers.certificates fits {0}")]
    NoCertificateRule(Arc<str>),
}

impl From<Nobody> for ApiError {
    fn from(why: Nobody) -> Self {
        Self::new(Reason::Unauthenticated).caused_by(why)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    #[test]
    fn callers_are_told_the_same_and_the_operator_why() {
        let key = KeyId::parse("k1").unwrap();
        let from = "192.0.2.7".parse().ok();
        let mut told = std::collections::BTreeSet::new();
        for why in [
            Nobody::ShowsNothing,
            Nobody::Unreadable,
            Nobody::WrongKey,
            Nobody::EndedKey(key.clone()),
            Nobody::Elsewhere { key: key.clone(), from },
            Nobody::Elsewhere { key, from: None },
            Nobody::WrongSelfServiceToken,
            Nobody::NoIssuers,
            Nobody::NoTokenRule("login".to_owned()),
            Nobody::NoCertificateRule("spiffe://example.org/a".into()),
        ] {
            assert!(why.source().is_none());
            let status = crate::to_status(&ApiError::from(why.clone()));
            let same = crate::to_status(&ApiError::new(Reason::Unauthenticated));
            assert_eq!(
                (status.code(), status.message(), status.details()),
                (same.code(), same.message(), same.details())
            );
            assert!(told.insert(why.to_string()), "{why}");
        }
    }
}
