//! The ring and its file.

use std::{fs, path::Path};

use async_trait::async_trait;
// By name: the prelude has another `Rng`.
use countersign_core::Rng;
use countersign_testkit::SeededRandom;
use parking_lot::Mutex;
use proptest::prelude::*;
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::{file::RingFile, *};
use crate::{KeyProvider, OpenError, ProviderError, ProviderKind, frame::Kind};

struct Fixture {
    directory: TempDir,
    rng: Arc<SeededRandom>,
}

impl Fixture {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), rng: Arc::new(SeededRandom::new(7)) }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn rng(&self) -> Arc<dyn Rng> {
        Arc::clone(&self.rng) as Arc<dyn Rng>
    }

    fn place(&self) -> RingPlace {
        RingPlace::local(self.path(), OWNER)
    }

    fn open(&self) -> Result<KeyRing, OpenError> {
        immediately(self.place().open(Some(self.rng()))).map(Option::unwrap)
    }

    fn file(&self) -> Vec<u8> {
        fs::read(KEK.path(self.path())).unwrap()
    }

    /// Puts the content of a ring in place.
    fn put(&self, content: &[u8]) {
        KEK.write(self.path(), content).unwrap();
    }
}

fn trace(bytes: &[u8], secret: &[u8]) -> bool {
    secret.windows(16).any(|part| bytes.windows(16).any(|found| found == part))
}

#[test]
fn the_one_key_of_the_first_format_is_version_1_and_the_ring_goes_on_from_it() {
    let fixture = Fixture::new();
    let first_format = Kind { format: 1, ..KEK };
    first_format.write(fixture.path(), &[7; 32]).unwrap();
    let ring = fixture.open().unwrap();
    assert_eq!((ring.numbers(), ring.wrapping()), (vec![1], 1));
    let wrapped = seal_bytes(&DataKey::from_bytes([7; 32]), b"a", b"key", &*fixture.rng);
    assert_eq!(ring.unwrap(b"a", &wrapped).unwrap().expose(), b"key");

    assert_eq!(immediately(fixture.place().add(&ring, &*fixture.rng, true)).unwrap(), 2);
    let again = fixture.open().unwrap();
    assert_eq!((again.numbers(), again.wrapping()), (vec![1, 2], 2));
    for ring in [ring, again] {
        assert_eq!(ring.unwrap_and_tell(b"a", &wrapped).unwrap().0, 1);
    }
}

#[test]
fn the_newest_version_wraps_and_every_version_unwraps() {
    let fixture = Fixture::new();
    let place = fixture.place();
    let ring = immediately(place.create(fixture.rng())).unwrap();
    let mut wrapped = Vec::new();
    for version in 1..=4 {
        wrapped.push((version, ring.wrap(b"a", &[9; 32]).unwrap()));
        immediately(place.add(&ring, &*fixture.rng, true)).unwrap();
    }
    for ring in [ring, fixture.open().unwrap()] {
        for (version, wrapped) in &wrapped {
            let (found, key) = ring.unwrap_and_tell(b"a", wrapped).unwrap();
            assert_eq!((found, key.expose()), (*version, &[9; 32][..]));
            assert!(ring.unwrap(b"b", wrapped).is_err());
        }
        assert_eq!(ring.unwrap_and_tell(b"a", &ring.wrap(b"a", b"k").unwrap()).unwrap().0, 5);
    }
    assert!(fixture.open().unwrap().contains(&fixture.open().unwrap()));
}

#[test]
fn a_version_that_does_not_wrap_yet_unwraps() {
    let fixture = Fixture::new();
    let place = fixture.place();
    let ring = immediately(place.create(fixture.rng())).unwrap();
    immediately(place.add(&ring, &*fixture.rng, false)).unwrap();
    assert_eq!((ring.newest(), ring.wrapping()), (2, 1));
    ring.wrap_under(2);
    let wrapped = ring.wrap(b"a", b"k").unwrap();
    ring.wrap_under(1);
    assert_eq!(ring.unwrap_and_tell(b"a", &wrapped).unwrap().0, 2);
}

