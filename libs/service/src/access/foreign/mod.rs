//! Callers that others vouch for: holders of tokens of an issuer, holders of certificates. The operator's rules say which
//! tenant, organisation and roles they have; who fits no rule is nobody.

use std::collections::BTreeMap;

use countersign_core::{OrganisationId, TenantId};
use countersign_domain::tenant::Role;
use data_encoding::HEXLOWER;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Longest name of a subject that is told as it is.
const LONGEST_SUBJECT: usize = 128;

/// What the holders of an issuer's tokens are, if they fit.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRule {
    /// Claims that a token must have: each with this text, or with a list in which the text stands. A name that begins with
    /// `/` is a JSON pointer (RFC 6901), such as `/kubernetes.io/namespace`.
    #[serde(default)]
    pub when: BTreeMap<String, String>,
    /// The tenant that they belong to.
    #[serde(default)]
    pub tenant: Option<String>,
    /// The claim that names the tenant, instead.
    #[serde(default)]
    pub tenant_claim: Option<String>,
    /// The organisation that they are confined to.
    #[serde(default)]
    pub organisation: Option<String>,
    /// The claim that names the organisation, instead.
    #[serde(default)]
    pub organisation_claim: Option<String>,
    /// What they may do.
    pub roles: Vec<String>,
}

/// What the holder of a certificate is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRule {
    /// The SPIFFE id in the certificate, such as `spiffe://example.org/ns/prod/sa/login`; with `/*` at its end, every id
    /// below it.
    pub spiffe_id: String,
    /// The tenant that it belongs to.
    pub tenant: String,
    /// The organisation that it is confined to.
    #[serde(default)]
    pub organisation: Option<String>,
    /// What it may do.
    pub roles: Vec<String>,
}

/// Who a foreign caller is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its tenant.
    pub tenant: TenantId,
    /// The organisation that it is confined to.
    pub organisation: Option<OrganisationId>,
    /// What it may do.
    pub roles: Vec<Role>,
}

/// Why a rule cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule {number}: {problem}")]
pub struct RuleError {
    /// Which rule, from 1.
    pub number: usize,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// Where a name comes from.
#[derive(Clone, Debug)]
enum Named {
    Is(String),
    Claim(String),
}

#[derive(Clone, Debug)]
struct Rule {
    when: BTreeMap<String, String>,
    tenant: Named,
    organisation: Option<Named>,
    roles: Vec<Role>,
}

/// The rules of one issuer, in order: the first that fits decides.
#[derive(Clone, Debug)]
pub struct TokenRules(Vec<Rule>);

impl TokenRules {
    /// Checks rules.
    ///
    /// # Errors
    /// Says which rule cannot be used and why.
    pub fn new(rules: &[TokenRule]) -> Result<Self, RuleError> {
        let checked = rules.iter().enumerate().map(|(index, rule)| {
            check(rule).map_err(|problem| RuleError { number: index + 1, problem })
        });
        checked.collect::<Result<_, _>>().map(Self)
    }

    /// Returns who the holder of a token with `claims` is; `None` if no rule fits, or the one that does names a tenant or
    /// organisation that cannot be.
    #[must_use]
    pub fn standing(&self, claims: &Map<String, Value>) -> Option<Standing> {
        let fits = |rule: &&Rule| rule.when.iter().all(|(name, text)| has(claims, name, text));
        let rule = self.0.iter().find(fits)?;
        let tenant = TenantId::parse(named(&rule.tenant, claims)?).ok()?;
        let organisation = match &rule.organisation {
            None => None,
            Some(name) => Some(OrganisationId::parse(named(name, claims)?).ok()?),
        };
        // A claim may name any tenant, but what the rule gives must fit it.
        let fits = rule.roles.iter().all(|role| role.fits_tenant(tenant.is_platform()));
        fits.then(|| Standing { tenant, organisation, roles: rule.roles.clone() })
    }
}

/// The rules of certificates.
#[derive(Clone, Debug, Default)]
pub struct CertificateRules(Vec<(String, Standing)>);

impl CertificateRules {
    /// Checks rules.
    ///
    /// # Errors
    /// Says which rule cannot be used and why.
    pub fn new(rules: &[CertificateRule]) -> Result<Self, RuleError> {
        let checked = rules.iter().enumerate().map(|(index, rule)| {
            check_certificate(rule).map_err(|problem| RuleError { number: index + 1, problem })
        });
        checked.collect::<Result<_, _>>().map(Self)
    }

