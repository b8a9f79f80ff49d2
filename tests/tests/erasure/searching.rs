//! Nothing that is a user's stands in the clear in any file, before an erasure or after it, whatever keeps the log.

use std::path::Path;

use countersign::serve::ServiceName;
use countersign_proto::{
    admin::CreateTenantRequest,
    challenge::{CreateChallengeRequest, Source, VerifyChallengeRequest},
    enrollment::StartEnrollmentRequest,
    policy::{EvaluateSignInRequest, SignInContext},
};
use countersign_service::SystemClock;
use countersign_testkit::NatsServer;
use countersign_tests::{
    Caller, Process, Sought, Tenant,
    cluster::{Cluster, Ground, Layout},
    connect, latin, reason,
};
use data_encoding::BASE32_NOPAD;

use crate::{becomes, erase, state};

const USER: &str = "marguerite.quillfeather@example.org";
const DISPLAY_NAME: &str = "Marguerite's plum-coloured telephone";
const ACCOUNT_NAME: &str = "quillfeather-marguerite";
const USER_AGENT: &str = "Netscape-Marguerite/4.08";
const DEVICE: &str = "device-of-marguerite-7f3a";
const ADDRESS: &str = "203.0.113.77";
const SOURCE: &str = "198.51.100.177";
/// Found in the clear on the disk and so proves that the search finds what is there.
const MARKER: &str = "VERIFICATION_OF_THE_SEARCH";

/// Enrols, signs in and proves, and notes all of the user's that must not be found.
async fn lives(tenant: &Tenant) -> Sought {
    let mut sought = Sought::default();
    for (what, personal) in [
        ("the user", USER),
        ("a display name", DISPLAY_NAME),
        ("an account name", ACCOUNT_NAME),
        ("a user agent", USER_AGENT),
        ("a device", DEVICE),
        ("an address", ADDRESS),
        ("a source", SOURCE),
    ] {
        sought.add_bytes(what, personal.as_bytes());
    }
    let request = StartEnrollmentRequest {
        user_id: USER.to_owned(),
        kind: "totp".to_owned(),
        display_name: DISPLAY_NAME.to_owned(),
        account_name: ACCOUNT_NAME.to_owned(),
        ..Default::default()
    };
    let (totp, phone) = tenant.start(request).await;
    sought.add("a key URI", &totp.key_uri);
    sought.add_bytes("a seed", &BASE32_NOPAD.decode(totp.secret_base32.as_bytes()).unwrap());
    tenant.confirm(USER, &phone, &phone.code(tenant.now())).await.unwrap();
    let sign_in = EvaluateSignInRequest {
        user_id: USER.to_owned(),
        context: Some(SignInContext {
            ip_address: ADDRESS.to_owned(),
            user_agent: USER_AGENT.to_owned(),
            device_id: DEVICE.to_owned(),
            resource: String::new(),
        }),
        ..Default::default()
    };
    tenant.platform.policy().evaluate_sign_in(sign_in).await.unwrap();
    for code in &tenant.issue_codes(USER).await {
        sought.add("a recovery code", code);
        sought.add("a recovery code", &code.replace('-', ""));
    }
    let from = || Some(Source { client_address: SOURCE.to_owned() });
    let create =
        CreateChallengeRequest { user_id: USER.to_owned(), source: from(), ..Default::default() };
    let challenge = tenant.platform.challenge().create_challenge(create).await.unwrap();
    let verify = VerifyChallengeRequest {
        user_id: USER.to_owned(),
        challenge_id: challenge.into_inner().challenge.unwrap().challenge_id,
        code: phone.wrong_code(tenant.now()),
        source: from(),
        ..Default::default()
    };
    tenant.platform.challenge().verify_challenge(verify).await.unwrap();
    sought
}

/// Creates a tenant whose name is found on the disk.
async fn mark(operator: &Caller) {
    let request = CreateTenantRequest {
        tenant_id: "marked".to_owned(),
        display_name: MARKER.to_owned(),
        ..Default::default()
    };
    operator.admin().create_tenant(request).await.unwrap();
}

fn search(sought: &Sought, directory: &Path) {
    assert!(sought.not_below(directory, MARKER) > 0, "the search does not find what is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_a_single_process_tells_of_a_user_before_an_erasure_or_after() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let process = Process::start(&data_dir).await;
    mark(&process.operator().await).await;
    let tenant = process.tenant("acme").await;
    let sought = lives(&tenant).await;
    search(&sought, &data_dir);
    erase(&tenant, USER).await;
    search(&sought, &data_dir);
    let log = process.stop().await.log;
    search(&sought, &data_dir);
    assert_eq!(sought.found_in(&latin(log.as_bytes())), [""; 0], "in what it logged");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_nats_tells_of_a_user_and_no_replica_reads_what_was_erased() {
    let ground = Ground::JetStream(NatsServer::start().await);
    let layout = Layout::of(1).with(ServiceName::Enrollment, 2).with(ServiceName::Policy, 2);
    let mut cluster = Cluster::start(ground, layout).await;
    let operator = cluster.operator(ServiceName::Enrollment, 0).await;
    mark(&operator).await;
    let channel =
        async |service, number| connect(cluster.address(service, number).parse().unwrap()).await;
    let first = channel(ServiceName::Enrollment, 0).await;
    let tenant = Tenant::create(&operator, first, "acme", std::sync::Arc::new(SystemClock)).await;
    let sought = lives(&tenant).await;
    let Ground::JetStream(server) = &cluster.ground else { panic!("JetStream keeps the log") };
    let store = server.store();
    search(&sought, &store);

    // Every replica has had the key at hand.
    let sign_in = || EvaluateSignInRequest { user_id: USER.to_owned(), ..Default::default() };
    let mut elsewhere = Vec::new();
    for number in 0..2 {
        let there = tenant.over(&channel(ServiceName::Policy, number).await);
        there.platform.policy().evaluate_sign_in(sign_in()).await.unwrap();
        elsewhere.push(there);
    }
    let before = state(&tenant, USER, None).await;
    let named = |name: &str| before.authenticators.iter().any(|one| one.display_name == name);
    assert!(named(DISPLAY_NAME));
    erase(&tenant, USER).await;
    for there in &elsewhere {
        let refused = there.platform.policy().evaluate_sign_in(sign_in()).await.unwrap_err();
        assert_eq!(reason(&refused), "USER_ERASED");
    }
    let past = async || state(&tenant, USER, before.as_of).await;
    becomes(past, |past| past.authenticators[0].display_name == "[erased]").await;
    search(&sought, &store);
    let marked = sought.not_below(&cluster.data_dir(), MARKER);
    assert_eq!(marked, 0, "replicas keep keys there, and nothing of the log");
    assert_eq!(sought.found_in(&latin(cluster.logs().as_bytes())), [""; 0], "in what they logged");
    cluster.stop_all().await;
    search(&sought, &store);
}
