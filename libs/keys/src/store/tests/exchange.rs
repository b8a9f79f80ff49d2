//! Exchanging secrets keys: nothing that is in use is lost, whatever happens, and nothing of the former key is left.

use super::{
    erasing::{any_trace, wrapped},
    *,
};
use crate::{SecretsKey, user_keys::Exchange};

const USERS: u8 = 4;

/// A store with keys of users whose secrets are all under generation 1; one of them is erased.
struct Exchanging {
    fixture: Fixture,
    data: Vec<Seen>,
    former: Vec<Option<[u8; 32]>>,
}

impl Exchanging {
    fn new() -> Self {
        let fixture = Fixture::new();
        let store = fixture.with_keys(&(0..USERS).map(user).collect::<Vec<_>>());
        store.erase(&fixture.tenant, user(2)).unwrap();
        let mut exchanging = Self { fixture, data: vec![], former: vec![] };
        exchanging.data = exchanging.found(&store);
        exchanging.former = exchanging.secrets(&store, 1);
        exchanging
    }

    fn found(&self, store: &KeyStore) -> Vec<Seen> {
        (0..USERS).map(|number| self.fixture.find(store, user(number))).collect()
    }

    fn secrets(&self, store: &KeyStore, generation: u32) -> Vec<Option<[u8; 32]>> {
        let of = |number| match store.find(&self.fixture.tenant, user(number)).unwrap() {
            Found::Keys(owned) => owned.keys.secrets(generation).map(|key| *key.expose()),
            Found::Erased | Found::Nothing => None,
        };
        (0..USERS).map(of).collect()
    }

    fn users(&self, generation: u32) -> Vec<SecretsKey> {
        let tenant = &self.fixture.tenant;
        (0..USERS)
            .map(|number| SecretsKey { tenant: tenant.clone(), user: user(number), generation })
            .collect()
    }

    fn begin(&self, store: &KeyStore) -> Result<(), VaultError> {
        only_the_erased_fails(&store.exchange(&self.users(1), |of| Exchange::Begin { of })?);
        Ok(())
    }

    fn end(&self, store: &KeyStore) -> Result<(), VaultError> {
        only_the_erased_fails(&store.exchange(&self.users(2), |keep| Exchange::End { keep })?);
        Ok(())
    }
}

fn only_the_erased_fails(outcomes: &[Result<(), VaultError>]) {
    for (number, outcome) in (0..USERS).zip(outcomes) {
        match number {
            2 => assert!(matches!(outcome, Err(VaultError::Erased))),
            _ => assert!(outcome.is_ok(), "user {number}: {outcome:?}"),
        }
    }
}

#[test]
fn both_keys_are_there_until_the_former_one_goes() {
    let exchanging = Exchanging::new();
    let store = exchanging.fixture.open();
    let traces: Vec<_> = [0, 1, 3].map(|slot| wrapped(&exchanging.fixture.file(), slot)).into();
    assert!(exchanging.secrets(&store, 2).iter().all(Option::is_none));
    exchanging.begin(&store).unwrap();
    let next = exchanging.secrets(&store, 2);
    assert_eq!(next.iter().flatten().count(), 3);
    assert_eq!(exchanging.secrets(&store, 1), exchanging.former);
    exchanging.end(&store).unwrap();
    let seen = |store: &KeyStore| {
        assert_eq!(exchanging.secrets(store, 2), next);
        assert!(exchanging.secrets(store, 1).iter().all(Option::is_none));
        assert_eq!(exchanging.found(store), exchanging.data);
    };
    seen(&store);
    let directory = exchanging.fixture.directory.path();
    assert!(!traces.iter().any(|old| any_trace(directory, old)));
    drop(store);
    seen(&exchanging.fixture.open());
}

