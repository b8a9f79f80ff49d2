//! Tokens of a real OpenID provider: who their holders are, and whose are refused.

use std::time::Duration;

use countersign::serve::CallersConfig;
use countersign_proto::{
    admin::CreateOrganisationRequest,
    enrollment::{PlaceUserRequest, Placement},
};
use countersign_testkit::{IssuerClient, OidcIssuer};
use countersign_tests::{Caller, Fittings, House, Tenant, reason};
use data_encoding::BASE64URL_NOPAD;
use ring::hmac;
use serde_json::{Value, json};

use crate::probes::{at_present, audits, is_nobody, knocks, looks_at, newest, placed, places};

/// Whom tokens are for.
pub(crate) const AUDIENCE: &str = "https://mfa.example.com";

/// A house with tenant `acme` that takes the tokens of an issuer.
pub(crate) struct Stage {
    pub(crate) issuer: OidcIssuer,
    pub(crate) house: House,
    pub(crate) tenant: Tenant,
}

/// What the holders of the issuer's tokens are: `trusted` adds to its settings.
fn callers(issuer: &OidcIssuer, trusted: &Value) -> CallersConfig {
    let mut settings = json!({"name": "login", "issuer": issuer.issuer(), "audiences": [AUDIENCE]});
    settings.as_object_mut().unwrap().extend(trusted.as_object().unwrap().clone());
    let rules = json!([
        {"when": {"groups": "platforms"}, "tenant": "acme", "roles": ["verifier"]},
        {"when": {"groups": "auditors"}, "tenant": "platform", "roles": ["auditor"]},
        {"when": {"groups": "administrators"}, "tenant": "acme", "roles": ["tenant_admin"]},
        {"when": {"groups": "customers"}, "tenant_claim": "tenant", "organisation_claim": "company",
         "roles": ["org_admin"]},
    ]);
    let config = json!({"issuers": [{"trusted": settings, "callers": rules}]});
    serde_json::from_value(config).unwrap()
}

impl Stage {
    pub(crate) async fn start(trusted: Value) -> Self {
        let client = |id: &str, claims: Value| IssuerClient::new(id).with_claims(claims);
        let company = json!({"groups": "customers", "tenant": "acme", "company": "north"});
        let issuer = OidcIssuer::start([
            client("checkout", json!({"groups": ["staff", "platforms"]})),
            client("watch", json!({"groups": "auditors"})),
            client("boss", json!({"groups": ["administrators"]})).signed_with("RS256"),
            client("customer", company).signed_with("EdDSA"),
            client("guest", json!({"groups": ["guests"]})),
            client("nowhere", json!({"groups": "customers", "tenant": "acme"})),
        ]);
        let issuer = issuer.await;
        let callers = callers(&issuer, &trusted);
        let house = House::fitted(Fittings { callers, ..Fittings::default() }).await;
        at_present(&house);
        let tenant = house.tenant("acme").await;
        Self { issuer, house, tenant }
    }

    /// Gets a token at the issuer.
    pub(crate) async fn token(&self, client: &str) -> String {
        let token = self.issuer.access_token(client, AUDIENCE).await;
        at_present(&self.house);
        token
    }

    /// Returns the holder of a token.
    pub(crate) fn holder(&self, token: &str) -> Caller {
        Caller::new(self.house.channel(), token)
    }

    /// Returns the holder of a fresh token.
    async fn caller(&self, client: &str) -> Caller {
        self.holder(&self.token(client).await)
    }

    /// Makes sure that `token` opens nothing, and that the answer is that to no token at all.
    async fn refuses(&self, token: &str) {
        let nothing = knocks(&Caller::stranger(self.house.channel())).await.unwrap_err();
        let status = knocks(&self.holder(token)).await.unwrap_err();
        is_nobody(&status);
        assert_eq!((status.message(), status.details()), (nothing.message(), nothing.details()));
    }
}

