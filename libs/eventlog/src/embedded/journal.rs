//! Looks over fjall's journal before fjall opens it.
//!
//! When fjall meets a batch that it cannot parse it cuts the journal there, whatever follows. That is right for a torn
//! tail, the batch being written when the power went; it would silently drop acknowledged events if a bit flipped in
//! the middle. And a last batch whose pages reached the disk out of order makes it refuse to open at all. So this walks
//! the journals first, by the format of fjall 3:
//!
//! ```text
//! batch   start item* end
//! start   01, item count u32, sequence number u64          (little-endian throughout)
//! item    02, kind u8, compression u8 = 0, keyspace u64, key length u16, value length u32 twice, key, value
//! clear   04, keyspace u64                                 (counts as an item)
//! end     03, XXH3 of the items u64, "FJL" 03
//! ```
//!
//! A batch that cannot be read is a torn tail if no readable batch follows it, and is cut; otherwise the log is damaged,
//! and is refused. So that the last batch too can be told from a torn one, closing the log writes one more behind it.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use countersign_eventsourcing::Corruption;
use xxhash_rust::xxh3::Xxh3;

use super::OpenError;

const TRAILER: &[u8; 4] = b"FJL\x03";

/// What the journals hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Surveyed {
    /// First and last position of the events in the journals.
    pub(crate) events: Option<(u64, u64)>,
}

struct Batch {
    sequence: u64,
    /// Positions of its events, first and last.
    events: Option<(u64, u64)>,
    length: usize,
}

/// Walks the journals in `directory`, and cuts a torn tail. Events are the items of the keyspace `events_id`, keyed by
/// position. With `discard_from`, batches of events from there on are cut too: they were never acknowledged.
pub(crate) fn survey(
    directory: &Path,
    events_id: u64,
    discard_from: Option<u64>,
) -> Result<Surveyed, OpenError> {
    let mut surveyed = Surveyed::default();
    let mut last_sequence = None;
    for path in journals(directory)? {
        let failed = |source| OpenError::Io { path: path.clone(), source };
        let bytes = read_used(&path).map_err(failed)?;
        let mut at = 0;
        while let Some(batch) = read_batch(&bytes, at, events_id) {
            let damaged =
                |what: String| Corruption { place: format!("{} byte {at}", path.display()), what };
            if last_sequence.is_some_and(|last| batch.sequence <= last) {
                return Err(damaged("a batch is out of order".to_owned()).into());
            }
            if let Some((first, last)) = batch.events {
                if discard_from.is_some_and(|from| first >= from) {
                    break;
                }
                let known = surveyed.events;
                if let Some((_, before)) =
                    known.filter(|(_, before)| before.checked_add(1) != Some(first))
                {
                    let what = format!("after position {before} comes position {first}");
                    return Err(damaged(what).into());
                }
                surveyed.events = Some((known.map_or(first, |(start, _)| start), last));
            }
            last_sequence = Some(batch.sequence);
            at += batch.length;
        }
        cut(&path, &bytes, at, last_sequence, events_id, discard_from).map_err(
            |error| match error {
                Cut::Io(source) => failed(source),
                Cut::Damaged(what) => {
                    Corruption { place: format!("{} byte {at}", path.display()), what }.into()
                }
            },
        )?;
    }
    Ok(surveyed)
}

enum Cut {
    Io(io::Error),
    Damaged(String),
}

/// Cuts a journal at `at`, unless what follows shows that it is not its torn tail.
fn cut(
    path: &Path,
    bytes: &[u8],
    at: usize,
    last_sequence: Option<u64>,
    events_id: u64,
    discard_from: Option<u64>,
) -> Result<(), Cut> {
    let used = bytes.len().saturating_sub(at);
    if used == 0 {
        return Ok(());
    }
    let is_later = |batch: &Batch| last_sequence.is_none_or(|last| batch.sequence > last);
    let is_discarded = |batch: &Batch| {
        discard_from.is_some_and(|from| batch.events.is_some_and(|(first, _)| first >= from))
    };
    for start in (at..at + used).filter(|start| bytes.get(*start) == Some(&1)) {
        let found = read_batch(bytes, start, events_id);
        if found.is_some_and(|batch| is_later(&batch) && !is_discarded(&batch)) {
            return Err(Cut::Damaged(format!(
                "a batch cannot be read, and a whole one follows at byte {start}"
            )));
        }
    }
    tracing::warn!(path = %path.display(), at, bytes = used, "cutting the torn tail of a journal");
    let file = File::options().write(true).open(path).map_err(Cut::Io)?;
    file.set_len(at as u64).map_err(Cut::Io)?;
    file.sync_all().map_err(Cut::Io)
}

