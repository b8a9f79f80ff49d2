//! Any sequence of sealing, unsealing, erasing and restarting does what a map would do.

use std::collections::HashMap;

use crate::support::Keys;
use countersign_core::{TenantId, UserKey};
use countersign_crypto::Sealed;
use countersign_keys::{VaultError, verify};
use proptest::prelude::*;

const USERS: u8 = 6;
const FIELD: &str = "field";

#[derive(Clone, Debug)]
enum Step {
    Seal(u8, Vec<u8>),
    UnsealAll(u8),
    Erase(u8),
    Reopen,
    Tear(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..USERS, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(user, plaintext)| Step::Seal(user, plaintext)),
        3 => (0..USERS).prop_map(Step::UnsealAll),
        1 => (0..USERS).prop_map(Step::Erase),
        1 => Just(Step::Reopen),
        1 => (1..128_usize).prop_map(Step::Tear),
    ]
}

/// What the model knows of a user; absent if there is no key.
enum Known {
    Sealed(Vec<(Vec<u8>, Sealed)>),
    Erased,
}

fn user(number: u8) -> UserKey {
    UserKey::new([number; 16])
}

fn tenant(number: u8) -> TenantId {
    TenantId::parse(if number.is_multiple_of(2) { "acme" } else { "other" }).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_store_behaves_like_a_map(steps in prop::collection::vec(step(), 1..60)) {
        let keys = Keys::none();
        let mut vault = keys.open().vault();
        let mut model: HashMap<u8, Known> = HashMap::new();
        for step in steps {
            match step {
                Step::Seal(number, plaintext) => {
                    let outcome = vault.seal(&tenant(number), user(number), FIELD, &plaintext);
                    match model.entry(number).or_insert_with(|| Known::Sealed(Vec::new())) {
                        Known::Erased => prop_assert!(matches!(outcome, Err(VaultError::Erased))),
                        Known::Sealed(values) => values.push((plaintext, outcome.unwrap())),
                    }
                }
                Step::UnsealAll(number) => {
                    let Some(Known::Sealed(values)) = model.get(&number) else {
                        let nothing = Sealed { key_id: "".into(), ciphertext: vec![0; 40] };
                        let outcome = vault.unseal(&tenant(number), user(number), FIELD, &nothing);
                        prop_assert!(matches!(outcome, Err(VaultError::Erased)));
                        continue;
                    };
                    for (plaintext, sealed) in values {
                        let opened = vault.unseal(&tenant(number), user(number), FIELD, sealed);
                        let opened = opened.unwrap();
                        prop_assert_eq!(opened.expose(), &**plaintext);
                    }
                }
                Step::Erase(number) => {
                    vault.erase(&tenant(number), user(number)).unwrap();
                    model.insert(number, Known::Erased);
                }
                Step::Reopen => vault = keys.open().vault(),
                // A process that is killed while it makes a key leaves the beginning of a slot.
                Step::Tear(length) => {
                    let mut content = keys.files().remove("data-keys").unwrap();
                    content.extend(vec![0x3C; length]);
                    std::fs::write(keys.path("data-keys"), content).unwrap();
                    vault = keys.open().vault();
                }
            }
        }
        let report = verify(&keys.directory(), |_, _| {}).unwrap();
        let erased = model.values().filter(|known| matches!(known, Known::Erased)).count() as u64;
        prop_assert_eq!(report.erased, erased);
        prop_assert_eq!(report.keys, model.len() as u64 - erased);
        prop_assert!(report.problems.is_empty());
    }
}
