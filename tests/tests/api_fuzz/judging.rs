//! What every answer must be like, whatever was asked.

use std::collections::BTreeSet;

use countersign_service::Reason;
use countersign_tests::schema::{Rpc, general_reasons};
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, ReflectMessage as _, Value};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Values that a message may have in it by itself: the kinds that there are, the tenant that may not be created, and an
/// example of a UUID.
const VOCABULARY: &[&str] =
    &["totp", "recovery_code", "platform", "0190163d-8694-739b-aea5-966c26f8ad91"];

/// Shorter values can stand in a message by chance.
const LEAST_TELLING: usize = 6;

/// Says what is wrong with an answer.
pub(crate) fn judge(
    rpc: &Rpc,
    request: &DynamicMessage,
    answer: &Result<Option<DynamicMessage>, Status>,
) -> Result<(), String> {
    match answer {
        // Instants and lengths of time beyond what protobuf means have no JSON.
        Ok(Some(answer)) => serde_json::to_string(answer)
            .map(drop)
            .map_err(|error| format!("the answer cannot be shown as JSON: {error}")),
        Ok(None) => Ok(()),
        Err(status) => {
            judge_status(rpc, request, status).map_err(|what| format!("{what}: {status:?}"))
        }
    }
}

fn judge_status(rpc: &Rpc, request: &DynamicMessage, status: &Status) -> Result<(), String> {
    let code = status.code();
    if matches!(code, Code::Internal | Code::Unknown | Code::DataLoss) {
        return Err("this is our fault".to_owned());
    }
    let details = status.get_error_details();
    let found = details.error_info().ok_or("there is no ErrorInfo")?;
    let reason = Reason::ALL.iter().find(|reason| reason.as_str() == found.reason);
    let reason = reason.ok_or("the reason is unknown")?;
    if found.domain != "countersign" || reason.code() != code {
        return Err("the reason has another domain or code".to_owned());
    }
    if !general_reasons().contains(&found.reason) && !rpc.reasons().contains(&found.reason) {
        return Err("the comment of the RPC does not name the reason".to_owned());
    }
    if code == Code::InvalidArgument {
        let bad = details.bad_request().ok_or("there is no BadRequest")?;
        let known = paths(&request.descriptor(), |_| true);
        let named = bad.field_violations.first().ok_or("BadRequest names no field")?;
        if !known.contains(&named.field) {
            return Err(format!("the request has no field {}", named.field));
        }
    }
    let mut texts = Vec::new();
    collect_texts(request, &mut texts);
    let told = texts.into_iter().find(|text| {
        text.len() >= LEAST_TELLING
            && !VOCABULARY.contains(&text.as_str())
            && (status.message().contains(text.as_str())
                || status.details().windows(text.len()).any(|window| window == text.as_bytes()))
    });
    told.map_or(Ok(()), |_| Err("a value of the request is repeated".to_owned()))
}

/// Returns the paths of the fields of `kind` in a message, at any depth; not those inside Google's own messages.
pub(crate) fn paths(
    message: &MessageDescriptor,
    wanted: impl Fn(&Kind) -> bool + Copy,
) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for field in message.fields() {
        let kind = field.kind();
        if wanted(&kind) {
            found.insert(field.name().to_owned());
        }
        if let Kind::Message(inner) = kind
            && inner.package_name().starts_with("countersign.")
        {
            let inner = paths(&inner, wanted);
            found.extend(inner.into_iter().map(|path| format!("{}.{path}", field.name())));
        }
    }
    found
}

fn collect_texts(message: &DynamicMessage, texts: &mut Vec<String>) {
    for (_, value) in message.fields() {
        match value {
            Value::String(text) => texts.push(text.clone()),
            Value::Message(inner) => collect_texts(inner, texts),
            Value::List(items) => match items.first() {
                Some(Value::String(text)) => texts.push(text.clone()),
                Some(Value::Message(inner)) => collect_texts(inner, texts),
                _ => {}
            },
            _ => {}
        }
    }
}
