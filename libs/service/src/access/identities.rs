//! The ways in which a caller shows who it is: an API key, a user's self-service token, a token of an issuer, a certificate.

use std::{collections::BTreeMap, fmt, net::IpAddr, sync::Arc, time::Duration};

use countersign_core::{OrganisationId, TenantId, UserId};
use countersign_domain::tenant::Role;
use countersign_identity::{Issuers, TokenError};
use http::{Extensions, HeaderMap, header::AUTHORIZATION};
use ipnet::IpNet;

use super::{
    foreign::{self, CertificateRules, Standing, TokenRules},
    last_use::LastUse,
    nobody::Nobody,
    self_service::{self, SelfServiceToken},
};
use crate::{
    ApiError, Foundation, Reason,
    caller::{Caller, TENANT_METADATA},
    keys::{self, ApiKeySecret},
};

/// How long a caller should wait for an issuer that does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// The address that a request comes from, as far as it can be believed. Among the request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// The SPIFFE id in the certificate that the other side of the connection has proved to hold. Among the request's
/// extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificate(pub Arc<str>);

/// Who is let in besides the holders of API keys and self-service tokens.
#[derive(Default)]
pub struct Identities {
    /// Checks tokens of issuers.
    pub issuers: Option<Issuers>,
    /// What the holders of an issuer's tokens are, by the issuer's name.
    pub token_rules: BTreeMap<String, TokenRules>,
    /// What the holders of certificates are.
    pub certificates: CertificateRules,
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities")
            .field("issuers", &self.token_rules.keys())
            .finish_non_exhaustive()
    }
}

/// Who a caller is, before it is asked what it may do.
struct Identified {
    requester: Arc<str>,
    home: TenantId,
    roles: Arc<[Role]>,
    organisation: Option<OrganisationId>,
    user: Option<UserId>,
}

impl Identified {
    fn standing(requester: String, standing: Standing) -> Self {
        Self {
            requester: requester.into(),
            home: standing.tenant,
            roles: standing.roles.into(),
            organisation: standing.organisation,
            user: None,
        }
    }
}

/// Finds out who calls.
pub(super) async fn identify(
    foundation: &Arc<Foundation>,
    identities: &Identities,
    last_use: &LastUse,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Caller, ApiError> {
    let identified = match headers.get(AUTHORIZATION) {
        Some(value) => {
            // Two of them would be one for us and the other for whoever stands between.
            let is_single = headers.get_all(AUTHORIZATION).iter().count() == 1;
            let bearer = value.to_str().ok().and_then(bearer);
            let bearer = bearer.filter(|_| is_single).ok_or(Nobody::Unreadable)?;
            if bearer.starts_with(keys::PREFIX) {
                by_api_key(foundation, last_use, bearer, extensions).await?
            } else if bearer.starts_with(self_service::PREFIX) {
                by_self_service_token(foundation, bearer)?
            } else {
                by_token(identities, bearer).await?
            }
        }
        None => by_certificate(identities, extensions)?,
    };
    let Identified { requester, home, roles, organisation, user } = identified;
    let acts_on = acts_on(&home, headers)?;
    Ok(Caller { requester, home, roles, organisation, user, acts_on })
}

/// Returns what stands after the scheme, whose letters may be small or large (RFC 9110 section 11.1).
fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, credentials) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then_some(credentials)
}

async fn by_api_key(
    foundation: &Arc<Foundation>,
    last_use: &LastUse,
    bearer: &str,
    extensions: &Extensions,
) -> Result<Identified, ApiError> {
    let secret = ApiKeySecret::parse(bearer).ok_or(Nobody::WrongKey)?;
    let (tenant, id, now) = (secret.tenant(), secret.key_id(), foundation.now());
    let settings = foundation.tenant(tenant).await?;
    let key = settings.state.api_key(id);
    let hash = secret.hash();
    // Both are compared, whoever calls.
    let expected = key.map_or([&[0; 32]; 2], |key| key.secret_hashes(now));
    let [is_present, is_previous] =
        expected.map(|expected| countersign_crypto::constant_time_eq(&hash, expected));
    let is_right = is_present | is_previous;
    let key = key.filter(|_| is_right).ok_or(Nobody::WrongKey)?;
    if !key.is_usable(now) {
        return Err(Nobody::EndedKey(id.clone()).into());
    }
    let (from, allowed) =
        (extensions.get().map(|from: &ClientAddress| from.0), &key.allowed_addresses);
    if !allowed.is_empty() && !from.is_some_and(|from| is_in(from, allowed)) {
        return Err(Nobody::Elsewhere { key: id.clone(), from }.into());
    }
    last_use.tell(foundation, tenant, id, key);
    Ok(Identified {
        requester: format!("api-key:{tenant}.{id}").into(),
        home: tenant.clone(),
        roles: key.roles.as_slice().into(),
        organisation: key.organisation_id.clone(),
        user: None,
    })
}

