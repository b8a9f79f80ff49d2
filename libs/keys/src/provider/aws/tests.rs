//! Signatures, and what AWS may answer. Against something that behaves like AWS: `tests/keys/providers`.

use std::fs;

use countersign_core::{SecretString, Timestamp};
use tempfile::TempDir;

use super::{
    super::tests::{At, answering, nobody},
    *,
};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30T12:36:00Z.
const THEN: i64 = 1_440_938_160;

/// Signs a request as AWS's published examples do, and returns its headers.
fn example(method: &str, session_token: Option<&str>) -> http::HeaderMap {
    let credentials = Credentials {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: SecretString::new(SECRET.to_owned()),
        session_token: session_token.map(|token| SecretString::new(token.to_owned())),
    };
    let request = Request::builder().method(method).uri("https://example.amazonaws.com/");
    let now = Timestamp::from_unix_seconds(THEN);
    let scope = Scope { region: "us-east-1", service: "service", now };
    let signed = signed(request.body(Bytes::new()).unwrap(), &credentials, &scope).unwrap();
    signed.headers().clone()
}

/// From AWS's signing test suite (`aws-c-auth`, `aws-signing-test-suite/v4`): `get-vanilla`, `post-vanilla`,
/// `get-vanilla-with-session-token`.
#[test]
fn signatures_are_those_of_the_published_examples() {
    let token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267";
    for (method, session_token, headers, signature) in [
        (
            "GET",
            None,
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        (
            "POST",
            None,
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            "GET",
            Some(token),
            "host;x-amz-date;x-amz-security-token",
            "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8",
        ),
    ] {
        let found = example(method, session_token);
        assert_eq!(found["x-amz-date"], "20150830T123600Z");
        assert_eq!(
            found["authorization"].to_str().unwrap(),
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={headers}, Signature={signature}"
            )
        );
    }
}

fn kms(endpoint: &str) -> (TempDir, Kms) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("credentials");
    let text = format!(
        "# ours\n[default]\naws_access_key_id = other\naws_secret_access_key = other\n\n[kek]\n\
         aws_access_key_id = AKIDEXAMPLE\naws_secret_access_key={SECRET}\naws_session_token = s3ss10n\n"
    );
    fs::write(&path, text).unwrap();
    let settings = AwsSettings {
        region: "eu-west-1".to_owned(),
        key_id: "alias/kek".to_owned(),
        endpoint: Some(endpoint.to_owned()),
        credentials_file: Some(path),
        profile: "kek".to_owned(),
        ca_file: None,
    };
    (directory, Kms::new(&settings, Arc::new(At(THEN))).unwrap())
}

async fn unwrapped(status: &str, body: &str) -> Result<SecretBytes, ProviderError> {
    let (url, _served) = answering(status, body).await;
    let (_directory, kms) = kms(&url);
    let outcome = kms.unwrap(2, &[1, 2, 3]).await;
    if let Err(error) = &outcome {
        let told = format!("{error} {error:?} {kms:?}");
        assert!(!told.contains(SECRET) && !told.contains("s3ss10n"), "{told}");
    }
    outcome
}