/// Reads a journal without the zeros at its end: it is made 64 MiB long in advance, and mostly empty.
fn read_used(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let (mut bytes, mut zeros) = (Vec::new(), 0);
    let mut block = vec![0; 64 * 1024];
    loop {
        let count = file.read(&mut block)?;
        let read = block.get(..count).unwrap_or_default();
        if read.is_empty() {
            return Ok(bytes);
        }
        match read.iter().rposition(|byte| *byte != 0) {
            None => zeros += count,
            Some(last) => {
                bytes.resize(bytes.len() + zeros, 0);
                bytes.extend_from_slice(read.get(..=last).unwrap_or_default());
                zeros = count - last - 1;
            }
        }
    }
}

/// Lists the journals from oldest to newest.
fn journals(directory: &Path) -> Result<Vec<PathBuf>, OpenError> {
    let failed = |source| OpenError::Io { path: directory.to_owned(), source };
    let mut numbered = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let number = path
            .extension()
            .filter(|extension| *extension == "jnl")
            .and(path.file_stem())
            .and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let Some(number) = number {
            numbered.push((number, path));
        }
    }
    numbered.sort();
    Ok(numbered.into_iter().map(|(_, path)| path).collect())
}

/// Reads one whole batch at `at`; `None` if there is none.
fn read_batch(bytes: &[u8], at: usize, events_id: u64) -> Option<Batch> {
    let mut rest = bytes.get(at..)?;
    let before = rest.len();
    if take(&mut rest)? != [1_u8] {
        return None;
    }
    let count = u32::from_le_bytes(take(&mut rest)?);
    let sequence = u64::from_le_bytes(take(&mut rest)?);
    let mut checksum = Xxh3::new();
    let mut events: Option<(u64, u64)> = None;
    for _ in 0..count {
        let item = rest;
        let (keyspace, key) = read_item(&mut rest)?;
        checksum.update(item.get(..item.len() - rest.len())?);
        if let (true, Ok(key)) = (keyspace == events_id, <[u8; 8]>::try_from(key)) {
            let position = u64::from_be_bytes(key);
            events = Some((events.map_or(position, |(first, _)| first), position));
        }
    }
    if take(&mut rest)? != [3_u8] || u64::from_le_bytes(take(&mut rest)?) != checksum.digest() {
        return None;
    }
    (take(&mut rest)? == *TRAILER).then_some(Batch {
        sequence,
        events,
        length: before - rest.len(),
    })
}

/// Reads an item, and returns its keyspace and key.
fn read_item<'a>(rest: &mut &'a [u8]) -> Option<(u64, &'a [u8])> {
    match take(rest)? {
        [2_u8] => {
            // No compression is ever written, so that another number is damage.
            let [_kind, 0] = take::<2>(rest)? else { return None };
            let keyspace = u64::from_le_bytes(take(rest)?);
            let key_length = usize::from(u16::from_le_bytes(take(rest)?));
            let value_length = u32::from_le_bytes(take(rest)?);
            let stored_length = u32::from_le_bytes(take(rest)?);
            if value_length != stored_length {
                return None;
            }
            let (key, after_key) = rest.split_at_checked(key_length)?;
            let (_, after) = after_key.split_at_checked(usize::try_from(value_length).ok()?)?;
            *rest = after;
            Some((keyspace, key))
        }
        [4_u8] => Some((u64::from_le_bytes(take(rest)?), &[])),
        [_] => None,
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A whole batch of one event.
    fn batch(sequence: u64, position: u64) -> Vec<u8> {
        let (keyspace, position) = (1_u64.to_le_bytes(), position.to_be_bytes());
        let lengths = [8, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let item = [&[2, 0, 0][..], &keyspace, &lengths, &position].concat();
        let mut checksum = Xxh3::new();
        checksum.update(&item);
        let start = [&[1, 1, 0, 0, 0][..], &sequence.to_le_bytes()].concat();
        [&start, &item[..], &[3], &checksum.digest().to_le_bytes(), TRAILER].concat()
    }

    #[test]
    fn after_the_last_of_all_positions_no_other_can_come() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("0.jnl");
        fs::write(&path, batch(1, u64::MAX)).unwrap();
        let only = survey(directory.path(), 1, None).unwrap();
        assert_eq!(only.events, Some((u64::MAX, u64::MAX)));
        fs::write(&path, [batch(1, u64::MAX), batch(2, 0)].concat()).unwrap();
        assert!(survey(directory.path(), 1, None).is_err());
    }
}
