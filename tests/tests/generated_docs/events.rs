//! `docs/events.md`: what the log holds.

use std::collections::BTreeMap;

use countersign_domain::catalog::AGGREGATES;
use countersign_tests::schema::{comment, detached_comments, pool};
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use super::{assert_generated, table};

const PACKAGE: &str = "countersign.event.v1";
const SEALED: &str = "countersign.event.v1.Sealed";

fn message(name: &str) -> MessageDescriptor {
    let found = pool().get_message_by_name(&format!("{PACKAGE}.{name}"));
    found.unwrap_or_else(|| panic!("the schema has no message {name}"))
}

fn message_comment(message: &MessageDescriptor) -> String {
    comment(&message.parent_file(), message.path())
}

fn is_sealed(field: &FieldDescriptor) -> bool {
    matches!(field.kind(), Kind::Message(message) if message.full_name() == SEALED)
}

/// Says a field's type as the schema does.
fn type_name(field: &FieldDescriptor) -> String {
    let one = |kind: Kind| match kind {
        Kind::Message(message) if message.package_name() == PACKAGE => {
            format!("[{0}](#{1})", message.name(), message.name().to_lowercase())
        }
        Kind::Enum(list) => format!("[{0}](#{1})", list.name(), list.name().to_lowercase()),
        other => format!("`{other:?}`").replace("google.protobuf.", ""),
    };
    if field.is_map() {
        let Kind::Message(entry) = field.kind() else { panic!("a map has entries") };
        let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        format!("map of {} to {}", one(key.kind()), one(value.kind()))
    } else if is_sealed(field) {
        "**[sealed](#sealed)**".to_owned()
    } else if field.is_list() {
        format!("list of {}", one(field.kind()))
    } else {
        one(field.kind())
    }
}

/// Lists the fields, and notes the messages and enums that they are made of.
fn fields(message: &MessageDescriptor, parts: &mut Parts) -> String {
    let rows = message.fields().map(|field| {
        if !is_sealed(&field) && !field.is_map() {
            parts.note(field.kind());
        }
        let file = message.parent_file();
        let mut name = format!("`{}`", field.name());
        if let Some(oneof) = field.containing_oneof().filter(|oneof| !oneof.is_synthetic()) {
            name += &format!(" (one of `{}`)", oneof.name());
        } else if field.supports_presence() && !matches!(field.kind(), Kind::Message(_)) {
            name += " (optional)";
        }
        vec![field.number().to_string(), name, type_name(&field), comment(&file, field.path())]
    });
    table(&["#", "Field", "Type", "Meaning"], rows.collect::<Vec<_>>())
}

/// Messages and enums that events are made of.
#[derive(Default)]
struct Parts {
    messages: BTreeMap<String, MessageDescriptor>,
    enums: BTreeMap<String, EnumDescriptor>,
}

impl Parts {
    fn note(&mut self, kind: Kind) {
        match kind {
            Kind::Message(message) if message.package_name() == PACKAGE => {
                let seen = self.messages.insert(message.name().to_owned(), message.clone());
                if seen.is_none() {
                    message.fields().for_each(|field| self.note(field.kind()));
                }
            }
            Kind::Enum(list) => {
                self.enums.insert(list.name().to_owned(), list);
            }
            _ => {}
        }
    }
}

fn enum_values(list: &EnumDescriptor) -> String {
    let rows = list.values().map(|value| {
        let meaning = comment(&list.parent_file(), value.path());
        vec![value.number().to_string(), format!("`{}`", value.name()), meaning]
    });
    table(&["#", "Value", "Meaning"], rows.collect::<Vec<_>>())
}

/// The message of a version: the newest has the plain name.
fn version_message(event_type: &str, version: u32, newest: u32) -> MessageDescriptor {
    if version == newest {
        message(event_type)
    } else {
        message(&format!("{event_type}V{version}"))
    }
}

/// The comment at the top of the file that holds an aggregate's events: it names the stream.
fn stream_comment(category: &str, event_type: &str) -> String {
    let comments = detached_comments(&message(event_type).parent_file());
    let begins = format!("Stream `{category}-{{tenant}}.");
    let found = comments.into_iter().find(|comment| comment.starts_with(&begins));
    found.unwrap_or_else(|| panic!("no comment beside {event_type} begins with {begins}"))
}

#[test]
fn the_page_of_events_says_what_the_catalogue_and_the_schema_say() {
    let mut parts = Parts::default();
    let mut page = "# Events\n\nWhat the log holds. The payload of an event is the protobuf message of its type's \
        name in `proto/countersign/event/v1`; an older version is the message whose name ends in that version, and is \
        read as the newest. A **sealed** field is personal data or a secret, encrypted under the data key of the \
        user: erasing the user destroys the key. Nothing else in a payload is personal data.\n"
        .to_owned();
    for aggregate in AGGREGATES {
        let (first, _) = aggregate.event_types[0];
        page += &format!(
            "\n## {}\n\n{}\n",
            aggregate.category,
            stream_comment(aggregate.category, first)
        );
        for (event_type, newest) in aggregate.event_types {
            for version in (1..=*newest).rev() {
                let message = version_message(event_type, version, *newest);
                page += &format!("\n### {event_type} version {version}\n\n");
                // The heading says the version.
                let text = message_comment(&message);
                page += text.strip_suffix(&format!(" Version {version}.")).unwrap_or(&text);
                page += &format!("\n\n{}", fields(&message, &mut parts));
            }
        }
    }
    parts.note(Kind::Message(message("Sealed")));
    page += "\n## Parts\n\nMessages and enums that events are made of.\n";
    for message in parts.messages.clone().values() {
        let text = message_comment(message);
        page += &format!("\n### {}\n\n{text}\n\n{}", message.name(), fields(message, &mut parts));
    }
    for list in parts.enums.values() {
        let text = comment(&list.parent_file(), list.path());
        page += &format!("\n### {}\n\n{text}\n\n{}", list.name(), enum_values(list));
    }
    assert_generated("events.md", &page);
}

#[test]
fn the_comment_of_every_event_says_its_version() {
    for aggregate in AGGREGATES {
        for (event_type, newest) in aggregate.event_types {
            for version in 1..=*newest {
                let message = version_message(event_type, version, *newest);
                let text = message_comment(&message);
                let says = text.contains(&format!("Version {version}"));
                assert!(says, "{}: {text}", message.name());
            }
        }
    }
}

#[test]
fn every_message_and_field_of_an_event_has_a_comment() {
    let all = pool().all_messages().filter(|message| message.package_name() == PACKAGE);
    for message in all.filter(|message| !message.is_map_entry()) {
        assert!(!message_comment(&message).is_empty(), "{}", message.name());
        for field in message.fields() {
            let text = comment(&message.parent_file(), field.path());
            assert!(!text.is_empty(), "{}", field.full_name());
        }
    }
}
