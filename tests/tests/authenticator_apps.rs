//! Users' authenticator apps, by other people's code: oathtool and pyotp read what we show, and we accept what they show.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what goes wrong in a test has failed it")]

use std::time::Duration;

use countersign_core::{Rng, Timestamp};
use countersign_factors::{
    BeginEnrollment, Consumes, FactorSettings, Provisioning, Verdict, factor,
};
use countersign_proto::{
    admin::CreateTenantRequest,
    challenge::VerificationOutcome,
    enrollment::{
        ConfirmEnrollmentRequest, ConfirmationOutcome, StartEnrollmentRequest, TotpAlgorithm,
        TotpParameters, TotpProvisioning, start_enrollment_request as start,
        start_enrollment_response as started,
    },
};
use countersign_tests::{
    Caller, House, Tenant,
    tools::{checkout, oathtool, python, said},
};
use serde_json::{Value, json};
use tokio::process::Command;

/// What an app is set up with.
#[derive(Clone, Copy, Debug)]
struct SetUp {
    algorithm: TotpAlgorithm,
    digits: u32,
    period_seconds: u32,
}

impl SetUp {
    /// What apps can be set up with. pyotp takes no period above 120 seconds (NIST SP 800-63B-4 section 3.1.4.1).
    fn all() -> impl Iterator<Item = Self> {
        let algorithms = [TotpAlgorithm::Sha1, TotpAlgorithm::Sha256, TotpAlgorithm::Sha512];
        algorithms.into_iter().flat_map(|algorithm| {
            [6, 8].into_iter().flat_map(move |digits| {
                let periods = [15, 30, 60, 120].into_iter();
                periods.map(move |period_seconds| Self { algorithm, digits, period_seconds })
            })
        })
    }

    /// What every app takes for granted.
    const DEFAULT: Self = Self { algorithm: TotpAlgorithm::Sha1, digits: 6, period_seconds: 30 };

    /// Names the user who has it.
    fn user(self) -> String {
        format!("{}-{}-{}", self.algorithm(), self.digits, self.period_seconds)
    }

    /// Returns its hash function as oathtool and Python call it.
    fn algorithm(self) -> &'static str {
        match self.algorithm {
            TotpAlgorithm::Unspecified | TotpAlgorithm::Sha1 => "sha1",
            TotpAlgorithm::Sha256 => "sha256",
            TotpAlgorithm::Sha512 => "sha512",
        }
    }

    /// Returns the code that oathtool computes.
    async fn oathtool(self, secret_base32: &str, time: i64) -> String {
        let mut command = Command::new(oathtool());
        command
            .arg(format!("--totp={}", self.algorithm()))
            .args(["-d", &self.digits.to_string(), "-s", &format!("{}s", self.period_seconds)])
            .args(["-N", &format!("@{time}"), "-b", secret_base32])
            .kill_on_drop(true);
        said(command).await.trim().to_owned()
    }
}

/// Has pyotp read key URIs, each with times to show the codes of.
async fn pyotp(entries: &[(&str, Vec<i64>)]) -> Vec<Value> {
    let entries: Vec<_> =
        entries.iter().map(|(uri, times)| json!({ "uri": uri, "times": times })).collect();
    let mut command = Command::new(python());
    let app = checkout().join("tests/python/authenticator_app.py");
    command.arg("-B").arg(app).arg(json!(entries).to_string()).kill_on_drop(true);
    serde_json::from_str(&said(command).await).unwrap()
}

/// Begins to enrol an authenticator app of `user`.
async fn start(
    caller: &Caller,
    user: &str,
    account: &str,
    set_up: Option<SetUp>,
) -> (String, TotpProvisioning) {
    let parameters = set_up.map(|set_up| TotpParameters {
        algorithm: set_up.algorithm.into(),
        digits: set_up.digits,
        period_seconds: set_up.period_seconds,
    });
    let request = StartEnrollmentRequest {
        user_id: user.to_owned(),
        kind: "totp".to_owned(),
        account_name: account.to_owned(),
        parameters: parameters.map(start::Parameters::Totp),
        ..Default::default()
    };
    let started = caller.enrollment().start_enrollment(request).await.unwrap().into_inner();
    let Some(started::Provisioning::Totp(shown)) = started.provisioning else {
        panic!("an enrolment of kind totp comes with what the app needs")
    };
    (started.authenticator.unwrap().authenticator_id, shown)
}

