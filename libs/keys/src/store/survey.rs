//! Reading all slots once, and telling a torn end from damage.
//!
//! A slot that was never finished is a torn end if no slot shows that it was acknowledged: slots that are written and
//! synced together name the first of them, and a later slot of a later batch was only written after that sync. The
//! whole unacknowledged batch is cut from there. Anything else that cannot be read is damage, and is named.

use super::{
    file::SlotFile,
    slot::{SLOT_LEN, Slot, Unreadable},
};
use crate::OpenError;

/// How many slots are read at once.
const CHUNK: usize = 4_096;

/// How far the slots go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Slots that count.
    pub(crate) slots: u32,
    /// Bytes of a torn end behind them.
    pub(crate) torn: u64,
}

/// Shows `seen` every slot that counts, or what is wrong with it, with its number and how many there are at most. Stops
/// at what `seen` fails with.
pub(crate) fn survey(
    file: &SlotFile,
    mut seen: impl FnMut(u32, u32, Result<Slot, &'static str>) -> Result<(), OpenError>,
) -> Result<Extent, OpenError> {
    let failed = |source| OpenError::Io { path: file.path().to_owned(), source };
    let bytes = file.slot_bytes().map_err(failed)?;
    let whole = u32::try_from(bytes / SLOT_LEN as u64).unwrap_or(u32::MAX);
    let mut buffer = vec![0; CHUNK * SLOT_LEN];
    let mut unfinished: Option<u32> = None;
    let mut first = 0;
    while first < whole {
        let count = usize::try_from(whole - first).unwrap_or(CHUNK).min(CHUNK);
        let chunk = buffer.get_mut(..count * SLOT_LEN).unwrap_or_default();
        file.read(first, chunk).map_err(failed)?;
        for bytes in chunk.as_chunks::<SLOT_LEN>().0 {
            match Slot::parse(bytes) {
                Ok(slot) => {
                    if unfinished.is_some_and(|at| slot.batch > at) {
                        for at in unfinished.take().into_iter().flat_map(|at| at..first) {
                            seen(at, whole, Err("it is not whole, though later ones are"))?;
                        }
                    }
                    if unfinished.is_none() {
                        seen(first, whole, Ok(slot))?;
                    }
                }
                Err(Unreadable::Unfinished) => {
                    unfinished.get_or_insert(first);
                }
                Err(error @ Unreadable::Damaged(_)) => seen(first, whole, Err(error.what()))?,
            }
            first += 1;
        }
    }
    let slots = unfinished.unwrap_or(whole);
    Ok(Extent { slots, torn: bytes - u64::from(slots) * SLOT_LEN as u64 })
}