#[tokio::test]
async fn a_request_is_signed_and_names_the_key_and_what_the_version_is_bound_to() {
    let (url, served) = answering("200 OK", r#"{"CiphertextBlob":"AQID","KeyId":"k"}"#).await;
    let (_directory, kms) = kms(&url);
    let wrapped = kms.wrap(2, &SecretBytes::new(vec![0xAB; 32])).await.unwrap();
    assert_eq!(*wrapped, [1, 2, 3]);
    let asked = served.await.unwrap();
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST / HTTP/1.1\r\n"), "{head}");
    for header in [
        "x-amz-target: TrentService.Encrypt",
        "content-type: application/x-amz-json-1.1",
        "x-amz-security-token: s3ss10n",
        "x-amz-date: 20150830T123600Z",
        "Credential=AKIDEXAMPLE/20150830/eu-west-1/kms/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=",
    ] {
        assert!(head.contains(header), "{head}");
    }
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let expected = serde_json::json!({
        "KeyId": "alias/kek",
        "EncryptionContext": {"countersign": "key-encryption key", "version": "2"},
        "Plaintext": BASE64.encode(&[0xAB; 32]),
    });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn errors_of_aws_are_told_apart() {
    type Check = fn(&ProviderError) -> bool;
    let forbidden: Check = |error| matches!(error, ProviderError::Forbidden { .. });
    let wrong_key: Check = |error| matches!(error, ProviderError::WrongKey { .. });
    let away: Check = |error| matches!(error, ProviderError::Away { .. });
    for (kind, is_right) in [
        ("AccessDeniedException", forbidden),
        ("DisabledException", forbidden),
        ("KMSInvalidStateException", forbidden),
        ("UnrecognizedClientException", forbidden),
        ("ExpiredTokenException", forbidden),
        ("InvalidSignatureException", forbidden),
        ("IncorrectKeyException", wrong_key),
        ("InvalidCiphertextException", wrong_key),
        ("NotFoundException", wrong_key),
        ("com.amazonaws.kms#NotFoundException", wrong_key),
        ("ThrottlingException", away),
        ("KMSInternalException", away),
        ("DependencyTimeoutException", away),
    ] {
        let body = format!(r#"{{"__type":"{kind}","message":"it is so"}}"#);
        let error = unwrapped("400 Bad Request", &body).await.unwrap_err();
        assert!(is_right(&error), "{kind}: {error:?}");
        assert!(error.to_string().contains("it is so"), "{error}");
    }
    for (status, is_right) in [("503 Service Unavailable", away), ("403 Forbidden", forbidden)] {
        let error = unwrapped(status, "<html>").await.unwrap_err();
        assert!(is_right(&error), "{status}: {error:?}");
    }
    let error = kms(&nobody().await).1.unwrap(2, &[1]).await.unwrap_err();
    assert!(away(&error), "{error:?}");
}

#[tokio::test]
async fn nonsense_is_refused_and_not_repeated() {
    for (status, body) in [
        ("200 OK", "secret nonsense"),
        ("200 OK", r#"{"KeyId":"k"}"#),
        ("200 OK", r#"{"Plaintext":"no base 64 secret"}"#),
        ("301 Moved Permanently", ""),
        ("400 Bad Request", "secret"),
        ("400 Bad Request", r#"{"__type":"NewException"}"#),
    ] {
        let error = unwrapped(status, body).await.unwrap_err();
        assert!(matches!(error, ProviderError::Malformed { .. }), "{status}: {error:?}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    for secret in [SECRET, "s3ss10n"] {
        let body = format!(r#"{{"__type":"AccessDeniedException","message":"not {secret}"}}"#);
        let error = unwrapped("400 Bad Request", &body).await.unwrap_err();
        assert!(matches!(error, ProviderError::Forbidden { .. }), "{error:?}");
    }
}

#[test]
fn credentials_come_from_the_environment_or_from_a_profile() {
    let variables = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" => Some("id".to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some(SECRET.to_owned()),
        _ => Some(String::new()),
    };
    let found = Credentials::of(variables).unwrap();
    assert_eq!((found.access_key_id.as_str(), found.secret_access_key.expose()), ("id", SECRET));
    assert!(found.session_token.is_none());
    assert!(!format!("{found:?}").contains(SECRET));
    assert!(Credentials::of(|_| None).is_none());

    let text = "[a]\naws_access_key_id=1\n[b]\naws_access_key_id=2\naws_secret_access_key=x=y\n";
    let found = Credentials::of_file(text, "b").unwrap();
    assert_eq!((found.access_key_id.as_str(), found.secret_access_key.expose()), ("2", "x=y"));
    let error = Credentials::of_file(text, "a").unwrap_err();
    assert_eq!(error, "profile a has no aws_secret_access_key");
    assert_eq!(Credentials::of_file(text, "c").unwrap_err(), "profile c has no aws_access_key_id");
    let nowhere = std::path::Path::new("/nowhere/credentials");
    let error = Credentials::load(Some(nowhere), "default").unwrap_err().to_string();
    assert!(error.starts_with("keys.aws.credentials_file: /nowhere/credentials: "), "{error}");
}

#[test]
fn settings_that_would_lead_elsewhere_are_refused() {
    let settings = |region: &str, key_id: &str, endpoint: Option<&str>| AwsSettings {
        region: region.to_owned(),
        key_id: key_id.to_owned(),
        endpoint: endpoint.map(str::to_owned),
        credentials_file: None,
        profile: "default".to_owned(),
        ca_file: None,
    };
    let made = |settings| Kms::new(&settings, Arc::new(At(THEN)));
    let endpoint = made(settings("eu-west-1", "k", None)).unwrap().endpoint;
    assert_eq!(endpoint, "https://kms.eu-west-1.amazonaws.com/");
    let endpoint = made(settings("cn-north-1", "k", None)).unwrap().endpoint;
    assert_eq!(endpoint, "https://kms.cn-north-1.amazonaws.com.cn/");
    for (region, key_id, endpoint, field) in [
        ("", "k", None, "keys.aws.region"),
        ("evil.example/", "k", None, "keys.aws.region"),
        ("eu-west-1", "", None, "keys.aws.key_id"),
        ("eu-west-1", "k", Some("http://kms.example.com"), "keys.aws.endpoint"),
    ] {
        let error = made(settings(region, key_id, endpoint)).unwrap_err().to_string();
        assert!(error.starts_with(field), "{error}");
    }
}
