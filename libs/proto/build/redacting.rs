//! Debug output of messages that carry secrets or personal data: fields that the schema marks with `debug_redact`, the
//! option of protobuf for it, print `[redacted]`. Left to itself prost prints everything.

use std::{error::Error, fmt::Write as _};

use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor, Value};

const OURS: &str = "countersign.";

/// Returns the messages of `schema` that have something to keep to themselves.
pub(crate) fn discreet(schema: &DescriptorPool) -> Vec<MessageDescriptor> {
    let ours = schema.all_messages().filter(|message| message.full_name().starts_with(OURS));
    ours.filter(|message| message.fields().any(|field| is_redacted(&field))).collect()
}

/// Writes what prost leaves out for `messages`.
///
/// # Errors
/// Names a message that lies in another one: nothing of ours does, so its path in Rust is not worked out here.
pub(crate) fn debug_of(messages: &[MessageDescriptor]) -> Result<String, Box<dyn Error>> {
    let mut code = String::new();
    for message in messages {
        if message.parent_message().is_some() {
            return Err(format!("{} lies in another message", message.full_name()).into());
        }
        write_message(&mut code, message)?;
        write_oneofs(&mut code, message)?;
    }
    Ok(code)
}

fn is_redacted(field: &FieldDescriptor) -> bool {
    let options = field.options();
    let redacted = options.get_field_by_name("debug_redact");
    redacted.is_some_and(|redacted| matches!(*redacted, Value::Bool(true)))
}

fn write_message(code: &mut String, message: &MessageDescriptor) -> Result<(), Box<dyn Error>> {
    let (path, name) = (path(message), message.name());
    begin(code, &format!("{path}::{name}"))?;
    writeln!(code, "let mut fields = f.debug_struct({name:?});")?;
    let is_real =
        |field: &FieldDescriptor| field.containing_oneof().is_none_or(|oneof| oneof.is_synthetic());
    for field in message.fields().filter(is_real) {
        let name = field.name();
        let shown = if is_redacted(&field) {
            r#"&::core::format_args!("[redacted]")"#.to_owned()
        } else if matches!(field.kind(), Kind::Enum(_)) && !field.is_list() {
            // By its getter, which knows the names.
            format!("&self.{name}()")
        } else {
            format!("&self.{name}")
        };
        writeln!(code, "fields.field({name:?}, {shown});")?;
    }
    for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        let name = oneof.name();
        writeln!(code, "fields.field({name:?}, &self.{name});")?;
    }
    writeln!(code, "fields.finish() }} }}")?;
    Ok(())
}

/// What prost leaves out for a message it leaves out for its oneofs too.
fn write_oneofs(code: &mut String, message: &MessageDescriptor) -> Result<(), Box<dyn Error>> {
    for oneof in message.oneofs().filter(|oneof| !oneof.is_synthetic()) {
        let (module, name) = (snake(message.name()), camel(oneof.name()));
        begin(code, &format!("{}::{module}::{name}", path(message)))?;
        writeln!(code, "match self {{")?;
        for field in oneof.fields() {
            let variant = camel(field.name());
            let (bound, shown) = if is_redacted(&field) {
                ("_", r#"&::core::format_args!("[redacted]")"#)
            } else {
                ("value", "value")
            };
            let told = format!("f.debug_tuple({variant:?}).field({shown}).finish()");
            writeln!(code, "Self::{variant}({bound}) => {told},")?;
        }
        writeln!(code, "}} }} }}")?;
    }
    Ok(())
}

fn begin(code: &mut String, name: &str) -> Result<(), Box<dyn Error>> {
    writeln!(code, "impl ::core::fmt::Debug for {name} {{")?;
    writeln!(code, "fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {{")?;
    Ok(())
}

/// Returns the module that a message's package is generated into.
fn path(message: &MessageDescriptor) -> String {
    format!("crate::{}", message.package_name().replace('.', "::"))
}

fn camel(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters)
    });
    words.flatten().collect()
}

fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
