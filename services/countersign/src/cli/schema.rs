//! Messages as JSON and as short text, by the descriptors of the schema itself.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _, SerializeOptions, Value};

use super::{Failure, when::to_the_second};

/// Stands for what only the holder of the user's data key can read.
pub(crate) const SEALED: &str = "[sealed]";

/// Stands for what nobody can read any more.
pub(crate) const ERASED: &str = "[erased]";

/// Longest summary of a payload in a table, in characters.
const LONGEST_SUMMARY: usize = 100;

/// The descriptors of every message; an empty pool would be a defect of the build and fails on first use.
static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(countersign_proto::FILE_DESCRIPTOR_SET).unwrap_or_default()
});

/// Returns an encoded message as one line of JSON, by the JSON mapping of protobuf. An `Any` inside is decoded.
pub(crate) fn json(name: &str, encoded: &[u8]) -> Result<String, Failure> {
    let message = decode(name, encoded)
        .ok_or_else(|| Failure::Unexpected(format!("the schema has no readable {name}")))?;
    let mut serializer = serde_json::Serializer::new(Vec::new());
    message.serialize_with_options(&mut serializer, &SerializeOptions::new()).map_err(|_| {
        Failure::Unexpected(format!("this {name} holds a type that this program does not know"))
    })?;
    Ok(String::from_utf8_lossy(&serializer.into_inner()).into_owned())
}

/// Returns what an event's payload says in a few words; in the place of sealed values stands `sealed`.
pub(crate) fn summary(payload: &prost_types::Any, sealed: &'static str) -> String {
    let name = payload.type_url.rsplit('/').next().unwrap_or_default();
    match decode(name, &payload.value) {
        Some(message) => shorten(&fields(&message, sealed), LONGEST_SUMMARY),
        None => format!("[{} bytes of an unknown type]", payload.value.len()),
    }
}

fn decode(name: &str, encoded: &[u8]) -> Option<DynamicMessage> {
    DynamicMessage::decode(POOL.get_message_by_name(name)?, encoded).ok()
}

fn fields(message: &DynamicMessage, sealed: &'static str) -> String {
    let shown = message.fields().map(|(field, value)| {
        format!("{}={}", field.name(), text(value, Some(&field.kind()), sealed))
    });
    shown.collect::<Vec<_>>().join(" ")
}

fn text(value: &Value, kind: Option<&prost_reflect::Kind>, sealed: &'static str) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::U32(value) => value.to_string(),
        Value::U64(value) => value.to_string(),
        Value::F32(value) => value.to_string(),
        Value::F64(value) => value.to_string(),
        Value::String(value) => short_id(value),
        Value::Bytes(value) => format!("[{} bytes]", value.len()),
        Value::EnumNumber(number) => enum_word(*number, kind),
        Value::Message(message) => message_text(message, sealed),
        Value::List(values) => {
            let shown: Vec<_> = values.iter().map(|value| text(value, kind, sealed)).collect();
            format!("[{}]", shown.join(", "))
        }
        Value::Map(values) => {
            let mut shown: Vec<_> = values
                .iter()
                .map(|(key, value)| format!("{}={}", key_text(key), text(value, None, sealed)))
                .collect();
            // The map has no order of its own; the same event should look the same twice.
            shown.sort();
            format!("{{{}}}", shown.join(" "))
        }
    }
}

fn key_text(key: &prost_reflect::MapKey) -> String {
    text(&Value::from(key.clone()), None, SEALED)
}

fn message_text(message: &DynamicMessage, sealed: &'static str) -> String {
    match message.descriptor().full_name() {
        "countersign.event.v1.Sealed" => sealed.to_owned(),
        "google.protobuf.Timestamp" => message
            .transcode_to::<prost_types::Timestamp>()
            .map_or_else(|_| "[unreadable]".to_owned(), |instant| to_the_second(Some(&instant))),
        _ => format!("{{{}}}", fields(message, sealed)),
    }
}

