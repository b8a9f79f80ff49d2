//! What `Debug` prints of everything that holds a secret.

use std::{collections::BTreeSet, fmt::Debug};

use countersign::serve::{Config, Flags};
use countersign_core::{SecretBytes, SecretString, UserId};
use countersign_crypto::{DataKey, IndexKey};
use countersign_factors::{BeginEnrollment, BegunEnrollment, Provisioning};
use countersign_proto::{admin, audit, challenge, common, enrollment, policy};
use countersign_service::keys::ApiKeySecret;
use countersign_tests::schema::pool;
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

const SECRET: &str = "hunter2hunter2hunter2hunter2hunt";

/// Every message that has something to keep to itself, by its name.
macro_rules! discreet {
    ($($package:ident::$name:ident),* $(,)?) => {
        const DISCREET: &[(&str, fn(&[u8]) -> String)] = &[
            $((
                concat!("countersign.", stringify!($package), ".v1.", stringify!($name)),
                |bytes| shown::<$package::$name>(bytes),
            )),*
        ];
    };
}

discreet! {
    admin::Approval,
    admin::CreateApiKeyResponse,
    admin::RotateApiKeyResponse,
    audit::GetStateAsOfRequest,
    audit::ReplayEventsRequest,
    challenge::CancelChallengeRequest,
    challenge::CreateChallengeRequest,
    challenge::GetChallengeRequest,
    challenge::ListThrottlesRequest,
    challenge::ReleaseThrottleRequest,
    challenge::Source,
    challenge::VerifyChallengeRequest,
    challenge::VerifyChallengeResponse,
    challenge::WatchChallengeRequest,
    common::Authenticator,
    enrollment::ConfirmEnrollmentRequest,
    enrollment::CreateSelfServiceTokenRequest,
    enrollment::CreateSelfServiceTokenResponse,
    enrollment::EraseUserRequest,
    enrollment::GetAuthenticatorRequest,
    enrollment::GetUserRequest,
    enrollment::IssueRecoveryCodesRequest,
    enrollment::IssueRecoveryCodesResponse,
    enrollment::IssueTemporaryAccessPassRequest,
    enrollment::IssueTemporaryAccessPassResponse,
    enrollment::ListAuthenticatorsRequest,
    enrollment::PlaceUserRequest,
    enrollment::ReinstateAuthenticatorRequest,
    enrollment::RemoveAuthenticatorRequest,
    enrollment::RenameAuthenticatorRequest,
    enrollment::SetDefaultAuthenticatorRequest,
    enrollment::StartEnrollmentRequest,
    enrollment::SuspendAuthenticatorRequest,
    enrollment::TotpProvisioning,
    policy::EvaluateSignInRequest,
    policy::SignInContext,
}

fn shown<M: Message + Default + Debug>(bytes: &[u8]) -> String {
    format!("{:?}", M::decode(bytes).unwrap())
}

/// Returns whether the schema says that a field is not to be printed.
fn is_redacted(field: &FieldDescriptor) -> bool {
    let options = field.options();
    let redacted = options.get_field_by_name("debug_redact");
    redacted.is_some_and(|redacted| matches!(*redacted, Value::Bool(true)))
}

/// Returns the messages of the API; stored events have nothing in the clear.
fn api() -> impl Iterator<Item = MessageDescriptor> {
    let ours = |message: &MessageDescriptor| {
        let name = message.full_name();
        name.starts_with("countersign.") && !name.starts_with("countersign.event.")
    };
    pool().all_messages().filter(ours)
}

/// Returns `message` with every field that is not to be printed set to something secret.
fn filled(message: &MessageDescriptor) -> DynamicMessage {
    let mut filled = DynamicMessage::new(message.clone());
    for field in message.fields().filter(is_redacted) {
        let value = if matches!(field.kind(), Kind::Bytes) {
            Value::Bytes(SECRET.as_bytes().into())
        } else {
            Value::String(SECRET.to_owned())
        };
        let value = if field.is_list() { Value::List(vec![value]) } else { value };
        filled.set_field(&field, value);
    }
    filled
}