async fn confirm(tenant: &Tenant, user: &str, authenticator_id: &str, code: &str) {
    let request = ConfirmEnrollmentRequest {
        user_id: user.to_owned(),
        authenticator_id: authenticator_id.to_owned(),
        code: code.to_owned(),
        ..Default::default()
    };
    let response = tenant.platform.enrollment().confirm_enrollment(request).await.unwrap();
    assert_eq!(response.into_inner().outcome(), ConfirmationOutcome::Confirmed, "{user}: {code}");
}

async fn verify(tenant: &Tenant, user: &str, code: &str) {
    let challenge = tenant.challenge(user).await;
    let answer = tenant.verify(user, &challenge, code).await.unwrap();
    assert_eq!(answer.outcome(), VerificationOutcome::Verified, "{user}: {code}");
}

#[tokio::test]
async fn apps_read_every_set_up_and_their_codes_are_accepted() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    // Further apart than the longest period, so that no code is of a step that was used.
    let apart = Duration::from_secs(121);
    let first = house.now().unix_seconds();
    let times = vec![first, first + 121, first + 242];

    let mut enrolled = Vec::new();
    for set_up in SetUp::all().map(Some).chain([None]) {
        let user = set_up.map_or_else(|| "default".to_owned(), SetUp::user);
        let (id, shown) = start(&tenant.platform, &user, "", set_up).await;
        enrolled.push((set_up.unwrap_or(SetUp::DEFAULT), user, id, shown));
    }
    let entries: Vec<_> =
        enrolled.iter().map(|(_, _, _, shown)| (&*shown.key_uri, times.clone())).collect();
    let entries = pyotp(&entries).await;
    assert_eq!(entries.len(), 25);

    for ((set_up, user, id, shown), entry) in enrolled.iter().zip(&entries) {
        assert_eq!((&entry["issuer"], &entry["account"]), (&json!("acme"), &json!(user)));
        assert_eq!(entry["algorithm"], set_up.algorithm(), "{user}");
        assert_eq!(entry["digits"], set_up.digits, "{user}");
        assert_eq!(entry["period"], set_up.period_seconds, "{user}");
        assert_eq!(entry["secret"], shown.secret_base32, "{user}");
        for (time, code) in times.iter().zip(entry["codes"].as_array().unwrap()) {
            let other = set_up.oathtool(&shown.secret_base32, *time).await;
            assert_eq!(*code, other, "the two apps differ: {user} at {time}");
        }
        confirm(&tenant, user, id, entry["codes"][0].as_str().unwrap()).await;
    }
    for at in [1, 2] {
        house.clock.advance(apart);
        for ((_, user, ..), entry) in enrolled.iter().zip(&entries) {
            verify(&tenant, user, entry["codes"][at].as_str().unwrap()).await;
        }
    }
}

/// Issuers and accounts as they are given, and as an app shows them.
const NAMES: &[[(&str, &str); 2]] = &[
    [("Acme", "jo@example.com"), ("Acme", "jo@example.com")],
    [("Acme Inc.", "Jo  Smith"), ("Acme Inc.", "Jo  Smith")],
    [(" Acme ", " jo "), ("Acme", "jo")],
    [("Käse & Söhne", "jörg&co"), ("Käse & Söhne", "jörg&co")],
    [("日本商事", "山田 太郎"), ("日本商事", "山田 太郎")],
    [("🦀 Ltd", "e\u{301}mile"), ("🦀 Ltd", "e\u{301}mile")],
    [("#1 Shop", "jo#1"), ("#1 Shop", "jo#1")],
    [("C++ GmbH", "jo+vpn@example.com"), ("C++ GmbH", "jo+vpn@example.com")],
    [("100% Wool", "50%25"), ("100% Wool", "50%25")],
    [("%41%3A", "%20"), ("%41%3A", "%20")],
    [("A/B?C=D", "x?secret=AAAA&issuer=Evil"), ("A/B?C=D", "x?secret=AAAA&issuer=Evil")],
    [("\"Q\" <'\\>", "[jo];,@$!*()"), ("\"Q\" <'\\>", "[jo];,@$!*()")],
    // A colon would part the issuer from the account, so a hyphen takes its place.
    [("Acme: Prod", "urn:user:42"), ("Acme- Prod", "urn-user-42")],
    [("::", ":"), ("--", "-")],
];

