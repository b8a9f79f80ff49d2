//! Reading all keys again: is each what was written, and does it open?

use std::{collections::HashSet, fs, path::Path, sync::Arc};

use countersign_core::Clock;

use super::wrapped::{open_index_key, open_signing_keys};
use crate::{
    KeyEncryption as _, KeyProblem, KeyProviderChoice, OpenError,
    ring::{KEK, KeyRing, OWNER, RingPlace, immediately},
    store::{Content, SlotFile, survey},
};

/// After so many problems the rest is not described.
pub(crate) const MAX_PROBLEMS: usize = 1_000;
/// How many keys are read between two reports of progress.
pub(crate) const PROGRESS_INTERVAL: u32 = 4_096;

/// What was found in a directory of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyReport {
    /// Users' data keys that open.
    pub keys: u64,
    /// Users who were erased.
    pub erased: u64,
    /// How many users have bytes of a key left that was erased or wrapped anew; the next start, or the next rotation, wipes
    /// them.
    pub unwiped: u64,
    /// Bytes of keys that were being made when the process was killed, which the next start cuts. Nothing was sealed
    /// under them.
    pub torn: u64,
    /// What is wrong, at most a thousand places. Empty for sound keys.
    pub problems: Vec<KeyProblem>,
}

/// Says what is wrong with the keys that are no user's.
pub(crate) fn other_problems(
    directory: &Path,
    kek: &KeyRing,
    store_id: &[u8],
) -> impl Iterator<Item = KeyProblem> {
    let others =
        [open_index_key(directory, kek, store_id).err(), open_signing_keys(directory, kek).err()];
    others.into_iter().flatten().map(|error| {
        if let OpenError::Damaged(problem) = error {
            problem
        } else {
            KeyProblem::new(directory.display().to_string(), crate::error::chain(&error))
        }
    })
}

/// Reads every key in `directory` again: its checksum, and that it opens under the key-encryption key. Changes nothing.
/// Tells `progress` how many of how many keys are done.
///
/// # Errors
/// Says that the key-encryption key or the store cannot be opened at all.
pub fn verify(directory: &Path, progress: impl FnMut(u64, u64)) -> Result<KeyReport, OpenError> {
    let ring = immediately(opened(directory, RingPlace::local(directory, OWNER)))?;
    verify_under(directory, &ring, progress)
}

/// As [`verify`], under a key-encryption key that `provider` keeps.
///
/// # Errors
/// As [`verify`]; and says that the provider is away, refuses, or is another than the one that keeps the key.
pub async fn verify_with(
    directory: &Path,
    provider: &KeyProviderChoice,
    clock: Arc<dyn Clock>,
    progress: impl FnMut(u64, u64),
) -> Result<KeyReport, OpenError> {
    let place = RingPlace::new(directory, OWNER, provider.provider(clock)?);
    let ring = opened(directory, place).await?;
    verify_under(directory, &ring, progress)
}

async fn opened(directory: &Path, place: RingPlace) -> Result<KeyRing, OpenError> {
    fs::metadata(directory).map_err(OpenError::io(directory))?;
    place.open(None).await?.ok_or_else(|| {
        let source = std::io::ErrorKind::NotFound.into();
        OpenError::Io { path: KEK.path(directory), source }
    })
}

fn verify_under(
    directory: &Path,
    kek: &KeyRing,
    mut progress: impl FnMut(u64, u64),
) -> Result<KeyReport, OpenError> {
    let file = SlotFile::open(directory, false)?;
    let mut report = KeyReport::default();
    report.problems.extend(other_problems(directory, kek, file.id()));
    report.unwiped += file.unfinished_rewraps() as u64;
    let mut users = HashSet::new();
    let extent = survey(&file, |number, count, slot| {
        if number.is_multiple_of(PROGRESS_INTERVAL) {
            progress(number.into(), count.into());
        }
        let outcome = slot.and_then(|slot| {
            if !users.insert(slot.user) {
                return Err("its user has another slot before it");
            }
            match slot.content {
                Content::Key(wrapped) => {
                    let opened = kek.unwrap(&slot.owner.associated(slot.user), &wrapped);
                    opened.map_err(|_| "its key does not open under the key-encryption key")?;
                    report.keys += 1;
                }
                Content::Erased { wiped } => {
                    report.erased += 1;
                    report.unwiped += u64::from(!wiped);
                }
            }
            Ok(())
        });
        if let Err(what) = outcome
            && report.problems.len() < MAX_PROBLEMS
        {
            report.problems.push(KeyProblem::new(file.place(number), what));
        }
        Ok(())
    })?;
    report.torn = extent.torn;
    progress(extent.slots.into(), extent.slots.into());
    Ok(report)
}
