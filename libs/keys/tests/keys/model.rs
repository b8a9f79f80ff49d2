//! Any sequence of sealing, unsealing, erasing and restarting does what a map would do.

use std::collections::HashMap;

use crate::{shared::World, support::Keys};
use countersign_core::{TenantId, UserKey};
use countersign_crypto::Sealed;
use countersign_keys::{KeyReport, SecretsKey, UserVault, VaultError, verify, verify_shared};
use proptest::{prelude::*, test_runner::TestRunner};

const USERS: u8 = 6;
const FIELD: &str = "field";

#[derive(Clone, Debug)]
enum Step {
    Seal(u8, Vec<u8>),
    SealSecret(u8, Vec<u8>),
    UnsealAll(u8),
    BeginExchange(u8),
    EndExchange(u8),
    Erase(u8),
    Reopen,
    Tear(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..USERS, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(user, plaintext)| Step::Seal(user, plaintext)),
        4 => (0..USERS, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(user, plaintext)| Step::SealSecret(user, plaintext)),
        3 => (0..USERS).prop_map(Step::UnsealAll),
        2 => (0..USERS).prop_map(Step::BeginExchange),
        2 => (0..USERS).prop_map(Step::EndExchange),
        1 => (0..USERS).prop_map(Step::Erase),
        1 => Just(Step::Reopen),
        1 => (1..256_usize).prop_map(Step::Tear),
    ]
}

/// What the model knows of a user; absent if there is no key.
enum Known {
    Sealed(Values),
    Erased,
}

/// What was sealed for a user, and which generations of secrets keys there are.
#[derive(Default)]
struct Values {
    sealed: Vec<(Vec<u8>, Sealed)>,
    secrets: Vec<(Vec<u8>, Sealed)>,
    /// How many generations went before the one in use.
    before: u32,
    has_next: bool,
}

impl Values {
    const fn generation(&self) -> u32 {
        self.before + 1
    }

    const fn newest(&self) -> u32 {
        self.generation() + self.has_next as u32
    }
}

fn user(number: u8) -> UserKey {
    UserKey::new([number; 16])
}

fn tenant(number: u8) -> TenantId {
    TenantId::parse(if number.is_multiple_of(2) { "acme" } else { "other" }).unwrap()
}

/// Keys of either store.
trait Store {
    /// Opens the keys as a process that starts does.
    async fn open(&self) -> UserVault;
    /// Leaves behind what a process leaves that is killed while it makes a key.
    async fn tear(&self, length: usize);
    async fn report(&self) -> KeyReport;
}

impl Store for Keys {
    async fn open(&self) -> UserVault {
        Self::open(self).vault()
    }

    /// The beginning of a slot.
    async fn tear(&self, length: usize) {
        let mut content = self.files().remove("data-keys").unwrap();
        content.extend(vec![0x3C; length]);
        std::fs::write(self.path("data-keys"), content).unwrap();
    }

    async fn report(&self) -> KeyReport {
        verify(&self.directory(), |_, _| {}).unwrap()
    }
}

