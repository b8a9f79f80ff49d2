//! Counting what somebody has open at once, up to a bound for each and one for all.

use std::{collections::HashMap, fmt, hash::Hash, sync::Arc};

use parking_lot::Mutex;

/// Which bound is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// That of the one who asked.
    ForOne,
    /// That of all.
    ForAll,
}

/// Counts, which know nobody who has nothing open.
#[derive(Debug)]
pub(super) struct Tally<K> {
    most_of_one: usize,
    most_of_all: usize,
    counts: Mutex<Counts<K>>,
}

#[derive(Debug)]
struct Counts<K> {
    all: usize,
    by_key: HashMap<K, usize>,
}

impl<K: Clone + Eq + Hash> Tally<K> {
    /// Allows `most_of_one` to each, and `most_of_all` in total.
    pub(super) fn new(most_of_one: usize, most_of_all: usize) -> Arc<Self> {
        let counts = Mutex::new(Counts { all: 0, by_key: HashMap::new() });
        Arc::new(Self { most_of_one, most_of_all, counts })
    }

    /// Counts one of `key`, or of nobody in particular, until what is returned is dropped.
    ///
    /// # Errors
    /// Says which bound is reached.
    pub(super) fn enter(self: &Arc<Self>, key: Option<K>) -> Result<Counted<K>, Full> {
        let mut counts = self.counts.lock();
        if counts.all >= self.most_of_all {
            return Err(Full::ForAll);
        }
        if let Some(key) = &key {
            let of_one = counts.by_key.get(key).copied().unwrap_or(0);
            if of_one >= self.most_of_one {
                return Err(Full::ForOne);
            }
            counts.by_key.insert(key.clone(), of_one + 1);
        }
        counts.all += 1;
        drop(counts);
        Ok(Counted { tally: Arc::clone(self), key })
    }

    fn leave(&self, key: Option<&K>) {
        let mut counts = self.counts.lock();
        counts.all = counts.all.saturating_sub(1);
        let Some(key) = key else { return };
        match counts.by_key.get_mut(key) {
            Some(of_one) if *of_one > 1 => *of_one -= 1,
            Some(_) | None => {
                counts.by_key.remove(key);
            }
        }
    }
}

/// Something that is counted as long as this is kept.
pub(super) struct Counted<K: Clone + Eq + Hash> {
    tally: Arc<Tally<K>>,
    key: Option<K>,
}

impl<K: Clone + Eq + Hash> Drop for Counted<K> {
    fn drop(&mut self) {
        self.tally.leave(self.key.as_ref());
    }
}

impl<K: Clone + Eq + Hash> fmt::Debug for Counted<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Counted").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_bound_and_all_have_one() {
        let tally = Tally::new(2, 3);
        let first = tally.enter(Some("ann")).unwrap();
        let _second = tally.enter(Some("ann")).unwrap();
        assert_eq!(tally.enter(Some("ann")).unwrap_err(), Full::ForOne);
        let third = tally.enter(Some("bob")).unwrap();
        assert_eq!(tally.enter(Some("cid")).unwrap_err(), Full::ForAll);
        drop(third);
        let _nobody = tally.enter(None).unwrap();
        assert_eq!(tally.enter(None).unwrap_err(), Full::ForAll);
        drop(first);
        assert!(tally.enter(Some("ann")).is_ok());
    }

    #[test]
    fn who_has_nothing_open_is_forgotten() {
        let tally = Tally::new(2, 10);
        for name in 0..1_000 {
            drop(tally.enter(Some(name)).unwrap());
        }
        assert!(tally.counts.lock().by_key.is_empty());
        assert_eq!(tally.counts.lock().all, 0);
    }
}