/// Returns an enum's value as a word: `WRONG_CODE` of `ATTEMPT_FAILURE_WRONG_CODE` becomes `wrong-code`.
fn enum_word(number: i32, kind: Option<&prost_reflect::Kind>) -> String {
    let named = kind.and_then(prost_reflect::Kind::as_enum).and_then(|descriptor| {
        let value = descriptor.get_value(number)?;
        let zero = descriptor.get_value(0)?;
        let prefix = zero.name().strip_suffix("UNSPECIFIED")?.to_owned();
        Some(super::words::word(value.name(), &prefix))
    });
    named.unwrap_or_else(|| number.to_string())
}

/// Returns the last part of a UUID, which tells ids made in the same instant apart; other text as it is.
pub(crate) fn short_id(text: &str) -> String {
    match uuid::Uuid::try_parse(text) {
        Ok(_) if text.len() == 36 => {
            format!("…{}", text.chars().skip(28).collect::<String>())
        }
        _ => text.to_owned(),
    }
}

/// Cuts text to a length in characters and says so with an ellipsis.
fn shorten(text: &str, longest: usize) -> String {
    if text.chars().count() <= longest {
        return text.to_owned();
    }
    let kept: String = text.chars().take(longest.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use countersign_proto::{audit, event};
    use prost::Message as _;

    use super::*;

    fn any(name: &str, message: &impl prost::Message) -> prost_types::Any {
        prost_types::Any {
            type_url: format!("type.googleapis.com/countersign.event.v1.{name}"),
            value: message.encode_to_vec(),
        }
    }

    fn failed() -> event::AttemptFailed {
        event::AttemptFailed {
            challenge_id: "0190163d-8694-739b-aea5-966c26f8ad91".to_owned(),
            attempts_left: 2,
            reason: event::AttemptFailure::Replayed.into(),
            failed_at: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 5 }),
            ..Default::default()
        }
    }

    #[test]
    fn a_payload_is_summed_up_in_words() {
        assert_eq!(
            summary(&any("AttemptFailed", &failed()), SEALED),
            "challenge_id=…26f8ad91 attempts_left=2 reason=replayed failed_at=2023-11-14T22:13:20Z"
        );
    }

    #[test]
    fn a_sealed_value_is_shown_as_such() {
        let sealed = event::Sealed { key_id: "acme.07".to_owned(), ciphertext: vec![1; 40].into() };
        let renamed = event::AuthenticatorRenamed {
            authenticator_id: "a".to_owned(),
            display_name: Some(sealed),
        };
        let text = |sealed| summary(&any("AuthenticatorRenamed", &renamed), sealed);
        assert_eq!(text(SEALED), "authenticator_id=a display_name=[sealed]");
        assert_eq!(text(ERASED), "authenticator_id=a display_name=[erased]");
    }

    #[test]
    fn an_event_of_a_newer_server_is_still_listed() {
        let text = summary(&any("FromTheFuture", &failed()), SEALED);
        assert!(text.ends_with("bytes of an unknown type]"), "{text}");
    }

    #[test]
    fn an_event_becomes_json_with_its_payload_decoded() {
        let recorded = audit::RecordedEvent {
            position: 7,
            payload: Some(any("AttemptFailed", &failed())),
            ..Default::default()
        };
        let json = json("countersign.audit.v1.RecordedEvent", &recorded.encode_to_vec()).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["position"], "7");
        assert_eq!(
            json["payload"]["@type"],
            "type.googleapis.com/countersign.event.v1.AttemptFailed"
        );
        assert_eq!(json["payload"]["reason"], "ATTEMPT_FAILURE_REPLAYED");
    }

    #[test]
    fn a_long_summary_is_cut_between_characters() {
        assert_eq!(shorten("grüße", 5), "grüße");
        assert_eq!(shorten("grüße!", 5), "grüß…");
    }
}