/// Returns whether `address` is in one of `networks`, an IPv4 address also in the form that IPv6 has for it.
fn is_in(address: IpAddr, networks: &[String]) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|text| {
        let network = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.is_ok_and(|network| network.contains(&address))
    })
}

fn by_self_service_token(foundation: &Foundation, bearer: &str) -> Result<Identified, ApiError> {
    let token = SelfServiceToken::verify(bearer, &foundation.vault, foundation.now());
    let token = token.ok_or(Nobody::WrongSelfServiceToken)?;
    let user_key = foundation.vault.user_key(&token.tenant, &token.user_id);
    Ok(Identified {
        requester: format!("self:{user_key}.{}", token.token_id).into(),
        home: token.tenant,
        roles: Arc::new([Role::SelfService]),
        organisation: None,
        user: Some(token.user_id),
    })
}

async fn by_token(identities: &Identities, bearer: &str) -> Result<Identified, ApiError> {
    let issuers = identities.issuers.as_ref().ok_or(Nobody::NoIssuers)?;
    let token = issuers.verify(bearer).await.map_err(|error| {
        // Not the caller's fault, and nothing that a better token mends.
        if matches!(error, TokenError::KeysUnavailable { .. }) {
            let unavailable = ApiError::new(Reason::IssuerUnavailable);
            return unavailable.retry_after(RETRY_AFTER).caused_by(error);
        }
        ApiError::new(Reason::Unauthenticated).caused_by(error)
    })?;
    let rules = identities.token_rules.get(&token.issuer_name);
    let standing = rules.and_then(|rules| rules.standing(&token.claims));
    let standing = standing.ok_or_else(|| Nobody::NoTokenRule(token.issuer_name.clone()))?;
    Ok(Identified::standing(foreign::requester(&token.issuer_name, &token.subject), standing))
}

fn by_certificate(
    identities: &Identities,
    extensions: &Extensions,
) -> Result<Identified, ApiError> {
    let certificate = extensions.get::<PeerCertificate>().ok_or(Nobody::ShowsNothing)?;
    let standing = identities.certificates.standing(&certificate.0);
    let standing = standing.ok_or_else(|| Nobody::NoCertificateRule(Arc::clone(&certificate.0)))?;
    Ok(Identified::standing(format!("certificate:{}", certificate.0), standing))
}

/// Returns the tenant that a caller acts on: its own, or for a caller of the installation the one that it names.
fn acts_on(home: &TenantId, headers: &HeaderMap) -> Result<Option<TenantId>, ApiError> {
    let named = headers.get(TENANT_METADATA).map(|value| {
        TenantId::parse(value.to_str().unwrap_or("\u{0}"))
            .map_err(|problem| ApiError::field(TENANT_METADATA, problem))
    });
    match named.transpose()? {
        None if home.is_platform() => Ok(None),
        None => Ok(Some(home.clone())),
        Some(named) if home.is_platform() || named == *home => Ok(Some(named)),
        Some(_) => Err(ApiError::new(Reason::PermissionDenied)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_in_its_networks_and_in_no_other() {
        let networks = ["203.0.113.0/24", "2001:db8::/32", "192.0.2.7"].map(str::to_owned);
        for inside in ["203.0.113.9", "::ffff:203.0.113.9", "2001:db8::1", "192.0.2.7"] {
            assert!(is_in(inside.parse().unwrap(), &networks), "{inside}");
        }
        for outside in ["203.0.114.1", "2001:db9::1", "192.0.2.8", "::1"] {
            assert!(!is_in(outside.parse().unwrap(), &networks), "{outside}");
        }
        assert!(!is_in("127.0.0.1".parse().unwrap(), &["nonsense".to_owned()]));
    }
}
