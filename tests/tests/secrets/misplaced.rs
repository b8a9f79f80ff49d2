//! Requests whose texts are all something that a confused caller took from elsewhere.

use countersign_tests::{Caller, reason, schema::rpcs};
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};

use crate::list::List;

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

/// Sends every RPC such messages.
pub(crate) async fn misplace(caller: &Caller, list: &mut List) {
    let misplaced = "hunter2!Tr0ub4dor&3";
    list.add("a misplaced text", misplaced);
    let texts = [misplaced.to_owned(), format!("{misplaced}\n{misplaced}"), misplaced.repeat(300)];
    for rpc in rpcs() {
        for text in &texts {
            let message = filled(&rpc.0.input(), text);
            if let Err(status) = caller.call(&rpc.path(), &message).await {
                assert_ne!(reason(&status), "INTERNAL", "{}", rpc.path());
                list.told(&status);
            }
        }
    }
}

/// Sends every RPC bytes that are no message of its, with something in them that is nobody's business.
pub(crate) async fn malform(caller: &Caller, list: &mut List) {
    let quoted = "malf0rmed-but-somebodys-password";
    list.add("a malformed text", quoted);
    // Fields 1 to 15 that end too soon, and a text that is not UTF-8.
    let bytes: Vec<_> = (1..16).flat_map(|field| [field << 3 | 2, 255]).collect();
    let not_text = [&[10, 34, 0xff, 0xfe], quoted.as_bytes()].concat();
    for rpc in rpcs() {
        for bytes in [[quoted.as_bytes(), &bytes].concat(), not_text.clone()] {
            if let Err(status) = caller.call_with_bytes(&rpc.path(), bytes).await {
                list.told(&status);
            }
        }
    }
}
