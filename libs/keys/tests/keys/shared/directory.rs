//! Making and opening shared keys: once, by anyone, and never anew over what was lost.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    time::Duration,
};

use countersign_keys::{OpenError, SharedKeys};
use countersign_nats::{Nats, NatsSettings};

use super::{FIELD, STREAM, World};
use crate::support::{Keys, set_mode, user_id};

#[tokio::test]
async fn keys_that_were_never_made_are_not_opened_and_it_is_said_what_makes_them() {
    let world = World::none().await;
    fs::create_dir(world.directory()).unwrap();
    let error = world.try_open().await.unwrap_err();
    assert!(matches!(error, OpenError::NotReady { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("kek") && text.contains("`countersign init`"), "{text}");
    assert!(world.keys.files().is_empty());

    world.create().await.unwrap();
    world.nats.jetstream().delete_stream(STREAM).await.unwrap();
    let text = world.try_open().await.unwrap_err().to_string();
    assert!(text.contains(STREAM) && text.contains("`countersign init`"), "{text}");
}

#[tokio::test]
async fn making_keys_again_changes_nothing() {
    let world = World::none().await;
    let first = world.create().await.unwrap();
    let files = world.keys.files();
    assert_eq!(files.keys().collect::<Vec<_>>(), ["assertion-keys", "index-key", "kek"]);
    for (name, mode) in [("", 0o700), ("kek", 0o600), ("index-key", 0o600)] {
        let found = fs::metadata(world.keys.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}");
    }
    let second = world.create().await.unwrap();
    assert_eq!(world.keys.files(), files);
    let alice = user_id("alice");
    let name = |keys: &SharedKeys| keys.vault().user_key(&world.keys.acme, &alice);
    assert_eq!(name(&first), name(&second));
    assert_eq!(first.signing_key().kid(), world.replica().await.signing_key().kid());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_make_keys_at_once_make_the_same() {
    let world = World::none().await;
    let (one, other) = tokio::join!(world.create(), world.create());
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.signing_key().kid(), other.signing_key().kid());
    let (one, other) = (one.vault(), other.vault());
    let alice = one.user_key(&world.keys.acme, &user_id("alice"));
    assert_eq!(alice, other.user_key(&world.keys.acme, &user_id("alice")));
    let sealed = one.seal(&world.keys.acme, alice, FIELD, b"seed").await.unwrap();
    let opened = other.unseal(&world.keys.acme, alice, FIELD, &sealed).await.unwrap();
    assert_eq!(opened.expose(), b"seed");
}

#[tokio::test]
async fn making_that_was_killed_anywhere_is_completed() {
    let whole = World::made().await.keys.files();
    for name in ["kek", "assertion-keys", "index-key"] {
        let world = World::made().await;
        let mut left = world.keys.files();
        assert_eq!(left.len(), whole.len());
        // Without users, the index key is what is made last.
        left.remove("index-key");
        if name != "index-key" {
            left.remove("assertion-keys");
        }
        world.keys.put(&left);
        if name == "kek" {
            world.nats.jetstream().delete_stream(STREAM).await.unwrap();
        }
        world.create().await.unwrap();
        assert_eq!(world.keys.files().get("kek"), left.get("kek"));
    }
}

#[tokio::test]
async fn what_was_lost_is_never_made_anew() {
    for name in ["kek", "assertion-keys", "index-key"] {
        let world = World::none().await;
        let vault = world.create().await.unwrap().vault();
        let alice = vault.user_key(&world.keys.acme, &user_id("alice"));
        vault.seal(&world.keys.acme, alice, FIELD, b"seed").await.unwrap();
        fs::remove_file(world.keys.path(name)).unwrap();
        let before = world.keys.files();
        let error = world.create().await.unwrap_err();
        assert!(
            matches!(&error, OpenError::Missing { path, .. } if path.ends_with(name)),
            "{error:?}"
        );
        assert_eq!(world.keys.files(), before);
    }
    let world = World::made().await;
    world.nats.jetstream().delete_stream(STREAM).await.unwrap();
    let error = world.create().await.unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }), "{error:?}");
    assert!(error.to_string().starts_with("stream countersign_keys in NATS is missing"), "{error}");
}