    /// Returns who the holder of a certificate with this SPIFFE id is; the first rule that fits decides.
    #[must_use]
    pub fn standing(&self, spiffe_id: &str) -> Option<Standing> {
        let fits = |pattern: &str| match pattern.strip_suffix('*') {
            Some(below) => spiffe_id.len() > below.len() && spiffe_id.starts_with(below),
            None => spiffe_id == pattern,
        };
        self.0.iter().find(|(pattern, _)| fits(pattern)).map(|(_, standing)| standing.clone())
    }
}

/// Names the subject of a token for the audit. What is long or odd is told by its hash.
#[must_use]
pub fn requester(issuer: &str, subject: &str) -> String {
    let is_plain = subject.len() <= LONGEST_SUBJECT && !subject.chars().any(char::is_control);
    if is_plain && !subject.is_empty() {
        return format!("token:{issuer}:{subject}");
    }
    let hash = HEXLOWER.encode(&countersign_crypto::sha256(subject.as_bytes()));
    format!("token:{issuer}:sha256:{hash}")
}

fn check(rule: &TokenRule) -> Result<Rule, String> {
    let tenant = one_of("tenant", rule.tenant.as_ref(), rule.tenant_claim.as_ref())?;
    let tenant = tenant.ok_or("tenant or tenant_claim is required")?;
    let organisation =
        one_of("organisation", rule.organisation.as_ref(), rule.organisation_claim.as_ref())?;
    let is_platform = match &tenant {
        Named::Is(name) => Some(parse_tenant(name)?.is_platform()),
        Named::Claim(_) => None,
    };
    if let Some(Named::Is(name)) = &organisation {
        parse_organisation(name)?;
    }
    // Whose tenant comes from a claim has no role of the installation: whoever fills claims in would rule over all.
    let roles = roles(&rule.roles, is_platform.unwrap_or(false), organisation.is_some())?;
    Ok(Rule { when: rule.when.clone(), tenant, organisation, roles })
}

fn check_certificate(rule: &CertificateRule) -> Result<(String, Standing), String> {
    let id = &rule.spiffe_id;
    let path = id.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/'));
    let is_right = path.is_some_and(|(domain, path)| {
        let exact = path.strip_suffix("/*").unwrap_or(path);
        !domain.is_empty()
            && !domain.contains('*')
            && !path.is_empty()
            && (path == "*" || !exact.contains('*'))
    });
    if !is_right {
        let form = "spiffe_id must be such as spiffe://example.org/ns/prod/sa/login, with * only after its last /";
        return Err(form.to_owned());
    }
    let tenant = parse_tenant(&rule.tenant)?;
    let organisation = rule.organisation.as_deref().map(parse_organisation).transpose()?;
    let roles = roles(&rule.roles, tenant.is_platform(), organisation.is_some())?;
    Ok((id.clone(), Standing { tenant, organisation, roles }))
}

fn one_of(
    name: &str,
    value: Option<&String>,
    claim: Option<&String>,
) -> Result<Option<Named>, String> {
    match (value, claim) {
        (Some(_), Some(_)) => Err(format!("{name} and {name}_claim exclude each other")),
        (Some(value), None) => Ok(Some(Named::Is(value.clone()))),
        (None, Some(claim)) => Ok(Some(Named::Claim(claim.clone()))),
        (None, None) => Ok(None),
    }
}

fn parse_tenant(name: &str) -> Result<TenantId, String> {
    TenantId::parse(name).map_err(|problem| format!("tenant {problem}"))
}

fn parse_organisation(name: &str) -> Result<OrganisationId, String> {
    OrganisationId::parse(name).map_err(|problem| format!("organisation {problem}"))
}

/// Reads roles that fit each other, the tenant and the organisation.
fn roles(names: &[String], is_platform: bool, is_confined: bool) -> Result<Vec<Role>, String> {
    if names.is_empty() {
        return Err("roles must name at least one".to_owned());
    }
    let read = names.iter().map(|name| {
        let role = Role::parse(name).filter(|role| role.fits_tenant(is_platform));
        let role = role.ok_or_else(|| {
            let fitting = Role::ALL.iter().filter(|role| role.fits_tenant(is_platform));
            let fitting = fitting.map(|role| role.as_str()).collect::<Vec<_>>().join(", ");
            format!("roles: {name:?} does not fit the tenant; {fitting} do")
        })?;
        if is_confined && !role.fits_organisation() {
            return Err(format!("roles: {name} cannot be confined to an organisation"));
        }
        if !is_confined && role == Role::OrgAdmin {
            return Err("roles: org_admin needs an organisation".to_owned());
        }
        Ok(role)
    });
    read.collect()
}

fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let Some(pointer) = name.strip_prefix('/') else { return claims.get(name) };
    let (first, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
    let found = claims.get(&first.replace("~1", "/").replace("~0", "~"))?;
    if rest.is_empty() { Some(found) } else { found.pointer(&format!("/{rest}")) }
}

fn has(claims: &Map<String, Value>, name: &str, text: &str) -> bool {
    match claim(claims, name) {
        Some(Value::String(value)) => value == text,
        Some(Value::Array(values)) => values.iter().any(|value| value == text),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => false,
    }
}

fn named<'a>(name: &'a Named, claims: &'a Map<String, Value>) -> Option<&'a str> {
    match name {
        Named::Is(text) => Some(text),
        Named::Claim(name) => claim(claims, name)?.as_str(),
    }
}

#[cfg(test)]
mod tests;
