//! Callers in a hurry. They speak gRPC-Web over a bare connection: a gRPC client would give up by itself and never show
//! what the server answers.

use std::time::Duration;

use countersign_proto::{
    admin::{CreateApiKeyRequest, Role},
    challenge::{CreateChallengeRequest, VerifyChallengeRequest},
    enrollment::{IssueRecoveryCodesRequest, ListAuthenticatorsRequest, StartEnrollmentRequest},
};
use countersign_tests::{House, Tenant};
use prost::Message;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tonic::Code;

use crate::soon;

const CHALLENGE: &str = "/countersign.challenge.v1.ChallengeService/";
const ENROLLMENT: &str = "/countersign.enrollment.v1.EnrollmentService/";

async fn verifier_key(house: &House, tenant: &Tenant) -> String {
    let request = CreateApiKeyRequest {
        display_name: "hurry".to_owned(),
        roles: vec![Role::Verifier.into()],
        ..Default::default()
    };
    let operator = house.operator().naming(&tenant.id);
    operator.admin().create_api_key(request).await.unwrap().into_inner().secret
}

/// Calls with `grpc-timeout: {limit}` and returns the code of the answer.
async fn call(house: &House, key: &str, path: &str, limit: &str, message: &impl Message) -> Code {
    let body = message.encode_to_vec();
    let length = u32::try_from(body.len()).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/grpc-web+proto\r\nauthorization: Bearer {key}\r\n\
         grpc-timeout: {limit}\r\ncontent-length: {}\r\n\r\n",
        body.len() + 5
    );
    let request = [head.as_bytes(), &[0], &length.to_be_bytes(), &body].concat();
    let exchange = async {
        let mut connection = TcpStream::connect(house.address()).await.unwrap();
        connection.write_all(&request).await.unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    let answer = soon(exchange).await;
    let (_, status) = answer.split_once("grpc-status:").unwrap_or_else(|| panic!("{answer}"));
    let digits: String = status.trim_start().chars().take_while(char::is_ascii_digit).collect();
    Code::from_i32(digits.parse().unwrap())
}

fn in_time_or_too_late(code: Code) {
    assert!(matches!(code, Code::Ok | Code::DeadlineExceeded), "{code:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_longer_than_the_caller_waits_is_told_to_be_too_late() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let key = verifier_key(&house, &tenant).await;
    // Memory-hard hashes: nothing makes them fast.
    let issue =
        IssueRecoveryCodesRequest { request_id: "issue".to_owned(), user_id: "ann".to_owned() };
    let path = format!("{ENROLLMENT}IssueRecoveryCodes");
    assert_eq!(call(&house, &key, &path, "1m", &issue).await, Code::DeadlineExceeded);
    let issued = tenant.platform.enrollment().issue_recovery_codes(issue).await.unwrap();
    assert_eq!(issued.into_inner().codes.len(), 10, "nothing was issued in vain");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_in_a_hurry_is_answered_in_time_or_told_that_it_is_too_late() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    tenant.enrol("ann").await;
    let key = verifier_key(&house, &tenant).await;
    for limit in ["1m", "500u", "1n", "0m"] {
        let list = ListAuthenticatorsRequest { user_id: "ann".to_owned(), ..Default::default() };
        let path = format!("{ENROLLMENT}ListAuthenticators");
        let code = call(&house, &key, &path, limit, &list).await;
        in_time_or_too_late(code);
        let start = StartEnrollmentRequest {
            user_id: "bob".to_owned(),
            kind: "totp".to_owned(),
            ..Default::default()
        };
        let path = format!("{ENROLLMENT}StartEnrollment");
        let code = call(&house, &key, &path, limit, &start).await;
        in_time_or_too_late(code);
    }
    let path = format!("{ENROLLMENT}ListAuthenticators");
    let list = ListAuthenticatorsRequest { user_id: "ann".to_owned(), ..Default::default() };
    assert_eq!(call(&house, &key, &path, "20S", &list).await, Code::Ok);
    assert_eq!(call(&house, &key, &path, "soon", &list).await, Code::Ok, "asks for nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_answer_was_not_awaited_is_carried_out_once_when_it_is_repeated() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    house.clock.advance(Duration::from_secs(30));
    let key = verifier_key(&house, &tenant).await;
    let create = CreateChallengeRequest {
        request_id: "create".to_owned(),
        user_id: "ann".to_owned(),
        ..Default::default()
    };
    let path = format!("{CHALLENGE}CreateChallenge");
    in_time_or_too_late(call(&house, &key, &path, "1m", &create).await);
    let created = tenant.platform.challenge().create_challenge(create).await.unwrap();
    let challenge = created.into_inner().challenge.unwrap();

    let verify = VerifyChallengeRequest {
        request_id: "verify".to_owned(),
        user_id: "ann".to_owned(),
        challenge_id: challenge.challenge_id.clone(),
        code: phone.code(tenant.now()),
        ..Default::default()
    };
    let path = format!("{CHALLENGE}VerifyChallenge");
    for _ in 0..5 {
        in_time_or_too_late(call(&house, &key, &path, "1m", &verify).await);
    }
    let verified = tenant.platform.challenge().verify_challenge(verify).await.unwrap();
    assert!(verified.into_inner().proof.is_some());
    assert_eq!(tenant.count("ann", "ChallengeIssued").await, 1);
    assert_eq!(tenant.count("ann", "ChallengeVerified").await, 1);
    assert_eq!(tenant.count("ann", "AttemptFailed").await, 0);
}
