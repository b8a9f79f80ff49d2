//! A shell and `buf curl`, which knows nothing of our schema but what the server's reflection tells.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "what goes wrong in a test has failed it"
)]

use std::process::Output;

use countersign_tests::{
    House, first_key,
    process::{run, text},
    schema,
    tools::{buf, checkout, said},
};
use data_encoding::BASE64_NOPAD;
use prost::Message;
use serde_json::{Value, json};
use tokio::process::Command;
use tonic::Code;
use tonic_types::pb::{BadRequest, ErrorInfo};

const CREATE_TENANT: &str = "countersign.admin.v1.AdminService/CreateTenant";
const LIST_AUTHENTICATORS: &str = "countersign.enrollment.v1.EnrollmentService/ListAuthenticators";
const CREATE_CHALLENGE: &str = "countersign.challenge.v1.ChallengeService/CreateChallenge";
const REPLAY_EVENTS: &str = "countersign.audit.v1.AuditService/ReplayEvents";

/// How the server is spoken to.
#[derive(Clone, Copy, Debug)]
enum Speaking {
    /// gRPC over HTTP/2, with the schema that the server tells.
    Grpc,
    /// gRPC-Web over HTTP/2, with the schema that the server tells.
    GrpcWeb,
    /// gRPC-Web over HTTP/1.1, as browsers do; reflection needs HTTP/2, so the schema is our files.
    Browser,
}

impl Speaking {
    fn command(self) -> Command {
        let mut command = Command::new(buf());
        command.arg("curl").kill_on_drop(true);
        match self {
            Self::Grpc => command.args(["--protocol", "grpc", "--http2-prior-knowledge"]),
            Self::GrpcWeb => command.args(["--protocol", "grpcweb", "--http2-prior-knowledge"]),
            Self::Browser => {
                command.args(["--protocol", "grpcweb", "--schema"]).arg(checkout().join("proto"))
            }
        };
        command
    }

    /// Prepares to call an RPC of a house with the first key.
    fn call(self, house: &House, tenant: &str, rpc: &str, body: &Value) -> Command {
        let mut command = self.command();
        command
            .args(["-H", &format!("authorization: Bearer {}", first_key(&house.data_dir()))])
            .args(["-H", &format!("countersign-tenant: {tenant}")])
            .args(["-d", &body.to_string(), &format!("http://{}/{rpc}", house.address())]);
        command
    }

    /// Calls an RPC that must succeed.
    async fn answer(self, house: &House, tenant: &str, rpc: &str, body: &Value) -> Value {
        let printed = said(self.call(house, tenant, rpc, body)).await;
        serde_json::from_str(&printed).unwrap()
    }

    /// Calls an RPC that must fail.
    async fn refusal(self, house: &House, tenant: &str, rpc: &str, body: &Value) -> Refusal {
        Refusal::read(&run(self.call(house, tenant, rpc, body)).await)
    }
}

/// What buf prints of a failed call.
#[derive(Debug)]
struct Refusal {
    code: Code,
    printed: Value,
}

impl Refusal {
    fn read(output: &Output) -> Self {
        let complaint = text(&output.stderr);
        let printed = serde_json::from_str(&complaint).unwrap_or_else(|_| panic!("{complaint}"));
        // As `buf curl --help` says; what went wrong on this side is below 8.
        let code = Code::from_i32(output.status.code().unwrap() >> 3);
        Self { code, printed }
    }

    fn detail<M: Message + Default>(&self, of: &str) -> M {
        let details = self.printed["details"].as_array().unwrap();
        let detail = details.iter().find(|detail| detail["type"] == of).unwrap();
        let bytes = BASE64_NOPAD.decode(detail["value"].as_str().unwrap().as_bytes()).unwrap();
        M::decode(&*bytes).unwrap()
    }

    fn reason(&self) -> String {
        let about: ErrorInfo = self.detail("google.rpc.ErrorInfo");
        assert_eq!(about.domain, "countersign");
        about.reason
    }
}

