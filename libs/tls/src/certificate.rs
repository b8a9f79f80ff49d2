//! From a certificate to whom it stands for.

use countersign_core::Timestamp;
use x509_cert::{
    Certificate,
    der::{Decode as _, Error as DerError, oid::AssociatedOid},
    ext::{
        Extension,
        pkix::{BasicConstraints, KeyUsage, SubjectAltName, name::GeneralName},
    },
};

use crate::{SpiffeId, SpiffeIdError};

/// Who is at the other end, as a verified certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerIdentity {
    spiffe_id: SpiffeId,
    expires_at: Timestamp,
}

impl PeerIdentity {
    /// Returns its name.
    #[must_use]
    pub const fn spiffe_id(&self) -> &SpiffeId {
        &self.spiffe_id
    }

    /// Returns when the certificate expires. It was good when the connection began; the connection may outlast it.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }
}

/// Why a certificate that claims to be a SPIFFE identity document is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// It is no certificate, or has a part that cannot be read.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(DerError),
    /// An extension is there more than once (RFC 5280, section 4.2).
    #[error("the certificate has two extensions of one kind")]
    Repeated,
    /// It has several URIs (X509-SVID, section 2).
    #[error("the certificate names {0} URIs; with a SPIFFE id among them there may be no other")]
    SeveralUris(usize),
    /// Its SPIFFE id is none.
    #[error("the certificate has a wrong SPIFFE id")]
    Id(#[source] SpiffeIdError),
    /// It signs other certificates (X509-SVID, section 5.2).
    #[error("the certificate is that of an authority, which speaks for nobody")]
    Authority,
}

impl From<DerError> for IdentityError {
    fn from(error: DerError) -> Self {
        Self::Unreadable(error)
    }
}

/// Returns whom the DER of a certificate stands for; `None` if it names no SPIFFE id. Says nothing about whether the
/// certificate is to be trusted: that is for whoever verified it.
///
/// The SPIFFE id is the one URI among its alternative names. Nothing else of it is looked at: no other kind of name, and
/// nothing in its subject.
///
/// # Errors
/// Says that it claims to have a SPIFFE id and breaks the rules for that.
pub fn identity_of(der: &[u8]) -> Result<Option<PeerIdentity>, IdentityError> {
    let certificate = Certificate::from_der(der)?;
    let extensions = certificate.tbs_certificate().extensions().map_or(&[][..], Vec::as_slice);
    let names = only::<SubjectAltName>(extensions)?.map_or_else(Vec::new, |names| names.0);
    let uris: Vec<_> = names.iter().filter_map(uri).collect();
    if !uris.iter().any(|uri| claims_spiffe(uri)) {
        return Ok(None);
    }
    let [uri] = uris.as_slice() else {
        return Err(IdentityError::SeveralUris(uris.len()));
    };
    let spiffe_id = SpiffeId::parse(uri).map_err(IdentityError::Id)?;
    let usage = only::<KeyUsage>(extensions)?;
    let signs = usage.is_some_and(|usage| usage.key_cert_sign() || usage.crl_sign());
    if signs || only::<BasicConstraints>(extensions)?.is_some_and(|constraints| constraints.ca) {
        return Err(IdentityError::Authority);
    }
    Ok(Some(PeerIdentity { spiffe_id, expires_at: expiry(&certificate) }))
}

/// Returns when the DER of a certificate expires.
pub(crate) fn expires_at(der: &[u8]) -> Result<Timestamp, DerError> {
    Certificate::from_der(der).map(|certificate| expiry(&certificate))
}

fn expiry(certificate: &Certificate) -> Timestamp {
    let seconds = certificate.tbs_certificate().validity().not_after.to_unix_duration().as_secs();
    Timestamp::from_unix_seconds(i64::try_from(seconds).unwrap_or(i64::MAX))
}

/// Returns the extension of a kind, of which there may be one.
fn only<'a, T: AssociatedOid + x509_cert::der::Decode<'a, Error = DerError>>(
    extensions: &'a [Extension],
) -> Result<Option<T>, IdentityError> {
    let mut found = extensions.iter().filter(|extension| extension.extn_id == T::OID);
    let first = found.next();
    if found.next().is_some() {
        return Err(IdentityError::Repeated);
    }
    Ok(first.map(|extension| T::from_der(extension.extn_value.as_bytes())).transpose()?)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "every other kind of name is none of ours")]
fn uri(name: &GeneralName) -> Option<&str> {
    match name {
        GeneralName::UniformResourceIdentifier(uri) => Some(uri.as_str()),
        _ => None,
    }
}

/// Schemes of URIs have no case (RFC 3986, section 3.1): what claims to be a SPIFFE id in capitals is a wrong one.
fn claims_spiffe(uri: &str) -> bool {
    uri.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("spiffe"))
}