#[test]
fn every_discreet_message_prints_its_names_and_not_its_secrets() {
    let marked: BTreeSet<_> = api()
        .filter(|message| message.fields().any(|field| is_redacted(&field)))
        .map(|message| message.full_name().to_owned())
        .collect();
    let listed: BTreeSet<_> = DISCREET.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(listed, marked, "the list above is to say what proto/ marks with debug_redact");
    for (name, shown) in DISCREET {
        let message = pool().get_message_by_name(name).unwrap();
        let shown = shown(&filled(&message).encode_to_vec());
        assert!(!shown.contains("hunter2") && !shown.contains("104, 117, 110"), "{shown}");
        for field in message.fields().filter(is_redacted) {
            assert!(shown.contains(&format!("{}: [redacted]", field.name())), "{shown}");
        }
    }
}

#[test]
fn every_field_that_sounds_secret_is_marked() {
    let is_secret = |name: &str| {
        ["code", "codes", "secret", "token", "assertion", "key_uri", "password", "account_name"]
            .contains(&name)
            || ["secret_", "qr_"].iter().any(|start| name.starts_with(start))
            || ["user_id", "_address", "user_agent", "device_id"]
                .iter()
                .any(|end| name.ends_with(end))
    };
    let mut found = 0;
    for field in api().flat_map(|message| message.fields().collect::<Vec<_>>()) {
        let is_text = matches!(field.kind(), Kind::String | Kind::Bytes);
        if is_text && is_secret(field.name()) {
            assert!(is_redacted(&field), "{} wants [debug_redact = true]", field.full_name());
            found += 1;
        }
    }
    assert!(found > 30, "only {found}");
}

#[test]
fn every_type_that_holds_a_secret_prints_nothing_of_it() {
    let bytes = <[u8; 32]>::try_from(SECRET.as_bytes()).unwrap();
    let tenant = countersign_core::TenantId::parse("acme").unwrap();
    let key = ApiKeySecret::parse(&format!("csk_{tenant}.key.{}", &SECRET.repeat(2)[..43]));
    let secret = || SecretString::new(SECRET.to_owned());
    let flags = || Flags { nats: vec![secret()], event_log: Some(secret()), ..Flags::default() };
    let with_password = SecretString::new(format!("kurrentdb://admin:{SECRET}@db:2113"));
    let config = Config::load(Flags { event_log: Some(with_password), ..flags() }).unwrap();
    let uri = Provisioning::KeyUri { uri: secret(), secret_base32: secret() };
    let all: Vec<(&str, Box<dyn Debug>)> = vec![
        ("SecretBytes", Box::new(SecretBytes::new(bytes.to_vec()))),
        ("SecretString", Box::new(secret())),
        ("UserId", Box::new(UserId::parse(SECRET).unwrap())),
        ("DataKey", Box::new(DataKey::from_bytes(bytes))),
        ("IndexKey", Box::new(IndexKey::from_bytes(bytes))),
        ("ApiKeySecret", Box::new(key.unwrap())),
        ("Flags", Box::new(flags())),
        ("Config", Box::new(config)),
        ("Provisioning", Box::new(Provisioning::Codes(vec![secret()]))),
        (
            "BeginEnrollment",
            Box::new(BeginEnrollment {
                account_name: SECRET.to_owned(),
                issuer: String::new(),
                parameters: Default::default(),
            }),
        ),
        (
            "BegunEnrollment",
            Box::new(BegunEnrollment {
                record: SecretBytes::new(bytes.to_vec()),
                parameters: Default::default(),
                provisioning: uri,
            }),
        ),
    ];
    for (name, value) in all {
        for shown in [format!("{value:?}"), format!("{value:#?}")] {
            let compact: String = shown.split_whitespace().collect();
            assert!(
                !shown.contains("hunter2") && !compact.contains("104,117,110"),
                "{name}: {shown}"
            );
        }
    }
}
