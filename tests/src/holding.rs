//! Secrets to be had and let go of, whose bytes are known by rule: whoever looks for them needs no copy of them beside them.

use std::any::Any;

use countersign_core::{Rng, SecretBytes, SecretString, TenantId, Timestamp, UserKey};
use countersign_crypto::{DataKey, IndexKey, SealContext};
use countersign_factors::{BeginEnrollment, FactorSettings, factor};
use countersign_service::keys::ApiKeySecret;

/// Length of the longest secret.
pub const LONGEST: usize = 64;

/// A kind of secret, and how one is come by.
#[derive(Debug)]
pub struct Kind {
    /// What it is.
    pub name: &'static str,
    /// Makes one from the bytes of a seed.
    pub make: fn(u8) -> Box<dyn Any>,
}

/// Every kind. The number of one is its seed.
pub const KINDS: &[Kind] = &[
    Kind { name: "SecretBytes", make: |seed| Box::new(bytes(seed)) },
    Kind { name: "SecretString", make: |seed| Box::new(text(seed)) },
    Kind { name: "a clone of SecretBytes", make: |seed| Box::new(bytes(seed).clone()) },
    Kind { name: "a clone of SecretString", make: |seed| Box::new(text(seed).clone()) },
    Kind { name: "DataKey", make: |seed| Box::new(DataKey::generate(&Letters(seed))) },
    Kind { name: "IndexKey", make: |seed| Box::new(IndexKey::generate(&Letters(seed))) },
    Kind { name: "what was sealed and opened", make: opened },
    Kind { name: "a TOTP record after a verification", make: judged },
    Kind { name: "what a TOTP enrolment shows", make: begun },
    Kind { name: "ApiKeySecret", make: api_key },
];

/// Returns a letter of a secret.
#[must_use]
pub fn letter(seed: u8, at: usize) -> u8 {
    let mixed = (at as u64 + 1).wrapping_mul(u64::from(seed) * 2 + 0x9e37_79b9_7f4a_7c15);
    // Whatever is taken modulo 26 is a small number.
    b'a' + u8::try_from((mixed >> 40) % 26).unwrap_or_default()
}

/// Draws the letters of a seed.
struct Letters(u8);

impl Rng for Letters {
    fn fill(&self, bytes: &mut [u8]) {
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = letter(self.0, at);
        }
    }
}

fn bytes(seed: u8) -> SecretBytes {
    let mut bytes = vec![0; LONGEST];
    Letters(seed).fill(&mut bytes);
    SecretBytes::new(bytes)
}

fn text(seed: u8) -> SecretString {
    let mut text = String::with_capacity(LONGEST);
    text.extend((0..LONGEST).map(|at| char::from(letter(seed, at))));
    SecretString::new(text)
}

fn opened(seed: u8) -> Box<dyn Any> {
    let tenant = TenantId::parse("acme").unwrap();
    let user = UserKey::new([1; 16]);
    let context = SealContext { tenant: &tenant, user, field: "record", generation: None };
    let key = DataKey::from_bytes([7; 32]);
    let sealed = key.seal(&context, bytes(seed).expose(), &Letters(255));
    Box::new(key.open(&context, &sealed).unwrap())
}

/// A request to enrol an app with a secret as long as the longest.
fn begin(seed: u8) -> countersign_factors::BegunEnrollment {
    let parameters = [("algorithm".to_owned(), "SHA512".to_owned())].into();
    let begin =
        BeginEnrollment { account_name: "jo".to_owned(), issuer: String::new(), parameters };
    factor("totp").unwrap().begin_enrollment(&begin, &Letters(seed)).unwrap()
}

fn judged(seed: u8) -> Box<dyn Any> {
    let record = begin(seed).record;
    let (settings, now) = (FactorSettings::default(), Timestamp::from_unix_seconds(1_000_000));
    factor("totp").unwrap().verify(&record, &settings, "123456", now).unwrap();
    Box::new(record)
}

fn begun(seed: u8) -> Box<dyn Any> {
    Box::new(begin(seed).provisioning)
}

fn api_key(seed: u8) -> Box<dyn Any> {
    let tenant = TenantId::parse("acme").unwrap();
    let key = ApiKeySecret::generate(&tenant, &Letters(seed));
    let read = ApiKeySecret::parse(key.reveal().expose());
    Box::new(read.unwrap())
}