#[tokio::test]
async fn reflection_lists_every_service() {
    let house = House::start().await;
    let mut command = Speaking::Grpc.command();
    command.args(["--list-services", &format!("http://{}", house.address())]);
    let listed = said(command).await;
    let mut expected: Vec<_> =
        schema::pool().services().map(|service| service.full_name().to_owned()).collect();
    expected
        .extend(["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"].map(String::from));
    expected.sort();
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn tenants_users_and_challenges_are_reached_from_a_shell() {
    let house = House::start().await;
    for speaking in [Speaking::Grpc, Speaking::GrpcWeb, Speaking::Browser] {
        let tenant = format!("{speaking:?}").to_lowercase();
        let body = json!({ "tenantId": tenant, "displayName": "Acme" });
        let created = speaking.answer(&house, "platform", CREATE_TENANT, &body).await;
        assert_eq!(created["tenant"]["tenantId"], tenant);
        assert_eq!(created["tenant"]["mfaRequirement"], "MFA_REQUIREMENT_ALWAYS");

        let tenant = house.tenant(&format!("{tenant}-with-keys")).await;
        let phone = tenant.enrol("jo").await;
        let body = json!({ "userId": "jo" });
        let listed = speaking.answer(&house, &tenant.id, LIST_AUTHENTICATORS, &body).await;
        assert_eq!(listed["authenticators"].as_array().unwrap().len(), 1);
        let authenticator = &listed["authenticators"][0];
        assert_eq!(authenticator["authenticatorId"], phone.authenticator_id);
        assert_eq!(authenticator["status"], "AUTHENTICATOR_STATUS_ACTIVE");

        let body = json!({ "userId": "jo", "applicationId": "vpn" });
        let opened = speaking.answer(&house, &tenant.id, CREATE_CHALLENGE, &body).await;
        assert_eq!(opened["challenge"]["status"], "CHALLENGE_STATUS_PENDING");
        assert_eq!(opened["challenge"]["allowedAuthenticators"][0]["kind"], "totp");
    }
}

#[tokio::test]
async fn a_refusal_is_printed_with_its_details() {
    let house = House::start().await;
    house.tenant("acme").await;
    for speaking in [Speaking::Grpc, Speaking::GrpcWeb, Speaking::Browser] {
        let body = json!({ "tenantId": "acme", "displayName": "Acme" });
        let refusal = speaking.refusal(&house, "platform", CREATE_TENANT, &body).await;
        assert_eq!(refusal.code, Code::AlreadyExists);
        assert_eq!(refusal.printed["code"], "already_exists");
        assert_eq!(refusal.printed["message"], "there is a tenant of this name already");
        assert_eq!(refusal.reason(), "TENANT_EXISTS");

        let body = json!({ "userId": "" });
        let refusal = speaking.refusal(&house, "acme", LIST_AUTHENTICATORS, &body).await;
        assert_eq!(
            (refusal.code, refusal.reason().as_str()),
            (Code::InvalidArgument, "FIELD_INVALID")
        );
        let bad: BadRequest = refusal.detail("google.rpc.BadRequest");
        assert_eq!(bad.field_violations[0].field, "user_id");

        let mut stranger = speaking.command();
        let url = format!("http://{}/{CREATE_CHALLENGE}", house.address());
        stranger.args(["-d", r#"{"userId": "jo"}"#, &url]);
        let refusal = Refusal::read(&run(stranger).await);
        assert_eq!(
            (refusal.code, refusal.reason().as_str()),
            (Code::Unauthenticated, "UNAUTHENTICATED")
        );
    }
}

#[tokio::test]
async fn events_are_streamed_with_their_payloads_readable() {
    let house = House::start().await;
    house.tenant("acme").await.enrol("jo").await;
    let body = json!({ "userId": "jo", "limit": 2 });
    for speaking in [Speaking::Grpc, Speaking::GrpcWeb, Speaking::Browser] {
        let printed = said(speaking.call(&house, "acme", REPLAY_EVENTS, &body)).await;
        let items: Vec<Value> =
            serde_json::Deserializer::from_str(&printed).into_iter().map(Result::unwrap).collect();
        let types: Vec<_> = items.iter().map(|item| &item["event"]["type"]).collect();
        assert_eq!(types, ["EnrollmentStarted", "EnrollmentConfirmed"]);
        let payload = &items[0]["event"]["payload"];
        assert_eq!(payload["@type"], "type.googleapis.com/countersign.event.v1.EnrollmentStarted");
        assert_eq!(payload["kind"], "totp");
    }
}
