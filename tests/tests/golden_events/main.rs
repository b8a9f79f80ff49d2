//! What was ever written can still be read, and is written today as it always was.
//!
//! `tests/golden/{type}.v{version}.json` holds an event of each type and version that any release wrote: its bytes, what
//! they say as JSON, and for an older version what it reads as in each newer one (`reads_as`). A file is added with
//! `COUNTERSIGN_WRITE_GOLDEN=1`, together with the type or version that it belongs to, and never changed; only when an
//! event gets a newer version, `reads_as` of its older ones gets an entry more.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a failed test says so by panicking")]

mod folding;
mod keyring;
mod samples;
mod tenants;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use countersign_domain::{
    approval::Approval, catalog::AGGREGATES, delivery::Delivery, keyring::Keyring, tenant::Tenant,
    user_authenticators::UserAuthenticators, user_challenges::UserChallenges,
    user_sign_ins::UserSignIns,
};
use countersign_eventsourcing::{Decider as _, DecodeError, EncodedEvent, EventCodec};
use countersign_tests::schema::pool;
use data_encoding::HEXLOWER;
use prost_reflect::{DynamicMessage, Value};
use serde::{Deserialize, Serialize};

use crate::samples::{Sample, samples};

/// A stored event, kept for ever.
#[derive(Debug, Deserialize, Serialize)]
struct Golden {
    event_type: String,
    schema_version: u32,
    /// The message that its bytes are.
    message: String,
    /// In hexadecimal.
    payload: String,
    /// By the JSON mapping of protobuf.
    view: serde_json::Value,
    /// The same for each newer version, as which it is read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    reads_as: BTreeMap<u32, serde_json::Value>,
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")
}

fn read(path: &Path) -> Golden {
    serde_json::from_str(&fs::read_to_string(path).unwrap())
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Golden {
    fn payload(&self) -> Bytes {
        HEXLOWER.decode(self.payload.as_bytes()).unwrap().into()
    }
}

/// Returns every golden event with the file that it is in.
fn goldens() -> Vec<(PathBuf, Golden)> {
    let mut paths: Vec<_> =
        fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), read(&path))).collect()
}

/// Every event type with its category and newest version.
fn catalogue() -> impl Iterator<Item = (&'static str, &'static str, u32)> {
    AGGREGATES.iter().flat_map(|aggregate| {
        let types = aggregate.event_types.iter();
        types.map(|(event_type, newest)| (aggregate.category, *event_type, *newest))
    })
}

/// Returns category and newest version of an event type.
fn known(event_type: &str) -> (&'static str, u32) {
    let mut all = catalogue();
    let found = all.find(|(_, known, _)| *known == event_type);
    let (category, _, newest) = found.unwrap_or_else(|| {
        panic!("{event_type}: events of this type are in logs, so it must go on being read")
    });
    (category, newest)
}

/// The message that the bytes of a version are: the newest bears the plain name, older ones end in their version.
fn message_name(event_type: &str, version: u32) -> String {
    let (_, newest) = known(event_type);
    if version == newest {
        format!("countersign.event.v1.{event_type}")
    } else {
        format!("countersign.event.v1.{event_type}V{version}")
    }
}

fn message(name: &str, payload: &Bytes) -> DynamicMessage {
    let descriptor = pool().get_message_by_name(name);
    let descriptor = descriptor.unwrap_or_else(|| panic!("the schema has lost {name}"));
    DynamicMessage::decode(descriptor, payload.clone()).unwrap()
}

fn view(name: &str, payload: &Bytes) -> serde_json::Value {
    serde_json::to_value(message(name, payload)).unwrap()
}

/// Reads an event as this release does, and writes it again.
fn rewrite(event_type: &str, version: u32, payload: &Bytes) -> Result<EncodedEvent, DecodeError> {
    fn by<D: EventCodec>(
        event_type: &str,
        version: u32,
        payload: &Bytes,
    ) -> Result<EncodedEvent, DecodeError> {
        D::decode(event_type, version, payload).map(|event| D::encode(&event))
    }
    let (category, _) = known(event_type);
    let by = match category {
        Tenant::CATEGORY => by::<Tenant>,
        UserAuthenticators::CATEGORY => by::<UserAuthenticators>,
        UserChallenges::CATEGORY => by::<UserChallenges>,
        UserSignIns::CATEGORY => by::<UserSignIns>,
        Delivery::CATEGORY => by::<Delivery>,
        Approval::CATEGORY => by::<Approval>,
        Keyring::CATEGORY => by::<Keyring>,
        _ => panic!("say here who reads the events of {category}"),
    };
    by(event_type, version, payload)
}

fn file_name(sample: &Sample) -> String {
    let Sample { event_type, version, variant, .. } = sample;
    match variant {
        None => format!("{event_type}.v{version}.json"),
        Some(variant) => format!("{event_type}.v{version}.{variant}.json"),
    }
}

