use serde_json::json;

use super::*;

fn rule(value: Value) -> TokenRule {
    serde_json::from_value(value).unwrap()
}

fn rules(values: impl IntoIterator<Item = Value>) -> TokenRules {
    TokenRules::new(&values.into_iter().map(rule).collect::<Vec<_>>()).unwrap()
}

fn refused(value: Value) -> String {
    TokenRules::new(&[rule(value)]).unwrap_err().to_string()
}

fn claims(value: Value) -> Map<String, Value> {
    let Value::Object(claims) = value else { panic!("claims are an object") };
    claims
}

fn certificate(spiffe_id: &str, tenant: &str, role: &str) -> CertificateRule {
    CertificateRule {
        spiffe_id: spiffe_id.to_owned(),
        tenant: tenant.to_owned(),
        organisation: None,
        roles: vec![role.to_owned()],
    }
}

#[test]
fn the_first_rule_that_fits_decides() {
    let rules = rules([
        json!({"when": {"groups": "mfa-admins"}, "tenant": "acme", "roles": ["tenant_admin"]}),
        json!({"when": {"groups": "staff"}, "tenant": "acme", "roles": ["auditor"]}),
    ]);
    let roles = |groups: Value| Some(rules.standing(&claims(json!({"groups": groups})))?.roles);
    assert_eq!(roles(json!(["staff", "mfa-admins"])), Some(vec![Role::TenantAdmin]));
    assert_eq!(roles(json!("staff")), Some(vec![Role::Auditor]));
    for nobody in
        [json!(["guests"]), json!("staffs"), json!(null), json!({"staff": true}), json!(7)]
    {
        assert_eq!(roles(nobody), None);
    }
    assert_eq!(rules.standing(&claims(json!({}))), None);
}

#[test]
fn a_claim_inside_another_is_found_by_its_pointer() {
    let of_kubernetes = json!({
        "when": {"/kubernetes.io/namespace": "login", "/a~1b": "c"},
        "tenant": "acme",
        "roles": ["verifier"]
    });
    let rules = rules([of_kubernetes]);
    let with =
        |namespace: &str| claims(json!({"kubernetes.io": {"namespace": namespace}, "a/b": "c"}));
    assert!(rules.standing(&with("login")).is_some());
    assert!(rules.standing(&with("other")).is_none());
}

#[test]
fn a_claim_names_the_tenant_but_never_gives_a_role_of_the_installation() {
    let rules = rules([
        json!({"tenant_claim": "tid", "organisation_claim": "org", "roles": ["org_admin"]}),
    ]);
    let standing = rules.standing(&claims(json!({"tid": "acme", "org": "north"}))).unwrap();
    assert_eq!(standing.tenant.as_str(), "acme");
    assert_eq!(standing.organisation.unwrap().as_str(), "north");
    for nobody in [
        json!({"tid": "platform", "org": "north"}),
        json!({"tid": "ACME", "org": "north"}),
        json!({"tid": "acme"}),
    ] {
        assert_eq!(rules.standing(&claims(nobody)), None);
    }
    let text = refused(json!({"tenant_claim": "tid", "roles": ["platform_admin"]}));
    assert!(text.contains("does not fit the tenant"), "{text}");
}

#[test]
fn a_rule_that_makes_no_sense_is_named_with_the_mend() {
    for (value, part) in [
        (json!({"roles": ["verifier"]}), "tenant or tenant_claim is required"),
        (json!({"tenant": "a", "tenant_claim": "b", "roles": ["verifier"]}), "exclude each other"),
        (json!({"tenant": "A!", "roles": ["verifier"]}), "tenant may only have"),
        (json!({"tenant": "acme", "roles": []}), "roles must name at least one"),
        (json!({"tenant": "acme", "roles": ["root"]}), "\"root\" does not fit"),
        (json!({"tenant": "acme", "roles": ["self"]}), "\"self\" does not fit"),
        (json!({"tenant": "acme", "roles": ["platform_admin"]}), "does not fit the tenant"),
        (json!({"tenant": "platform", "roles": ["verifier"]}), "platform_admin, auditor do"),
        (json!({"tenant": "acme", "roles": ["org_admin"]}), "org_admin needs an organisation"),
        (
            json!({"tenant": "acme", "organisation": "n", "roles": ["auditor"]}),
            "cannot be confined",
        ),
        (
            json!({"tenant": "acme", "organisation": "N!", "roles": ["verifier"]}),
            "organisation may only",
        ),
    ] {
        let text = refused(value);
        assert!(text.starts_with("rule 1: ") && text.contains(part), "{text}");
    }
}

#[test]
fn a_certificate_is_known_by_its_id_or_by_what_it_stands_below() {
    let rules = CertificateRules::new(&[
        certificate("spiffe://example.org/ns/prod/sa/audit", "acme", "auditor"),
        certificate("spiffe://example.org/ns/prod/*", "acme", "verifier"),
    ]);
    let rules = rules.unwrap();
    let roles = |id: &str| Some(rules.standing(id)?.roles);
    assert_eq!(roles("spiffe://example.org/ns/prod/sa/audit"), Some(vec![Role::Auditor]));
    assert_eq!(roles("spiffe://example.org/ns/prod/sa/login"), Some(vec![Role::Verifier]));
    for nobody in [
        "spiffe://example.org/ns/prod/",
        "spiffe://example.org/ns/production/sa/login",
        "spiffe://example.org.evil/ns/prod/sa/login",
        "spiffe://example.org/ns",
    ] {
        assert_eq!(roles(nobody), None, "{nobody}");
    }
}

#[test]
fn a_pattern_of_certificates_is_bounded_by_its_trust_domain() {
    for id in [
        "spiffe://*",
        "spiffe://*/a",
        "spiffe://example.org/",
        "https://example.org/a",
        "spiffe://example.org/a*",
        "spiffe://example.org/*/a",
        "spiffe:///a",
    ] {
        let error = CertificateRules::new(&[certificate(id, "acme", "verifier")]).unwrap_err();
        assert!(error.to_string().contains("spiffe_id must be"), "{id}");
    }
    assert!(
        CertificateRules::new(&[certificate("spiffe://example.org/*", "acme", "verifier")]).is_ok()
    );
}

#[test]
fn a_subject_that_is_long_or_odd_is_told_by_its_hash() {
    assert_eq!(requester("corp", "ann"), "token:corp:ann");
    for odd in ["", "a\nb", &"x".repeat(129)] {
        let told = requester("corp", odd);
        assert!(told.starts_with("token:corp:sha256:") && told.len() < 100, "{told}");
    }
}
