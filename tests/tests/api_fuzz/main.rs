//! Whatever is asked, the server answers, and never with "that is our fault".
//!
//! Requests are made from the schema, so a new RPC or field is asked about without a line here, except to say what a
//! valid value of it is.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a failed test says so by panicking; most kinds of values are alike to a fuzzer"
)]

mod bounds;
mod calling;
mod judging;
mod making;
mod stage;

use std::cell::RefCell;

use countersign_tests::{
    reason,
    schema::{Rpc, rpcs},
};
use proptest::{
    collection::vec,
    prelude::any,
    test_runner::{Config, TestCaseError, TestError, TestRunner},
};
use prost_reflect::{DynamicMessage, Value};
use tokio::runtime::Runtime;

use crate::{making::Dice, stage::Stage};

/// Cases for each RPC.
const CASES: u32 = 128;

/// Cases for the one RPC that hashes slowly on purpose.
const FEW_CASES: u32 = 12;

/// Shows a message in brief: a text in it may have 100 kB, a list 1,000 items.
fn brief(message: &DynamicMessage) -> String {
    let fields = message.fields().map(|(field, value)| {
        let value = match value {
            Value::String(text) if text.len() > 80 => format!("{} bytes", text.len()),
            Value::Message(inner) => brief(inner),
            Value::List(items) if items.len() > 2 => format!("{} items", items.len()),
            other => format!("{other:?}"),
        };
        format!("{}: {value}", field.name())
    });
    format!("{{ {} }}", fields.collect::<Vec<_>>().join(", "))
}

async fn try_case(stage: &mut Stage, rpc: &Rpc, thrown: &[u32]) -> Result<(), TestCaseError> {
    let values = stage.prepare(rpc).await;
    let request = making::request(&rpc.0.input(), &values, &mut Dice::new(thrown));
    let answer = stage.operator.call(rpc, values.tenant, &request).await;
    judging::judge(rpc, &request, &answer).map_err(|what| {
        TestCaseError::fail(format!("{}: {what}\nasked: {}", rpc.path(), brief(&request)))
    })
}

/// Deterministic, and the place to look first: what fails here needs no combination.
#[tokio::test]
async fn each_hostile_value_by_itself_is_answered_in_order_and_the_server_goes_on() {
    let mut stage = Stage::set().await;
    let mut failures = Vec::new();
    for rpc in rpcs() {
        let values = stage.prepare(&rpc).await;
        let mut dice = Dice::new(&[]);
        making::request(&rpc.0.input(), &values, &mut dice);
        for (place, hostile) in dice.choices.iter().enumerate() {
            for value in 0..*hostile {
                let mut thrown = vec![0; place + 1];
                thrown[place] = Dice::hostile(value);
                failures.extend(try_case(&mut stage, &rpc, &thrown).await.err());
            }
        }
    }
    stage.assert_serving().await;
    stage.clear().await;
    let failures: Vec<_> = failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn whatever_is_asked_the_answer_is_in_order_and_the_server_goes_on() {
    let runtime = Runtime::new().unwrap();
    let stage = RefCell::new(runtime.block_on(Stage::set()));
    let mut failures = Vec::new();
    for rpc in rpcs() {
        let cases = if rpc.0.name() == "IssueRecoveryCodes" { FEW_CASES } else { CASES };
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let outcome = TestRunner::new(config).run(&vec(any::<u32>(), 32), |thrown| {
            runtime.block_on(try_case(&mut stage.borrow_mut(), &rpc, &thrown))
        });
        // The request says more than the dice that made it.
        failures.extend(outcome.err().map(|failure| match failure {
            TestError::Fail(reason, _) => reason.to_string(),
            TestError::Abort(reason) => format!("{}: gave up: {reason}", rpc.path()),
        }));
    }
    runtime.block_on(async {
        let stage = stage.into_inner();
        stage.assert_serving().await;
        stage.clear().await;
    });
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Valid requests that have nothing to act on in the stage.
const REFUSED: &[(&str, &str)] = &[
    ("CreateApplication", "APPLICATION_EXISTS"),
    ("GetDelivery", "DELIVERY_NOT_FOUND"),
    ("GetApproval", "APPROVAL_NOT_FOUND"),
    ("ApproveRequest", "APPROVAL_NOT_FOUND"),
    ("DeclineRequest", "APPROVAL_NOT_FOUND"),
    ("WithdrawRequest", "APPROVAL_NOT_FOUND"),
    ("ReleaseThrottle", "NOT_THROTTLED"),
];

#[tokio::test]
async fn a_valid_request_of_every_rpc_is_carried_out() {
    let mut stage = Stage::set().await;
    for rpc in rpcs() {
        let values = stage.prepare(&rpc).await;
        let request = making::request(&rpc.0.input(), &values, &mut Dice::new(&[]));
        let mut answer = stage.operator.call(&rpc, values.tenant, &request).await;
        // What an earlier request began goes on beside the others, and ends.
        while answer.as_ref().is_err_and(|status| reason(status) == "KEYS_BUSY") {
            tokio::task::yield_now().await;
            answer = stage.operator.call(&rpc, values.tenant, &request).await;
        }
        judging::judge(&rpc, &request, &answer).unwrap();
        let refused = REFUSED.iter().find(|(name, _)| *name == rpc.0.name());
        let expected = refused.map_or("", |(_, reason)| reason);
        let found = answer.as_ref().err().map(reason).unwrap_or_default();
        assert_eq!(found, expected, "{}: {answer:?}", rpc.path());
    }
    stage.clear().await;
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused_and_the_server_goes_on() {
    let mut stage = Stage::set().await;
    let rpc = rpcs().find(|rpc| rpc.0.name() == "VerifyChallenge").unwrap();
    let values = stage.prepare(&rpc).await;
    let not_messages: [(&str, &[u8]); 4] = [
        ("a text that is longer than the message", &[0x0a, 0xff, 0xff, 0x03, b'q']),
        ("a text that is not UTF-8", &[0x0a, 0x02, 0xff, 0xfe]),
        ("a wire type that there is not", &[0x0f]),
        ("a number that does not end", &[0xff; 11]),
    ];
    for (what, bytes) in not_messages {
        let answer = stage.operator.call_with_bytes(&rpc, values.tenant, bytes.to_vec()).await;
        let status = answer.unwrap_err();
        assert_eq!(reason(&status), "REQUEST_MALFORMED", "{what}: {status:?}");
    }
    stage.assert_serving().await;
    stage.clear().await;
}