#[test]
fn a_process_killed_at_any_operation_keeps_what_is_in_use_and_the_next_one_goes_on() {
    for nth in 1.. {
        let exchanging = Exchanging::new();
        let store = exchanging.fixture.open();
        store.file.faults.die_at(nth);
        let begun = exchanging.begin(&store);
        // Nobody ends what did not begin: the secrets are sealed anew in between.
        let ended = begun.is_ok().then(|| exchanging.end(&store));
        let came_to_its_end = store.file.faults.heal();
        drop(store);
        let store = exchanging.fixture.open();
        assert_eq!(exchanging.found(&store), exchanging.data, "operation {nth}");
        if ended.is_none() {
            assert_eq!(exchanging.secrets(&store, 1), exchanging.former, "operation {nth}");
            exchanging.begin(&store).unwrap();
        }
        let next = exchanging.secrets(&store, 2);
        assert_eq!(next.iter().flatten().count(), 3, "operation {nth}");
        exchanging.end(&store).unwrap();
        assert_eq!(exchanging.secrets(&store, 2), next, "operation {nth}");
        assert!(exchanging.secrets(&store, 1).iter().all(Option::is_none), "operation {nth}");
        if came_to_its_end {
            ended.unwrap().unwrap();
            return;
        }
        assert!(begun.is_err() || ended.unwrap().is_err(), "operation {nth}");
    }
}

#[test]
fn a_disk_that_fails_once_leaves_what_is_in_use_readable() {
    for nth in 1..=8 {
        let exchanging = Exchanging::new();
        let store = exchanging.fixture.open();
        exchanging.found(&store);
        store.file.faults.fail_once(nth);
        assert!(exchanging.begin(&store).is_err(), "operation {nth}");
        assert!(!store.file.faults.heal());
        assert_eq!(exchanging.found(&store), exchanging.data, "operation {nth}");
        assert_eq!(exchanging.secrets(&store, 1), exchanging.former, "operation {nth}");
        exchanging.begin(&store).unwrap();
        let next = exchanging.secrets(&store, 2);
        exchanging.end(&store).unwrap();
        drop(store);
        assert_eq!(exchanging.secrets(&exchanging.fixture.open(), 2), next, "operation {nth}");
    }
}

#[test]
fn another_tenants_user_is_not_touched() {
    let exchanging = Exchanging::new();
    let store = exchanging.fixture.open();
    let file = exchanging.fixture.file();
    let tenant = TenantId::parse("acme-b").unwrap();
    let foreign = SecretsKey { tenant, user: user(0), generation: 1 };
    let unknown = SecretsKey { user: user(99), ..exchanging.users(1).remove(0) };
    let late = SecretsKey { generation: 7, ..exchanging.users(1).remove(0) };
    let begin = |of| Exchange::Begin { of };
    let outcomes = store.exchange(&[foreign, unknown, late], begin).unwrap();
    assert!(matches!(
        outcomes.as_slice(),
        [Err(VaultError::Damaged(_)), Err(VaultError::Erased), Err(VaultError::Superseded)]
    ));
    assert_eq!(exchanging.fixture.file(), file);
}

#[test]
fn exchanging_erasing_and_wrapping_anew_at_once_lose_nothing() {
    let mut exchanging = Exchanging::new();
    let rng = Arc::clone(&exchanging.fixture.rng) as Arc<dyn Rng>;
    let ring = Arc::new(KeyRing::of(DataKey::from_bytes([1; 32]), Some(rng)));
    exchanging.fixture.encryption = Arc::clone(&ring) as Arc<dyn KeyEncryption>;
    let store = exchanging.fixture.open();
    ring.add(DataKey::from_bytes([2; 32]));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..50 {
                while let Some(step) = store.rewrap(&ring, 0).unwrap() {
                    if step.next >= u32::from(USERS) {
                        break;
                    }
                }
                exchanging.found(&store);
            }
        });
        scope.spawn(|| {
            for generation in 1..50 {
                let users = exchanging.users(generation);
                store.exchange(&users, |of| Exchange::Begin { of }).unwrap();
                store.exchange(&users, |of| Exchange::End { keep: of + 1 }).unwrap();
            }
        });
        scope.spawn(|| store.erase(&exchanging.fixture.tenant, user(3)).unwrap());
    });
    let mut after = exchanging.data.clone();
    after[3] = Seen::Erased;
    assert_eq!(exchanging.found(&store), after);
    let last = exchanging.secrets(&store, 50);
    assert_eq!(last.iter().flatten().count(), 2);
    drop(store);
    let store = exchanging.fixture.open();
    assert_eq!(exchanging.found(&store), after);
    assert_eq!(exchanging.secrets(&store, 50), last);
}