async fn takes(store: &impl Store, steps: Vec<Step>) -> Result<(), TestCaseError> {
    let mut vault = store.open().await;
    let mut model: HashMap<u8, Known> = HashMap::new();
    for step in steps {
        match step {
            Step::Seal(number, plaintext) => {
                let outcome = vault.seal(&tenant(number), user(number), FIELD, &plaintext).await;
                match model.entry(number).or_insert_with(|| Known::Sealed(Values::default())) {
                    Known::Erased => prop_assert!(matches!(outcome, Err(VaultError::Erased))),
                    Known::Sealed(values) => values.sealed.push((plaintext, outcome.unwrap())),
                }
            }
            Step::SealSecret(number, plaintext) => {
                let known = model.entry(number).or_insert_with(|| Known::Sealed(Values::default()));
                let generation = match known {
                    Known::Sealed(values) => values.newest(),
                    Known::Erased => 1,
                };
                let key = SecretsKey { tenant: tenant(number), user: user(number), generation };
                let outcome = vault.seal_secret(&key, FIELD, &plaintext).await;
                let ahead = SecretsKey { generation: generation + 1, ..key };
                let ahead = vault.seal_secret(&ahead, FIELD, &plaintext).await;
                match known {
                    Known::Erased => {
                        prop_assert!(matches!(outcome, Err(VaultError::Erased)));
                        prop_assert!(matches!(ahead, Err(VaultError::Erased)));
                    }
                    Known::Sealed(values) => {
                        values.secrets.push((plaintext, outcome.unwrap()));
                        prop_assert!(matches!(ahead, Err(VaultError::Superseded)));
                    }
                }
            }
            Step::BeginExchange(number) => {
                let generation = match model.get(&number) {
                    Some(Known::Sealed(values)) => values.generation(),
                    Some(Known::Erased) | None => 1,
                };
                let key = SecretsKey { tenant: tenant(number), user: user(number), generation };
                let outcome = vault.begin_exchange(vec![key]).await.unwrap().remove(0);
                match model.get_mut(&number) {
                    Some(Known::Sealed(values)) => {
                        outcome.unwrap();
                        values.has_next = true;
                    }
                    Some(Known::Erased) | None => {
                        prop_assert!(matches!(outcome, Err(VaultError::Erased)));
                    }
                }
            }
            Step::EndExchange(number) => {
                let Some(Known::Sealed(values)) = model.get_mut(&number) else { continue };
                let generation = values.newest();
                let key = SecretsKey { tenant: tenant(number), user: user(number), generation };
                vault.end_exchange(vec![key]).await.unwrap().remove(0).unwrap();
                values.before = generation - 1;
                values.has_next = false;
            }
            Step::UnsealAll(number) => {
                let (tenant, user) = (tenant(number), user(number));
                let Some(Known::Sealed(values)) = model.get(&number) else {
                    let nothing = Sealed { key_id: "".into(), ciphertext: vec![0; 40] };
                    let outcome = vault.unseal(&tenant, user, FIELD, &nothing).await;
                    prop_assert!(matches!(outcome, Err(VaultError::Erased)));
                    continue;
                };
                for (plaintext, sealed) in &values.sealed {
                    let opened = vault.unseal(&tenant, user, FIELD, sealed).await.unwrap();
                    prop_assert_eq!(opened.expose(), &**plaintext);
                    let as_secret = vault.unseal_secret(&tenant, user, FIELD, sealed).await;
                    prop_assert!(matches!(as_secret, Err(VaultError::Damaged(_))));
                }
                for (plaintext, sealed) in &values.secrets {
                    let opened = vault.unseal_secret(&tenant, user, FIELD, sealed).await;
                    if sealed.generation().unwrap() < values.generation() {
                        prop_assert!(matches!(opened, Err(VaultError::Superseded)));
                    } else {
                        let opened = opened.unwrap();
                        prop_assert_eq!(opened.expose(), &**plaintext);
                    }
                    let as_other = vault.unseal(&tenant, user, FIELD, sealed).await;
                    prop_assert!(matches!(as_other, Err(VaultError::Damaged(_))));
                }
            }
            Step::Erase(number) => {
                vault.erase(&tenant(number), user(number)).await.unwrap();
                model.insert(number, Known::Erased);
            }
            Step::Reopen => vault = store.open().await,
            Step::Tear(length) => {
                store.tear(length).await;
                vault = store.open().await;
            }
        }
    }
    let report = store.report().await;
    let erased = model.values().filter(|known| matches!(known, Known::Erased)).count() as u64;
    prop_assert_eq!(report.erased, erased);
    prop_assert_eq!(report.keys, model.len() as u64 - erased);
    prop_assert!(report.problems.is_empty());
    Ok(())
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..60)
}

impl Store for World {
    async fn open(&self) -> UserVault {
        self.replica().await.vault()
    }

    /// Nothing: a message is stored whole or not at all.
    async fn tear(&self, _: usize) {}

    async fn report(&self) -> KeyReport {
        verify_shared(&self.directory(), &self.nats, |_, _| {}).await.unwrap()
    }
}

#[test]
fn the_store_behaves_like_a_map() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let config = ProptestConfig::with_cases(64);
    let outcome = TestRunner::new(config)
        .run(&steps(), |steps| runtime.block_on(takes(&Keys::none(), steps)));
    outcome.unwrap();
}

#[test]
fn the_store_in_nats_behaves_like_a_map() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let config = ProptestConfig { max_shrink_iters: 64, ..ProptestConfig::with_cases(8) };
    let outcome = TestRunner::new(config).run(&steps(), |steps| {
        runtime.block_on(async { takes(&World::made().await, steps).await })
    });
    outcome.unwrap();
}
