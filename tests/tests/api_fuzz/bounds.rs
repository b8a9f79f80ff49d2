//! Every text of every request has a bound, and the refusal says which field is at fault.

use countersign_tests::{
    reason,
    schema::{Rpc, rpcs},
};
use prost_reflect::{DynamicMessage, Kind, Value};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::{
    judging::paths,
    making::{Dice, request},
    stage::Stage,
};

/// Greatest size of a message that the server reads, in bytes.
const MAX_MESSAGE: usize = 64 * 1024;

/// Sets the text at `path`; in a list, its first item.
fn set(message: &mut DynamicMessage, path: &str, text: &str) {
    if let Some((first, rest)) = path.split_once('.') {
        match message.get_field_by_name_mut(first).unwrap() {
            Value::Message(inner) => set(inner, rest, text),
            Value::List(items) => match items.first_mut() {
                Some(Value::Message(inner)) => set(inner, rest, text),
                other => panic!("{first} is a list of {other:?}"),
            },
            other => panic!("{first} is {other:?}"),
        }
        return;
    }
    match message.get_field_by_name_mut(path).unwrap() {
        Value::List(items) => *items = vec![Value::String(text.to_owned())],
        value => *value = Value::String(text.to_owned()),
    }
}

/// Says how an otherwise valid request with `text` at `path` was not refused as it should be.
async fn try_text(stage: &mut Stage, rpc: &Rpc, path: &str, text: &str) -> Option<String> {
    let values = stage.prepare(rpc).await;
    let mut message = request(&rpc.0.input(), &values, &mut Dice::new(&[]));
    set(&mut message, path, text);
    let answer = stage.operator.call(rpc, values.tenant, &message).await;
    let Err(status) = answer else { return Some("is taken".to_owned()) };
    if status.code() != Code::InvalidArgument {
        return Some(format!("is answered with {:?}: {}", status.code(), status.message()));
    }
    let details = status.get_error_details();
    let named: Vec<_> = details
        .bad_request()
        .map(|bad| bad.field_violations.iter().map(|violation| violation.field.clone()).collect())
        .unwrap_or_default();
    (named != [path]).then(|| format!("is refused, but {named:?} is named: {}", status.message()))
}

async fn assert_refused(text: &str) {
    let mut stage = Stage::set().await;
    let mut found = Vec::new();
    for rpc in rpcs() {
        for path in paths(&rpc.0.input(), |kind| matches!(kind, Kind::String | Kind::Bytes)) {
            if let Some(what) = try_text(&mut stage, &rpc, &path, text).await {
                found.push(format!("{} {path}: it {what}", rpc.path()));
            }
        }
    }
    stage.clear().await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test]
async fn a_text_that_nearly_fills_a_message_is_refused_in_every_field() {
    assert_refused(&"q".repeat(MAX_MESSAGE - 1_000)).await;
}

#[tokio::test]
async fn a_text_with_a_control_character_is_refused_in_every_field() {
    assert_refused("q\0q").await;
}

#[tokio::test]
async fn a_message_of_100_kb_is_not_even_read() {
    let mut stage = Stage::set().await;
    for rpc in rpcs() {
        let values = stage.prepare(&rpc).await;
        let bytes = vec![0; 100_000];
        let answer = stage.operator.call_with_bytes(&rpc, values.tenant, bytes).await;
        let status = answer.unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange, "{}", rpc.path());
        assert_eq!(reason(&status), "REQUEST_TOO_LARGE");
    }
    stage.clear().await;
}