#[test]
fn a_retired_version_is_in_no_file_any_more_and_opens_nothing() {
    let fixture = Fixture::new();
    let place = fixture.place();
    let ring = immediately(place.create(fixture.rng())).unwrap();
    let key = RingFile::read(fixture.path(), OWNER).unwrap().unwrap().versions[0].held.to_vec();
    let wrapped = ring.wrap(b"a", b"k").unwrap();
    immediately(place.add(&ring, &*fixture.rng, true)).unwrap();
    assert!(trace(&fixture.file(), &key));
    // The file that is replaced is overwritten, too.
    let replaced = fs::File::open(KEK.path(fixture.path())).unwrap();
    assert_eq!(immediately(place.keep_only(&ring, 2, &*fixture.rng)).unwrap(), [1]);
    assert!(!trace(&fixture.file(), &key));
    let mut left = Vec::new();
    std::io::Read::read_to_end(&mut &replaced, &mut left).unwrap();
    assert!(!left.is_empty() && left.iter().all(|byte| *byte == 0));
    for ring in [ring, fixture.open().unwrap()] {
        assert_eq!(ring.numbers(), [2]);
        assert!(matches!(ring.unwrap(b"a", &wrapped), Err(VaultError::Damaged(_))));
    }
}

#[test]
fn a_ring_that_is_also_somebody_elses_is_replaced_and_not_overwritten() {
    let fixture = Fixture::new();
    let place = fixture.place();
    let ring = immediately(place.create(fixture.rng())).unwrap();
    let backup = fixture.path().join("backup");
    fs::hard_link(KEK.path(fixture.path()), &backup).unwrap();
    let before = fixture.file();
    immediately(place.add(&ring, &*fixture.rng, true)).unwrap();
    assert_eq!(fs::read(backup).unwrap(), before);
    assert_ne!(fixture.file(), before);
}

#[test]
fn another_file_is_noticed_and_the_same_one_is_not_unwrapped_again() {
    let fixture = Fixture::new();
    let place = fixture.place();
    let ring = immediately(place.create(fixture.rng())).unwrap();
    let replica = fixture.open().unwrap();
    assert!(!immediately(place.refresh(&replica)).unwrap());
    immediately(place.add(&ring, &*fixture.rng, true)).unwrap();
    assert!(immediately(place.refresh(&replica)).unwrap());
    // Which one wraps is not for the file to say.
    assert_eq!((replica.newest(), replica.wrapping()), (2, 1));
    immediately(place.keep_only(&ring, 2, &*fixture.rng)).unwrap();
    assert!(immediately(place.refresh(&replica)).unwrap());
    assert_eq!((replica.numbers(), replica.wrapping()), (vec![2], 2));
}

#[test]
fn a_file_that_is_no_ring_is_refused_and_named() {
    let fixture = Fixture::new();
    let place = fixture.place();
    let ring = immediately(place.create(fixture.rng())).unwrap();
    immediately(place.add(&ring, &*fixture.rng, true)).unwrap();
    let file = fixture.file();
    let whole = file[14..file.len() - 4].to_vec();
    let refusal = |content: &[u8]| {
        fixture.put(content);
        let error = fixture.open().unwrap_err();
        assert!(matches!(error, OpenError::Damaged(_)), "{error:?}");
        assert!(error.to_string().contains("kek"), "{error}");
        error.to_string()
    };
    for length in 0..whole.len() {
        refusal(&whole[..length]);
    }
    refusal(&[&whole[..], &[0]].concat());
    let mut none = whole.clone();
    none.truncate(2);
    none[1] = 0;
    assert!(refusal(&none).contains("not in order"));
    let mut strange = whole.clone();
    strange[0] = 9;
    assert!(refusal(&strange).contains("provider 9"));
    // Each version is 4 + 2 + 32 + 40 bytes.
    let swapped = [&whole[..2], &whole[80..], &whole[2..80]].concat();
    assert!(refusal(&swapped).contains("not in order"));
    fixture.put(&whole);
    assert_eq!(fixture.open().unwrap().numbers(), [1, 2]);
}