#[tokio::test]
async fn apps_show_issuer_and_account_as_they_were_meant() {
    let house = House::start().await;
    let mut uris = Vec::new();
    for (n, [(issuer, account), _]) in NAMES.iter().enumerate() {
        let request = CreateTenantRequest {
            tenant_id: format!("names-{n}"),
            display_name: (*issuer).to_owned(),
            ..Default::default()
        };
        house.operator().admin().create_tenant(request).await.unwrap();
        let operator = house.operator().naming(&format!("names-{n}"));
        uris.push(start(&operator, "jo", account, None).await.1.key_uri);
    }
    let entries: Vec<_> = uris.iter().map(|uri| (uri.as_str(), Vec::new())).collect();
    let entries = pyotp(&entries).await;
    assert_eq!(entries.len(), NAMES.len());
    for (([_, shown], uri), entry) in NAMES.iter().zip(&uris).zip(&entries) {
        let read = (entry["issuer"].as_str().unwrap(), entry["account"].as_str().unwrap());
        assert_eq!(read, *shown, "{uri}");
    }
}

/// RFC 6238 appendix B: time, step, and the codes for SHA-1, SHA-256 and SHA-512.
const RFC_6238_APPENDIX_B: [(i64, u64, [&str; 3]); 6] = [
    (59, 0x1, ["94287082", "46119246", "90693936"]),
    (1_111_111_109, 0x0235_23ec, ["07081804", "68084774", "25091201"]),
    (1_111_111_111, 0x0235_23ed, ["14050471", "67062674", "99943326"]),
    (1_234_567_890, 0x0273_ef07, ["89005924", "91819424", "93441116"]),
    (2_000_000_000, 0x03f9_40aa, ["69279037", "90698825", "38618901"]),
    (20_000_000_000, 0x27bc_86aa, ["65353130", "77737706", "47863826"]),
];

/// Draws the seed of the appendix: the digits over and over.
struct Seed;

impl Rng for Seed {
    fn fill(&self, bytes: &mut [u8]) {
        for (byte, digit) in bytes.iter_mut().zip(b"1234567890".iter().cycle()) {
            *byte = *digit;
        }
    }
}

#[tokio::test]
async fn oathtool_the_vectors_of_rfc_6238_and_we_agree() {
    let totp = factor("totp").unwrap();
    let exact = FactorSettings { totp_skew_steps: 0, ..Default::default() };
    let algorithms = [TotpAlgorithm::Sha1, TotpAlgorithm::Sha256, TotpAlgorithm::Sha512];
    for (which, algorithm) in algorithms.into_iter().enumerate() {
        let set_up = SetUp { algorithm, digits: 8, period_seconds: 30 };
        let begin = BeginEnrollment {
            account_name: "jo".to_owned(),
            issuer: "Acme".to_owned(),
            parameters: [
                ("algorithm".to_owned(), set_up.algorithm().to_uppercase()),
                ("digits".to_owned(), "8".to_owned()),
            ]
            .into(),
        };
        let begun = totp.begin_enrollment(&begin, &Seed).unwrap();
        let Provisioning::KeyUri { secret_base32, .. } = &begun.provisioning else {
            panic!("no key URI")
        };
        for (time, step, codes) in RFC_6238_APPENDIX_B {
            let code = set_up.oathtool(secret_base32.expose(), time).await;
            assert_eq!(code, codes[which], "{algorithm:?} at {time}");
            let now = Timestamp::from_unix_seconds(time);
            let verdict = totp.verify(&begun.record, &exact, &code, now).unwrap();
            assert_eq!(verdict, Verdict::Right(Consumes::MovingFactor(vec![step])));
        }
    }
}