#[tokio::test]
async fn keys_of_another_installation_are_refused() {
    let world = World::made().await;
    let settings = NatsSettings { prefix: "other".to_owned(), ..world.server.settings() };
    let nats = Nats::connect(&settings).await.unwrap();
    nats.ready(Duration::from_secs(20)).await.unwrap();
    let other = Keys::elsewhere();
    SharedKeys::create(&other.directory(), &nats, other.rng()).await.unwrap();
    // Its directory with our stream.
    for made in [false, true] {
        let refused = if made {
            SharedKeys::create(&other.directory(), &world.nats, other.rng()).await
        } else {
            SharedKeys::open(&other.directory(), &world.nats, other.rng()).await
        };
        let error = refused.unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
    }
    for name in ["kek", "assertion-keys", "index-key"] {
        let ours = world.keys.files();
        let mut mixed = ours.clone();
        mixed.insert(name.to_owned(), other.files()[name].clone());
        world.keys.put(&mixed);
        let error = world.try_open().await.unwrap_err();
        assert!(matches!(error, OpenError::Foreign { .. }), "{name}: {error:?}");
        world.keys.put(&ours);
    }
    // A directory without keys does not take over a stream that has an owner.
    let empty = Keys::elsewhere();
    let error = SharedKeys::create(&empty.directory(), &world.nats, empty.rng()).await.unwrap_err();
    assert!(matches!(error, OpenError::Missing { .. }), "{error:?}");
}

/// As Kubernetes mounts a secret: files that the group may read, behind symbolic links that are exchanged all at once,
/// in a directory with the sticky bit.
#[tokio::test]
async fn a_mounted_secret_that_is_only_read_will_do() {
    let world = World::made().await;
    let root = tempfile::tempdir().unwrap();
    let mount = root.path().join("keys");
    let version = mount.join("..2024_01_01");
    fs::create_dir_all(&version).unwrap();
    symlink("..2024_01_01", mount.join("..data")).unwrap();
    for (name, content) in world.keys.files() {
        fs::write(version.join(&name), content).unwrap();
        set_mode(&version.join(&name), 0o440);
        symlink(format!("..data/{name}"), mount.join(&name)).unwrap();
    }
    set_mode(&version, 0o555);
    for mode in [0o1777, 0o555, 0o750] {
        set_mode(&mount, mode);
        let keys = SharedKeys::open(&mount, &world.nats, world.keys.rng()).await.unwrap();
        let vault = keys.vault();
        let alice = vault.user_key(&world.keys.acme, &user_id("alice"));
        vault.seal(&world.keys.acme, alice, FIELD, b"seed").await.unwrap();
        assert_eq!(fs::read_dir(&mount).unwrap().count(), 5);
    }
    for mode in [0o777, 0o770] {
        set_mode(&mount, mode);
        let error = SharedKeys::open(&mount, &world.nats, world.keys.rng()).await.unwrap_err();
        assert!(matches!(error, OpenError::Exposed { wanted: 0o700, .. }), "{error:?}");
    }
    set_mode(&mount, 0o755);
    for mode in [0o444, 0o460, 0o644] {
        set_mode(&version.join("kek"), mode);
        let error = SharedKeys::open(&mount, &world.nats, world.keys.rng()).await.unwrap_err();
        assert!(matches!(error, OpenError::Exposed { wanted: 0o440, .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_stream_that_would_drop_keys_or_could_not_erase_them_is_refused() {
    let world = World::made().await;
    let stream = world.nats.jetstream().get_stream(STREAM).await.unwrap();
    let good = stream.cached_info().config.clone();
    let mut aging = good.clone();
    aging.max_age = Duration::from_secs(86_400);
    let mut limited = good.clone();
    limited.max_messages = 1_000;
    let mut foreign = good.clone();
    foreign.metadata.clear();
    for config in [aging, limited, foreign] {
        world.nats.jetstream().update_stream(config).await.unwrap();
        let error = world.try_open().await.unwrap_err();
        assert!(matches!(error, OpenError::Damaged(_)), "{error:?}");
        assert!(error.to_string().contains(STREAM), "{error}");
        world.nats.jetstream().update_stream(good.clone()).await.unwrap();
    }
    world.try_open().await.unwrap();
}
