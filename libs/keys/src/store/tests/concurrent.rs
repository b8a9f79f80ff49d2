//! Many threads at once.

use std::{
    sync::{Barrier, atomic::AtomicBool, mpsc},
    thread,
};

use countersign_core::SecretBytes;

use super::*;

const THREADS: u8 = 64;

#[test]
fn many_threads_that_need_the_key_of_one_new_user_make_one() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let together = Barrier::new(THREADS.into());
    let keys: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    together.wait();
                    store.create(&fixture.tenant, user(1)).unwrap();
                    fixture.find(&store, user(1))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(matches!(keys[0], Seen::Key(_)));
    assert!(keys.iter().all(|key| *key == keys[0]));
    assert_eq!(fixture.file().len(), 2 * SLOT_LEN);
    assert_eq!(fixture.find(&fixture.open(), user(1)), keys[0]);
}

#[test]
fn threads_that_wait_together_for_one_new_user_make_one_key() {
    let fixture = Fixture::new();
    let store = fixture.open();
    thread::scope(|scope| {
        let slow = store.file.faults.slow.lock();
        scope.spawn(|| store.create(&fixture.tenant, user(1)).unwrap());
        while store.file.faults.operations().is_empty() {
            thread::yield_now();
        }
        for _ in 0..THREADS {
            scope.spawn(|| store.create(&fixture.tenant, user(2)).unwrap());
        }
        while store.queue.waiting() < THREADS.into() {
            thread::yield_now();
        }
        assert_eq!(store.queue.gathered(), 1);
        drop(slow);
    });
    assert_eq!(fixture.file().len(), 3 * SLOT_LEN);
    assert!(matches!(fixture.find(&fixture.open(), user(2)), Seen::Key(_)));
}

#[test]
fn threads_that_come_while_another_waits_for_the_disk_share_the_next_sync() {
    let fixture = Fixture::new();
    let store = fixture.open();
    thread::scope(|scope| {
        let slow = store.file.faults.slow.lock();
        for number in 0..THREADS {
            let (store, tenant) = (&store, &fixture.tenant);
            scope.spawn(move || store.create(tenant, user(number)).unwrap());
        }
        // The first to come writes and is held; when the rest has gathered, the disk goes on.
        while store.queue.gathered() < usize::from(THREADS) - 1 {
            thread::yield_now();
        }
        drop(slow);
    });
    assert_eq!(store.file.faults.syncs(), 2);
    let keys: Vec<_> = (0..THREADS).map(|number| fixture.find(&store, user(number))).collect();
    drop(store);
    let store = fixture.open();
    for (number, key) in (0..THREADS).zip(keys) {
        assert!(matches!(key, Seen::Key(_)));
        assert_eq!(fixture.find(&store, user(number)), key);
    }
}

#[test]
fn when_a_shared_write_fails_everyone_who_waits_is_told() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let outcomes: Vec<_> = thread::scope(|scope| {
        let slow = store.file.faults.slow.lock();
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let (store, tenant) = (&store, &fixture.tenant);
                scope.spawn(move || store.create(tenant, user(number)))
            })
            .collect();
        while store.queue.gathered() < usize::from(THREADS) - 1 {
            thread::yield_now();
        }
        // The sync of the first, and then the write of the others.
        store.file.faults.fail_once(2);
        drop(slow);
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let refused = outcomes.iter().filter(|outcome| is_unavailable(outcome)).count();
    assert_eq!(refused, usize::from(THREADS) - 1);
    assert_eq!(fixture.file().len(), 2 * SLOT_LEN);
    for number in 0..THREADS {
        store.create(&fixture.tenant, user(number)).unwrap();
    }
    assert_eq!(fixture.file().len(), SLOT_LEN * (1 + usize::from(THREADS)));
}

/// Tells when it unwraps, and waits to be let.
#[derive(Debug)]
struct Held {
    inner: Arc<dyn KeyEncryption>,
    begun: mpsc::SyncSender<()>,
    go_on: parking_lot::Mutex<mpsc::Receiver<()>>,
}

impl KeyEncryption for Held {
    fn wrap(&self, associated: &[u8], key: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.inner.wrap(associated, key)
    }

    fn unwrap(&self, associated: &[u8], wrapped: &[u8]) -> Result<SecretBytes, VaultError> {
        self.begun.send(()).unwrap();
        self.go_on.lock().recv().unwrap();
        self.inner.unwrap(associated, wrapped)
    }
}

#[test]
fn a_key_that_is_erased_while_it_is_loaded_is_not_kept() {
    let mut fixture = Fixture::new();
    let (begun, has_begun) = mpsc::sync_channel(1);
    let (let_go, go_on) = mpsc::sync_channel(1);
    let inner = Arc::clone(&fixture.encryption);
    fixture.encryption = Arc::new(Held { inner, begun, go_on: parking_lot::Mutex::new(go_on) });
    let store = fixture.with_keys(&[user(1)]);
    thread::scope(|scope| {
        let loading = scope.spawn(|| fixture.find(&store, user(1)));
        has_begun.recv().unwrap();
        store.erase(&fixture.tenant, user(1)).unwrap();
        let_go.send(()).unwrap();
        assert_eq!(loading.join().unwrap(), Seen::Erased);
    });
    assert!(store.cache.get(&user(1)).is_none());
    assert_eq!(fixture.find(&store, user(1)), Seen::Erased);
}

#[test]
fn once_erased_a_key_is_found_by_no_thread() {
    let fixture = Fixture::new();
    for number in 0..50 {
        let store = fixture.with_keys(&[user(number)]);
        let key = fixture.find(&store, user(number));
        let erased = AtomicBool::new(false);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    loop {
                        // Asked before: what is found after it was erased must be nothing.
                        let was_erased = erased.load(Ordering::SeqCst);
                        match fixture.find(&store, user(number)) {
                            Seen::Erased => break,
                            found @ (Seen::Key(_) | Seen::Nothing) => {
                                assert!(found == key && !was_erased, "{found:?}");
                            }
                        }
                    }
                });
            }
            store.erase(&fixture.tenant, user(number)).unwrap();
            erased.store(true, Ordering::SeqCst);
        });
        assert!(store.cache.get(&user(number)).is_none());
    }
}

#[test]
fn whoever_creates_and_whoever_erases_at_once_agree_that_it_is_erased() {
    let fixture = Fixture::new();
    let store = fixture.open();
    for number in 0..THREADS {
        let together = Barrier::new(4);
        thread::scope(|scope| {
            for role in 0..4 {
                let (store, fixture, together) = (&store, &fixture, &together);
                scope.spawn(move || {
                    together.wait();
                    if role % 2 == 0 {
                        store.create(&fixture.tenant, user(number)).unwrap();
                    } else {
                        store.erase(&fixture.tenant, user(number)).unwrap();
                    }
                });
            }
        });
        assert_eq!(fixture.find(&store, user(number)), Seen::Erased);
    }
    assert_eq!(fixture.file().len(), SLOT_LEN * (1 + usize::from(THREADS)));
    let store = fixture.open();
    assert!((0..THREADS).all(|number| fixture.find(&store, user(number)) == Seen::Erased));
}
