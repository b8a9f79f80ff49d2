//! Nothing that is secret or personal is logged, whatever the log's filter, and nothing of it touches the disk in the clear.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by panicking"
)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use countersign_core::Timestamp;
use countersign_proto::{
    enrollment::start_enrollment_request::Parameters,
    enrollment::{ConfirmationOutcome, StartEnrollmentRequest, TotpAlgorithm, TotpParameters},
    policy::{EvaluateSignInRequest, SignInContext},
};
use countersign_tests::{
    Caller, Phone, Process, Tenant,
    load::widen,
    process::{doctor, run, serve, text},
    reason,
    schema::rpcs,
};
use data_encoding::{BASE32_NOPAD, BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER};
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};
use tonic::Request;

const USER: &str = "marguerite.quillfeather@example.org";
const DISPLAY_NAME: &str = "Marguerite's plum-coloured telephone";
const ACCOUNT_NAME: &str = "quillfeather-marguerite";
const USER_AGENT: &str = "Netscape-Marguerite/4.08";
const DEVICE: &str = "device-of-marguerite-7f3a";
/// Of eight digits, as hers are, and right only by a chance of one in millions.
const WRONG_CODES: [&str; 3] = ["73914682", "59106273", "84620917"];
/// Found in the clear on the disk and so proves that the search finds what is there.
const KNOWN_ON_DISK: &str = "VERIFICATION_OF_THE_SEARCH";

/// What must not be found, by what it is.
#[derive(Debug, Default)]
struct Secrets(Vec<(String, String)>);

impl Secrets {
    /// Adds a text.
    fn add(&mut self, what: &str, secret: &str) {
        assert!(
            secret.len() >= 8,
            "{what} is too short to be told from what stands there by chance"
        );
        self.0.push((what.to_owned(), secret.to_owned()));
    }

    /// Adds bytes, raw and as they are written down.
    fn add_bytes(&mut self, what: &str, secret: &[u8]) {
        self.add(&format!("{what}, raw"), &latin(secret));
        for encoding in [BASE32_NOPAD, BASE64, BASE64URL_NOPAD, HEXLOWER, HEXUPPER] {
            self.add(&format!("{what}, encoded"), &encoding.encode(secret));
        }
    }

    /// Adds an API key by what nobody else knows of it.
    fn add_key(&mut self, key: &str) {
        let (_, secret) = key.rsplit_once('.').unwrap();
        self.add("an API key", secret);
        self.add_bytes("an API key", &BASE64URL_NOPAD.decode(secret.as_bytes()).unwrap());
    }

    /// Returns what of it is in `haystack`.
    fn found_in(&self, haystack: &str) -> Vec<&str> {
        let found = self.0.iter().filter(|(_, secret)| haystack.contains(secret));
        found.map(|(what, _)| what.as_str()).collect()
    }
}

