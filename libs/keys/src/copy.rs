//! Carrying all keys from one store to the other, as an installation that changes its event log's engine does.
//!
//! The installation stays the same: key-encryption key, index key and signing key go along with their files, and the new
//! store takes over the id of the old one, to which the index key is bound. Users' keys are therefore copied as they are,
//! wrapped; a store under another key-encryption key is another installation's, and is refused.

use std::{collections::HashMap, fs, path::Path, sync::Arc};

use countersign_core::{Clock, Rng, UserKey};
use countersign_nats::Nats;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use zeroize::Zeroizing;

use crate::{
    KeyProvider, KeyProviderChoice, OpenError, VaultError,
    assertion::SystemClock,
    frame,
    local_file::{ASSERTION_KEYS, INDEX_KEY, open_index_key, open_signing_keys, prepare, present},
    ring::{GROUP, KEK, KeyRing, OWNER, RingPlace},
    shared::{KeyStream, StreamSetup, carry_over, read_all, shared_ring},
    store::{self, Content, ID_LEN, KeyStore, Slot, SlotFile, survey},
};

/// How many keys are written and synced together, or are on their way at once.
const TOGETHER: usize = 4_096;
const ON_THE_WAY: usize = 64;

/// Where an installation's keys are.
#[derive(Clone, Copy, Debug)]
pub enum KeyPlace<'a> {
    /// All in a directory, as [`LocalKeys`](crate::LocalKeys) has them. Whoever calls holds the lock of the data directory.
    Local(&'a Path),
    /// Users' keys in NATS, as [`SharedKeys`](crate::SharedKeys) has them.
    Shared {
        /// The directory with the other keys.
        directory: &'a Path,
        /// Where users' keys are.
        nats: &'a Nats,
    },
}

impl<'a> KeyPlace<'a> {
    const fn directory(self) -> &'a Path {
        match self {
            Self::Local(directory) | Self::Shared { directory, .. } => directory,
        }
    }
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopiedKeys {
    /// Users who have a key.
    pub keys: u64,
    /// Users who were erased.
    pub erased: u64,
    /// How many of both were not there before.
    pub new: u64,
}

/// Copies an installation's keys. Repeating it copies what has come since; whoever is erased on either side is erased on
/// the side copied to. Nobody may use the keys meanwhile. Tells `progress` how many of how many users are done.
///
/// # Errors
/// Says what cannot be opened on either side, or that they belong to different installations or to different keys.
pub async fn copy_keys(
    from: KeyPlace<'_>,
    to: KeyPlace<'_>,
    rng: Arc<dyn Rng>,
    progress: impl FnMut(u64, u64),
) -> Result<CopiedKeys, OpenError> {
    let local = KeyProviderChoice::Local;
    copy_keys_with(from, to, &local, rng, Arc::new(SystemClock), progress).await
}

/// As [`copy_keys`], under a key-encryption key that `provider` keeps, on both sides.
///
/// # Errors
/// As [`copy_keys`]; and says that the provider is away, refuses, or is another than the one that keeps the key.
pub async fn copy_keys_with(
    from: KeyPlace<'_>,
    to: KeyPlace<'_>,
    provider: &KeyProviderChoice,
    rng: Arc<dyn Rng>,
    clock: Arc<dyn Clock>,
    mut progress: impl FnMut(u64, u64),
) -> Result<CopiedKeys, OpenError> {
    let keeper = Keeper { provider: provider.provider(Arc::clone(&clock))?, rng, clock };
    let (id, slots) = read(from, &keeper).await?;
    carry_files(from.directory(), to.directory(), &id, &keeper).await?;
    let total = slots.len() as u64;
    let mut copied = CopiedKeys::default();
    for slot in &slots {
        match slot.content {
            Content::Key(_) => copied.keys += 1,
            Content::Erased { .. } => copied.erased += 1,
        }
    }
    let mut done = 0;
    match to {
        KeyPlace::Local(directory) => {
            let store = local_store(directory, id, &keeper).await?;
            for slots in slots.chunks(TOGETHER) {
                progress(done, total);
                copied.new += store.carry_over(slots)?;
                done += slots.len() as u64;
            }
        }
        KeyPlace::Shared { directory, nats } => {
            let (stream, ring) = shared_stream(directory, nats, id, &keeper).await?;
            let mut carried = stream::iter(&slots)
                .map(|slot| carry_over(&stream, &ring, slot))
                .buffer_unordered(ON_THE_WAY);
            while let Some(is_new) = carried.try_next().await? {
                if done % TOGETHER as u64 == 0 {
                    progress(done, total);
                }
                copied.new += u64::from(is_new);
                done += 1;
            }
        }
    }
    progress(total, total);
    Ok(copied)
}

/// Who keeps the key-encryption key of both sides.
struct Keeper {
    provider: Arc<dyn KeyProvider>,
    rng: Arc<dyn Rng>,
    clock: Arc<dyn Clock>,
}

impl Keeper {
    fn group(&self, directory: &Path) -> RingPlace {
        RingPlace::new(directory, GROUP, Arc::clone(&self.provider))
    }

    fn rng(&self) -> Option<Arc<dyn Rng>> {
        Some(Arc::clone(&self.rng))
    }
}