/// Splits a token into header, claims and signature.
fn parts(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

fn decoded(part: &str) -> Value {
    serde_json::from_slice(&BASE64URL_NOPAD.decode(part.as_bytes()).unwrap()).unwrap()
}

fn encoded(value: &Value) -> String {
    BASE64URL_NOPAD.encode(value.to_string().as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_holder_of_a_token_is_whom_the_first_rule_that_fits_says() {
    let stage = Stage::start(json!({})).await;
    let checkout = stage.caller("checkout").await;
    assert_eq!(knocks(&checkout).await.unwrap(), "acme");
    // A platform does not audit.
    assert_eq!(reason(&audits(&checkout).await.unwrap_err()), "PERMISSION_DENIED");
    places(&checkout, "ann").await.unwrap();
    let event = newest(&stage.tenant.auditor, "ann").await;
    assert_eq!((&*event.requester, &*event.tenant), ("token:login:checkout", "acme"));
    assert_eq!(audits(&stage.caller("boss").await).await.unwrap(), "acme");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_confines_its_holder_to_an_organisation() {
    let stage = Stage::start(json!({})).await;
    for organisation in ["north", "south"] {
        let request = CreateOrganisationRequest {
            organisation_id: organisation.to_owned(),
            display_name: organisation.to_owned(),
            ..Default::default()
        };
        stage.tenant.admin.admin().create_organisation(request).await.unwrap();
    }
    for (user, organisation) in [("ann", "north"), ("bob", "south")] {
        let placement = Placement { organisation_id: organisation.to_owned(), privileged: false };
        let request = PlaceUserRequest { placement: Some(placement), ..placed(user) };
        stage.tenant.platform.enrollment().place_user(request).await.unwrap();
    }
    let customer = stage.caller("customer").await;
    looks_at(&customer, "ann").await.unwrap();
    for other in ["bob", "nobody"] {
        let status = looks_at(&customer, other).await.unwrap_err();
        assert_eq!(reason(&status), "PERMISSION_DENIED", "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_token_of_the_installation_names_a_tenant() {
    let stage = Stage::start(json!({})).await;
    stage.house.tenant("globex").await;
    let watch = stage.caller("watch").await;
    for tenant in ["acme", "globex"] {
        assert_eq!(audits(&watch.naming(tenant)).await.unwrap(), tenant);
    }
    let unsaid = audits(&watch).await.unwrap_err();
    assert_eq!(reason(&unsaid), "FIELD_INVALID");
    assert!(unsaid.message().starts_with("countersign-tenant"), "{unsaid:?}");
    // It looks, and changes nothing.
    let status = places(&watch.naming("acme"), "ann").await.unwrap_err();
    assert_eq!(reason(&status), "PERMISSION_DENIED");
    let boss = stage.caller("boss").await;
    assert_eq!(audits(&boss.naming("acme")).await.unwrap(), "acme");
    for other in ["globex", "platform", "nowhere"] {
        let status = audits(&boss.naming(other)).await.unwrap_err();
        assert_eq!(reason(&status), "PERMISSION_DENIED", "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_not_right_is_refused_in_the_words_for_none() {
    let stage = Stage::start(json!({})).await;
    let token = stage.token("checkout").await;
    // No rule fits, or the one that does needs a claim that is not there.
    for client in ["guest", "nowhere"] {
        stage.refuses(&stage.token(client).await).await;
    }
    stage.refuses(&stage.issuer.access_token("checkout", "https://other.example.com").await).await;
    let other = OidcIssuer::start([IssuerClient::new("checkout")]).await;
    stage.refuses(&other.access_token("checkout", AUDIENCE).await).await;
    let [header, claims, signature] = parts(&token);
    let mut promoted = decoded(claims);
    promoted["groups"] = json!(["auditors"]);
    stage.refuses(&format!("{header}.{}.{signature}", encoded(&promoted))).await;
    for alg in ["none", "None", "NONE"] {
        let mut unsigned = decoded(header);
        unsigned["alg"] = json!(alg);
        for end in ["", signature] {
            stage.refuses(&format!("{}.{claims}.{end}", encoded(&unsigned))).await;
        }
    }
    for wrong in [claims, "a.b.c", "..", "Bearer", &"x".repeat(9_000)] {
        stage.refuses(wrong).await;
    }
    knocks(&stage.holder(&token)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_key_makes_no_signature() {
    let stage = Stage::start(json!({})).await;
    let token = stage.token("checkout").await;
    let [header, claims, _] = parts(&token);
    let mut header = decoded(header);
    let keys = stage.issuer.published_keys().await;
    let same = |key: &&Value| key["kid"] == header["kid"];
    let key = keys["keys"].as_array().unwrap().iter().find(same).unwrap();
    let point = |name: &str| BASE64URL_NOPAD.decode(key[name].as_str().unwrap().as_bytes());
    let point = [vec![4], point("x").unwrap(), point("y").unwrap()].concat();
    header["alg"] = json!("HS256");
    let signed = format!("{}.{claims}", encoded(&header));
    for secret in [point.clone(), key.to_string().into_bytes(), keys.to_string().into_bytes()] {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let tag = BASE64URL_NOPAD.encode(hmac::sign(&secret, signed.as_bytes()).as_ref());
        stage.refuses(&format!("{signed}.{tag}")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_its_time_and_a_leeway() {
    let stage = Stage::start(json!({"leeway_seconds": 0})).await;
    let token = stage.token("checkout").await;
    let ends = decoded(parts(&token)[1])["exp"].as_i64().unwrap();
    let left = ends - stage.house.now().unix_seconds();
    stage.house.clock.advance(Duration::from_secs(u64::try_from(left).unwrap() - 2));
    knocks(&stage.holder(&token)).await.unwrap();
    stage.house.clock.advance(Duration::from_secs(2));
    stage.refuses(&token).await;
}

#[test]
fn no_rule_makes_the_holder_of_a_token_a_user() {
    let config: CallersConfig = serde_json::from_value(json!({"issuers": [{
        "trusted": {"name": "login", "issuer": "https://login.example.com", "audiences": ["a"]},
        "callers": [{"tenant": "acme", "roles": ["self"]}],
    }]}))
    .unwrap();
    let clock = std::sync::Arc::new(countersign_service::SystemClock);
    let said = format!("{:#}", config.identities(clock).unwrap_err());
    assert!(said.contains("rule 1: roles: \"self\" does not fit the tenant"), "{said}");
}