#[test]
fn a_key_that_is_not_the_one_of_its_version_is_refused() {
    let fixture = Fixture::new();
    let ring = immediately(fixture.place().create(fixture.rng())).unwrap();
    immediately(fixture.place().add(&ring, &*fixture.rng, true)).unwrap();
    let file = fixture.file();
    let whole = file[14..file.len() - 4].to_vec();
    // Of another key's bytes; and the same key and check under another number.
    let mut other = whole.clone();
    other[10] ^= 1;
    let mut renumbered = whole;
    renumbered[80] = 3;
    for content in [other, renumbered] {
        fixture.put(&content);
        let error = fixture.open().unwrap_err();
        assert!(matches!(error, OpenError::Provider(ProviderError::WrongKey { .. })), "{error:?}");
    }
}

#[test]
fn a_ring_tells_nothing_of_its_keys() {
    let fixture = Fixture::new();
    let ring = immediately(fixture.place().create(fixture.rng())).unwrap();
    assert_eq!(format!("{ring:?}"), "KeyRing([redacted])");
    let reading = immediately(fixture.place().open(None)).unwrap().unwrap();
    let error = reading.wrap(b"a", b"k").unwrap_err();
    assert!(crate::error::chain(&error).contains("reading only"), "{error}");
}

/// Keeps keys as they are, but answers what a test wants it to.
#[derive(Debug, Default)]
struct Odd {
    answers: Mutex<Vec<Result<Vec<u8>, ProviderError>>>,
}

#[async_trait]
impl KeyProvider for Odd {
    fn kind(&self) -> ProviderKind {
        ProviderKind::Vault
    }

    async fn wrap(&self, _: u32, key: &SecretBytes) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
        let answer = self.answers.lock().pop();
        answer.unwrap_or_else(|| Ok(key.expose().to_vec())).map(Zeroizing::new)
    }

    async fn unwrap(&self, _: u32, held: &[u8]) -> Result<SecretBytes, ProviderError> {
        Ok(SecretBytes::new(held.to_vec()))
    }
}

#[test]
fn a_provider_that_wraps_what_it_does_not_open_leaves_the_ring_as_it_was() {
    let away = || ProviderError::Away { provider: ProviderKind::Vault, what: "gone".to_owned() };
    for answer in [Ok(vec![3; 32]), Ok(vec![]), Err(away())] {
        let fixture = Fixture::new();
        let ring = immediately(fixture.place().create(fixture.rng())).unwrap();
        let before = fixture.file();
        let odd = Arc::new(Odd::default());
        odd.answers.lock().push(answer.clone());
        let local = fixture.place();
        let moved = immediately(local.move_to(&ring, Arc::clone(&odd) as _, &*fixture.rng));
        assert!(matches!(moved, Err(OpenError::Provider(_))), "{moved:?}");
        assert_eq!(fixture.file(), before);

        immediately(local.move_to(&ring, Arc::clone(&odd) as _, &*fixture.rng)).unwrap();
        let before = fixture.file();
        odd.answers.lock().push(answer);
        let rewrapped = immediately(local.rewrap(&ring, &*fixture.rng));
        assert!(matches!(rewrapped, Err(OpenError::Provider(_))), "{rewrapped:?}");
        assert_eq!(fixture.file(), before);
        // And whoever is configured otherwise is told whose the ring is.
        let error = fixture.open().unwrap_err().to_string();
        assert!(error.contains("kept by vault, but keys.provider says local"), "{error}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_ring_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let fixture = Fixture::new();
        fixture.put(&bytes);
        let opened = fixture.open();
        prop_assert!(
            matches!(opened, Err(OpenError::Damaged(_) | OpenError::Provider(_))),
            "{opened:?}"
        );
    }
}