/// Reads the id of a store and one slot per user.
async fn read(from: KeyPlace<'_>, keeper: &Keeper) -> Result<([u8; ID_LEN], Vec<Slot>), OpenError> {
    match from {
        KeyPlace::Local(directory) => {
            let file = SlotFile::open(directory, false)?;
            let mut slots = Vec::new();
            survey(&file, |number, _, slot| {
                let damaged = |what| VaultError::damaged(file.place(number), what);
                let slot = slot.map_err(damaged)?;
                slots.push(match slot.content {
                    Content::Key(_) => slot,
                    Content::Erased { .. } => slot.tombstone(),
                });
                Ok(())
            })?;
            Ok((*file.id(), slots.into_iter().map(first_batch).collect()))
        }
        KeyPlace::Shared { directory, nats } => {
            let stream = KeyStream::of(nats).await?;
            let place = keeper.group(directory);
            let (_, setup) = shared_ring(&stream, directory, &place, None).await?;
            // The last message counts: after a key comes only the same, wrapped anew, or what says that it was erased.
            let mut slots: HashMap<UserKey, Slot> = HashMap::new();
            let mut damage = None;
            read_all(&stream, |stored, _| match stored.slot {
                Ok(slot) => {
                    slots.insert(slot.user, slot);
                }
                Err(what) => damage = damage.take().or(Some(stored.damaged(what))),
            })
            .await?;
            match damage {
                Some(damage) => Err(damage.into()),
                None => Ok((setup.id, slots.into_values().collect())),
            }
        }
    }
}

/// Which slots were synced together means nothing elsewhere.
const fn first_batch(slot: Slot) -> Slot {
    Slot { batch: 0, ..slot }
}

/// Copies the files that are the same wherever users' keys are, and looks whether those that are there fit.
async fn carry_files(
    from: &Path,
    to: &Path,
    id: &[u8; ID_LEN],
    keeper: &Keeper,
) -> Result<(), OpenError> {
    let missing = |directory: &Path| OpenError::Io {
        path: KEK.path(directory),
        source: std::io::ErrorKind::NotFound.into(),
    };
    let kek = keeper.group(from).open(None).await?.ok_or_else(|| missing(from))?;
    let index_key = open_index_key(from, &kek, id)?;
    let signing_keys = open_signing_keys(from, &kek)?;
    prepare_or_read(to)?;
    // In the order of the first start, and only beside files that are the same.
    let mut absent = Vec::new();
    let mut is_same = true;
    for kind in [KEK, ASSERTION_KEYS, INDEX_KEY] {
        let content = fs::read(kind.path(from)).map_err(OpenError::io(kind.path(from)))?;
        let content = Zeroizing::new(content);
        match present(to, kind.name)? {
            Some(path) => {
                let there = fs::read(&path).map_err(OpenError::io(&path))?;
                is_same &= *content == *Zeroizing::new(there);
            }
            None => absent.push((kind, content)),
        }
    }
    if is_same {
        for (kind, content) in absent {
            frame::put(to, kind.name, &content).map_err(OpenError::io(kind.path(to)))?;
        }
    }
    let foreign = |name: &str| OpenError::Foreign { path: to.join(name), kek: KEK.path(from) };
    let mut own = keeper.group(to).open(None).await?.ok_or_else(|| missing(to))?;
    if open_index_key(to, &own, id)?.expose() != index_key.expose() {
        return Err(foreign(INDEX_KEY.name));
    }
    // A side that was left behind when the key-encryption key was rotated would not open what is carried to it.
    if !own.contains(&kek) {
        if !kek.contains(&own) {
            return Err(foreign(KEK.name));
        }
        let newer = fs::read(KEK.path(from)).map(Zeroizing::new);
        let newer = newer.map_err(OpenError::io(KEK.path(from)))?;
        frame::put(to, KEK.name, &newer).map_err(OpenError::io(KEK.path(to)))?;
        own = keeper.group(to).open(None).await?.ok_or_else(|| missing(to))?;
    }
    let kept = open_signing_keys(to, &own)?;
    let is_kept = |kid: &str| kept.iter().any(|key| key.key.kid() == kid);
    if !signing_keys.iter().any(|key| is_kept(key.key.kid())) {
        return Err(foreign(ASSERTION_KEYS.name));
    }
    Ok(())
}

/// A directory that is there may be one that is only read.
fn prepare_or_read(directory: &Path) -> Result<(), OpenError> {
    if present(directory, INDEX_KEY.name)?.is_some() { Ok(()) } else { prepare(directory) }
}

async fn local_store(
    directory: &Path,
    id: [u8; ID_LEN],
    keeper: &Keeper,
) -> Result<KeyStore, OpenError> {
    let place = RingPlace::new(directory, OWNER, Arc::clone(&keeper.provider));
    let path = KEK.path(directory);
    let missing = || OpenError::Io { path, source: std::io::ErrorKind::NotFound.into() };
    let ring = place.open(keeper.rng()).await?.ok_or_else(missing)?;
    if present(directory, store::NAME)?.is_none() {
        SlotFile::create_as(directory, id)?;
    }
    let file = SlotFile::open(directory, true)?;
    if *file.id() != id {
        return Err(OpenError::Foreign {
            path: directory.join(store::NAME),
            kek: KEK.path(directory),
        });
    }
    KeyStore::open(file, Arc::new(ring), Arc::clone(&keeper.rng))
}

async fn shared_stream(
    directory: &Path,
    nats: &Nats,
    id: [u8; ID_LEN],
    keeper: &Keeper,
) -> Result<(KeyStream, KeyRing), OpenError> {
    let stream = KeyStream::of(nats).await?;
    let place = keeper.group(directory);
    if stream.setup().await?.is_none()
        && let Some(ring) = place.open(keeper.rng()).await?
    {
        stream.make(&StreamSetup::new(id, &ring, keeper.clock.now())?).await?;
    }
    let (ring, setup) = shared_ring(&stream, directory, &place, keeper.rng()).await?;
    if setup.id != id {
        return Err(OpenError::Foreign { path: stream.place().into(), kek: KEK.path(directory) });
    }
    Ok((stream, ring))
}