/// Writes what is missing. What is there is left alone, whatever it says.
fn write(path: &Path, sample: &Sample) {
    let Sample { event_type, version, payload, .. } = sample;
    let (_, newest) = known(event_type);
    let name = message_name(event_type, *version);
    let mut golden = Golden {
        event_type: (*event_type).to_owned(),
        schema_version: *version,
        view: view(&name, payload),
        message: name,
        payload: HEXLOWER.encode(payload),
        reads_as: BTreeMap::new(),
    };
    if *version < newest {
        let rewritten = rewrite(event_type, *version, payload).unwrap();
        let read_as = view(&message_name(event_type, newest), &rewritten.payload);
        golden.reads_as.insert(newest, read_as);
    }
    let text = serde_json::to_string_pretty(&golden).unwrap() + "\n";
    fs::write(path, text).unwrap();
}

#[test]
fn every_version_of_every_event_has_a_golden_file() {
    let samples = samples();
    for (_, event_type, newest) in catalogue() {
        let sampled: BTreeSet<_> =
            samples.iter().filter(|s| s.event_type == event_type).map(|s| s.version).collect();
        assert!(sampled.is_superset(&(1..=newest).collect()), "{event_type}: sampled {sampled:?}");
    }
    let missing: Vec<_> =
        samples.iter().filter(|sample| !directory().join(file_name(sample)).exists()).collect();
    if std::env::var_os("COUNTERSIGN_WRITE_GOLDEN").is_some() {
        for sample in missing {
            write(&directory().join(file_name(sample)), sample);
        }
    } else {
        let names: Vec<_> = missing.into_iter().map(file_name).collect();
        assert!(
            names.is_empty(),
            "missing in tests/golden: {names:?}; write them with COUNTERSIGN_WRITE_GOLDEN=1 if the events are new"
        );
    }
}

#[test]
fn a_golden_file_says_what_its_name_and_its_bytes_say() {
    for (path, golden) in goldens() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let named = format!("{}.v{}.", golden.event_type, golden.schema_version);
        assert!(name.starts_with(&named), "{name} holds {named}");
        assert_eq!(view(&golden.message, &golden.payload()), golden.view, "{name}");
        assert_eq!(
            message_name(&golden.event_type, golden.schema_version),
            golden.message,
            "{name}"
        );
    }
}

#[test]
fn the_newest_version_is_written_byte_for_byte_as_it_always_was() {
    for (path, golden) in goldens() {
        let (_, newest) = known(&golden.event_type);
        if golden.schema_version < newest {
            continue;
        }
        let payload = golden.payload();
        let rewritten = rewrite(&golden.event_type, golden.schema_version, &payload);
        let rewritten = rewritten.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(rewritten.event_type, golden.event_type);
        assert_eq!(rewritten.schema_version, newest);
        assert_eq!(HEXLOWER.encode(&rewritten.payload), golden.payload, "{}", path.display());
    }
}

#[test]
fn an_older_version_is_read_as_the_newest_one() {
    let mut read = 0;
    for (path, golden) in goldens() {
        let (_, newest) = known(&golden.event_type);
        if golden.schema_version == newest {
            continue;
        }
        let rewritten = rewrite(&golden.event_type, golden.schema_version, &golden.payload());
        let rewritten = rewritten.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(rewritten.schema_version, newest);
        let reads_as = view(&message_name(&golden.event_type, newest), &rewritten.payload);
        let file = path.display();
        let Some(expected) = golden.reads_as.get(&newest) else {
            panic!("{file}: `reads_as` lacks version {newest}; today it reads as {reads_as:#}")
        };
        assert_eq!(&reads_as, expected, "{file}");
        read += 1;
    }
    assert!(read > 0, "AttemptFailed had a version 1");
}

#[test]
fn a_version_that_was_never_written_is_refused() {
    for (_, event_type, newest) in catalogue() {
        for version in [0, newest + 1] {
            let refused = rewrite(event_type, version, &Bytes::new());
            assert!(
                matches!(refused, Err(DecodeError::UnknownType { .. })),
                "{event_type} {version}"
            );
        }
    }
}

#[test]
fn samples_leave_no_field_at_its_default_so_that_a_lost_one_shows() {
    for sample in samples() {
        let name = message_name(sample.event_type, sample.version);
        assert_whole(&message(&name, &sample.payload), &file_name(&sample));
    }
}

/// Looks for fields that are absent; of a oneof only one can be there.
fn assert_whole(message: &DynamicMessage, path: &str) {
    let descriptor = prost_reflect::ReflectMessage::descriptor(message);
    for oneof in descriptor.oneofs() {
        assert!(oneof.fields().any(|field| message.has_field(&field)), "{path}.{}", oneof.name());
    }
    for field in descriptor.fields() {
        let path = format!("{path}.{}", field.name());
        if field.containing_oneof().is_none() {
            assert!(message.has_field(&field), "{path} is at its default");
        }
        let value = message.get_field(&field);
        if let Value::Message(inner) = &*value
            && message.has_field(&field)
        {
            assert_whole(inner, &path);
        }
        for item in value.as_list().unwrap_or_default().iter().filter_map(Value::as_message) {
            assert_whole(item, &path);
        }
    }
}