/// Returns bytes as a text of as many characters, in which texts and bytes can be searched alike.
fn latin(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Returns the files below `directory`.
fn files(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Returns a message in which every text says `text`.
fn filled(message: &MessageDescriptor, text: &str) -> DynamicMessage {
    let mut filling = DynamicMessage::new(message.clone());
    for field in message.fields() {
        let kind = field.kind();
        let nested =
            kind.as_message().filter(|inner| inner.full_name().starts_with("countersign."));
        let value = match nested {
            Some(inner) => Value::Message(filled(inner, text)),
            None if matches!(kind, Kind::String) => Value::String(text.to_owned()),
            None => continue,
        };
        let value = if field.is_list() { Value::List(vec![value]) } else { value };
        filling.set_field(&field, value);
    }
    filling
}

/// Sends every RPC a message whose texts are all something that a confused caller took from elsewhere.
async fn misplace(caller: &Caller, secrets: &mut Secrets) {
    let misplaced = "hunter2!Tr0ub4dor&3";
    secrets.add("a misplaced text", misplaced);
    let texts = [misplaced.to_owned(), format!("{misplaced}\n{misplaced}"), misplaced.repeat(300)];
    let mut refused = 0;
    for rpc in rpcs() {
        for text in &texts {
            let message = filled(&rpc.0.input(), text);
            if let Err(status) = caller.call(&rpc.path(), &message).await {
                assert!(!format!("{status:?}").contains(misplaced), "{}: {status:?}", rpc.path());
                assert_ne!(reason(&status), "INTERNAL", "{}", rpc.path());
                refused += 1;
            }
        }
    }
    assert!(refused > 60, "only {refused} requests were refused");
}

/// Enrols an authenticator, and notes all that must stay between the user and us.
async fn enrol(tenant: &Tenant, algorithm: TotpAlgorithm, secrets: &mut Secrets) -> Phone {
    let parameters =
        TotpParameters { algorithm: algorithm.into(), digits: 8, ..Default::default() };
    let request = StartEnrollmentRequest {
        request_id: format!("start-{algorithm:?}"),
        user_id: USER.to_owned(),
        kind: "totp".to_owned(),
        display_name: DISPLAY_NAME.to_owned(),
        account_name: ACCOUNT_NAME.to_owned(),
        parameters: Some(Parameters::Totp(parameters)),
    };
    let (totp, phone) = tenant.start(request).await;
    secrets.add("a key URI", &totp.key_uri);
    secrets.add("a QR code", totp.qr_text.lines().nth(4).unwrap());
    secrets.add("a seed in base 32", &totp.secret_base32);
    secrets.add_bytes("a seed", &BASE32_NOPAD.decode(totp.secret_base32.as_bytes()).unwrap());
    phone
}

/// A whole journey with what goes wrong on the way; returns the id of one of its requests.
async fn travel(process: &Process, secrets: &mut Secrets) -> String {
    let tenant = process.tenant("acme").await;
    widen(&tenant).await;
    let now = tenant.now();
    let step = |step: i64| Timestamp::from_unix_seconds(now.unix_seconds() + 30 * step);
    let mut phones = Vec::new();
    for algorithm in [TotpAlgorithm::Sha1, TotpAlgorithm::Sha256] {
        let phone = enrol(&tenant, algorithm, secrets).await;
        let refused = tenant.confirm(USER, &phone, WRONG_CODES[0]).await.unwrap();
        assert_eq!(refused.outcome(), ConfirmationOutcome::Refused);
        let confirmed = tenant.confirm(USER, &phone, &phone.code(step(-5))).await.unwrap();
        assert_eq!(confirmed.outcome(), ConfirmationOutcome::Confirmed);
        for code in (-5..5).map(|n| phone.code(step(n))) {
            secrets.add("a code", &code);
        }
        phones.push(phone);
    }
    for code in WRONG_CODES {
        secrets.add("a wrong code", code);
    }
    let phone = &phones[0];
    let sign_in = EvaluateSignInRequest {
        user_id: USER.to_owned(),
        application_id: "vpn".to_owned(),
        context: Some(SignInContext {
            ip_address: "203.0.113.77".to_owned(),
            user_agent: USER_AGENT.to_owned(),
            device_id: DEVICE.to_owned(),
            resource: String::new(),
        }),
        ..Default::default()
    };
    let evaluated = tenant.platform.policy().evaluate_sign_in(sign_in).await.unwrap();
    let correlation = evaluated.metadata().get("countersign-correlation-id").unwrap();
    let correlation = correlation.to_str().unwrap().to_owned();

    for code in [phone.code(step(-4)), phone.code(step(-3))] {
        let challenge = tenant.challenge(USER).await;
        tenant.refused(USER, &challenge, WRONG_CODES[1]).await;
        let proved = tenant.verified(USER, &challenge, &code).await;
        secrets.add("an assertion", &proved.assertion);
        for part in proved.assertion.split('.').skip(1) {
            secrets.add("a part of an assertion", part);
        }
        // Closed, and the code is spent.
        tenant.verify(USER, &challenge, &code).await.unwrap_err();
        tenant.refused(USER, &tenant.challenge(USER).await, &code).await;
    }
    let recovery = tenant.issue_codes(USER).await;
    for code in &recovery {
        secrets.add("a recovery code", code);
        secrets.add("a recovery code", &code.replace('-', ""));
    }
    let challenge = tenant.challenge(USER).await;
    tenant.verified(USER, &challenge, &recovery[0]).await;
    let challenge = tenant.challenge(USER).await;
    tenant.refused(USER, &challenge, &recovery[0]).await;
    while tenant.try_challenge(USER).await.is_ok()
        && tenant.verify(USER, &challenge, WRONG_CODES[2]).await.is_ok()
    {}
    correlation
}

/// Makes keys, and calls with ones that are not right.
async fn try_keys(process: &Process, secrets: &mut Secrets) {
    let mut create = process.command(&["keys", "create", "a key", "--role", "verifier"]);
    create.args(["--tenant", "acme", "--json"]);
    let created = run(create).await;
    let created: serde_json::Value = serde_json::from_slice(&created.stdout).unwrap();
    let key = created["secret"].as_str().unwrap();
    secrets.add_key(key);
    secrets.add_key(&process.first_key());
    let (public, _) = key.rsplit_once('.').unwrap();
    let guessed = format!("{public}.{}", "Wr0ngButWellFormed".repeat(3).get(..43).unwrap());
    secrets.add("a guessed key", guessed.rsplit_once('.').unwrap().1);
    let nonsense = "not-a-key-at-all-but-somebodys-password";
    secrets.add("what is no key", nonsense);
    let channel = process.connect().await;
    for wrong in [guessed.as_str(), nonsense] {
        let caller = Caller::new(channel.clone(), wrong);
        let status = caller.admin().list_api_keys(Request::new(Default::default())).await;
        assert_eq!(reason(&status.unwrap_err()), "UNAUTHENTICATED");
    }
    let elsewhere = Caller::new(channel, key).naming("hunter2-tenant");
    assert!(elsewhere.admin().list_api_keys(Request::new(Default::default())).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_logged_or_stored_in_the_clear() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let traced = || {
        let mut command = serve(&data_dir);
        command.args(["--log-filter", "trace,h2=trace,hyper=trace,tonic=trace,tower=trace"]);
        command
    };
    let mut secrets = Secrets::default();
    for (what, personal) in [
        ("the user", USER),
        ("a display name", DISPLAY_NAME),
        ("an account name", ACCOUNT_NAME),
        ("a user agent", USER_AGENT),
        ("a device", DEVICE),
        ("an address", "203.0.113.77"),
    ] {
        secrets.add(what, personal);
    }
    let process = Process::spawn(traced(), &data_dir).await;
    let correlation = travel(&process, &mut secrets).await;
    try_keys(&process, &mut secrets).await;
    misplace(&process.operator().await.naming("acme"), &mut secrets).await;
    let known =
        run(process.command(&["tenants", "create", "known", "--display-name", KNOWN_ON_DISK]));
    assert!(known.await.status.success());
    let replayed = run(process.command(&["audit", "replay", "--json"])).await;
    assert!(text(&replayed.stdout).lines().count() > 40);
    let mut log = process.kill().await.log;
    // What a start after a crash tells, and what is written when a server stops.
    log.push_str(&Process::spawn(traced(), &data_dir).await.stop().await.log);

    assert!(log.contains(&correlation), "the search does not find what is logged");
    assert!(log.contains(r#""name":"rpc""#), "there are no spans in the log");
    assert_eq!(secrets.found_in(&latin(log.as_bytes())), [""; 0], "in the log");
    assert_eq!(secrets.found_in(&latin(&replayed.stdout)), [""; 0], "in the replay");
    let mut known = 0;
    for path in files(&data_dir).into_iter().filter(|path| !path.ends_with("first-key")) {
        let content = latin(&fs::read(&path).unwrap());
        known += usize::from(content.contains(KNOWN_ON_DISK));
        assert_eq!(secrets.found_in(&content), [""; 0], "in {}", path.display());
    }
    assert!(known > 0, "the search does not find what is stored");
    let first_key = fs::read(data_dir.join("first-key")).unwrap();
    assert!(secrets.found_in(&latin(&first_key)).contains(&"an API key"));
    doctor(&data_dir).await;
}
