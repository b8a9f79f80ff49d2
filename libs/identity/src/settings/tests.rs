//! Settings as they stand in a file.

use super::*;

const SMALLEST: &str = "name: login\nissuer: https://login.example.com\naudiences: [us]\n";

fn read(yaml: &str) -> Result<IssuerSettings, String> {
    let source = config::File::from_str(yaml, config::FileFormat::Yaml);
    let read = config::Config::builder().add_source(source).build().unwrap();
    let settings: IssuerSettings = read.try_deserialize().map_err(|error| error.to_string())?;
    IssuerSettings::check(std::slice::from_ref(&settings)).map_err(|error| error.to_string())?;
    Ok(settings)
}

fn problem_with(line: &str) -> String {
    read(&format!("{SMALLEST}{line}\n")).expect_err(line)
}

#[test]
fn what_is_left_out_is_as_usual() {
    let usual = IssuerSettings::new(
        "login",
        "https://login.example.com".parse().unwrap(),
        ["us".to_owned()],
    );
    assert_eq!(read(SMALLEST).unwrap(), usual);
    assert_eq!(usual.algorithms.len(), 4);
}

#[test]
fn everything_can_be_said() {
    let more = "algorithms: [ES384, Ed25519]\ntypes: [JWT]\njwks_uri: https://keys.example.com/k\n\
                ca_file: /ca.pem\nbearer_token_file: /token\nleeway_seconds: 0\n\
                max_key_age_seconds: 60\nserve_stale_seconds: 0\n";
    let settings = read(&format!("{SMALLEST}{more}")).unwrap();
    assert_eq!(settings.algorithms, [Algorithm::Es384, Algorithm::EdDsa]);
    assert_eq!(settings.jwks_uri.unwrap().as_str(), "https://keys.example.com/k");
    assert_eq!((settings.leeway_seconds, settings.serve_stale_seconds), (0, 0));
}

#[test]
fn a_field_that_makes_no_sense_is_named_with_its_mend() {
    for (line, field, mend) in [
        ("leeway_seconds: 61", "leeway_seconds", "0 to 60"),
        ("max_key_age_seconds: 9", "max_key_age_seconds", "10 to 86400"),
        ("serve_stale_seconds: 604801", "serve_stale_seconds", "0 to 604800"),
        ("algorithms: []", "algorithms", "such as RS256"),
        ("algorithms: [HS256]", "algorithms", "can forge them"),
        ("algorithms: [none]", "algorithms", "not signed"),
        ("algorithms: [ES512]", "algorithms", "must be one of RS256"),
        ("types: []", "types", "such as JWT"),
        ("jwks_uri: http://keys.example.com", "jwks_uri", "must begin with https://"),
        ("audience: us", "audience", "unknown field"),
    ] {
        let problem = problem_with(line);
        assert!(problem.contains(field) && problem.contains(mend), "{line}: {problem}");
    }
}

#[test]
fn who_and_for_whom_must_be_said() {
    for (yaml, field) in [
        ("issuer: https://a.example\naudiences: [us]", "name"),
        ("name: a\naudiences: [us]", "issuer"),
        ("name: a\nissuer: https://a.example", "audiences"),
        ("name: a\nissuer: https://a.example\naudiences: []", "audiences"),
        ("name: a\nissuer: https://a.example\naudiences: ['']", "audiences"),
        ("name: A b\nissuer: https://a.example\naudiences: [us]", "name"),
        ("name: ''\nissuer: https://a.example\naudiences: [us]", "name"),
    ] {
        let problem = read(yaml).unwrap_err();
        assert!(problem.contains(field), "{yaml}: {problem}");
    }
}

#[test]
fn two_issuers_with_one_name_or_one_address_are_refused() {
    let settings =
        |name, issuer: &str| IssuerSettings::new(name, issuer.parse().unwrap(), ["us".to_owned()]);
    let a = settings("a", "https://a.example");
    let error = |other| IssuerSettings::check(&[a.clone(), other]).unwrap_err().to_string();
    assert!(error(settings("a", "https://b.example")).starts_with("name of issuer \"a\""));
    assert!(error(settings("b", "https://a.example")).starts_with("issuer of issuer \"b\""));
    assert!(IssuerSettings::check(&[a.clone(), settings("b", "https://b.example")]).is_ok());
}

#[test]
fn tokens_of_other_kinds_are_not_taken() {
    let settings = read(SMALLEST).unwrap();
    for typ in [None, Some("JWT"), Some("jwt"), Some("at+jwt"), Some("application/at+jwt")] {
        assert!(settings.takes_type(typ), "{typ:?}");
    }
    for typ in ["logout+jwt", "secevent+jwt", "dpop+jwt", "id_token", ""] {
        assert!(!settings.takes_type(Some(typ)), "{typ}");
    }
    let access_tokens = read(&format!("{SMALLEST}types: [at+jwt]\n")).unwrap();
    assert!(!access_tokens.takes_type(None) && !access_tokens.takes_type(Some("JWT")));
}
