//! Fair shares of what a process can do at once.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    hash::Hash,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Lets so many calls be under way at once, and shares them fairly.
///
/// As long as there is room everybody is let in, so nothing lies idle for somebody who does not come. When it is full,
/// whoever has a fair share of it already (the room divided by those who have something in it) is refused at once; the
/// others wait their turn, which comes with the next call that ends. So somebody who asks for too much fills what
/// others leave over, and the others' calls go through.
#[derive(Debug)]
pub(super) struct FairShares<K> {
    room: usize,
    most_waiting: usize,
    wait: Duration,
    state: Mutex<State<K>>,
}

#[derive(Debug)]
struct State<K> {
    under_way: usize,
    /// Those who have something under way or waiting, and how much.
    by_key: HashMap<K, usize>,
    /// Those who wait, in the order in which they came.
    waiting: BTreeMap<u64, oneshot::Sender<()>>,
    next_number: u64,
}

/// What becomes of somebody who comes.
enum Coming<K: Clone + Eq + Hash> {
    In(Turn<K>),
    Waits(Waiting<K>),
    Refused,
}

impl<K: Clone + Eq + Hash> FairShares<K> {
    /// Makes `room` for calls; when it is full, half as many may wait for `wait` each.
    pub(super) fn new(room: usize, wait: Duration) -> Arc<Self> {
        let state = State {
            under_way: 0,
            by_key: HashMap::new(),
            waiting: BTreeMap::new(),
            next_number: 0,
        };
        Arc::new(Self { room, most_waiting: room.div_ceil(2), wait, state: Mutex::new(state) })
    }

    /// Lets a call of `key` in, perhaps after it has waited a little; `None` if there is no room for it.
    pub(super) async fn enter(self: &Arc<Self>, key: &K) -> Option<Turn<K>> {
        match self.come(key) {
            Coming::In(turn) => Some(turn),
            Coming::Refused => None,
            Coming::Waits(mut waiting) => {
                let came = tokio::time::timeout(self.wait, &mut waiting.turn).await;
                came.is_ok_and(|turn| turn.is_ok()).then(|| waiting.over())?
            }
        }
    }

    fn come(self: &Arc<Self>, key: &K) -> Coming<K> {
        let mut state = self.state.lock();
        if state.under_way < self.room {
            state.under_way += 1;
            state.add(key);
            drop(state);
            return Coming::In(Turn { shares: Arc::clone(self), key: key.clone() });
        }
        let own = state.by_key.get(key).copied();
        let others = state.by_key.len() - usize::from(own.is_some());
        let share = (self.room / (others + 1)).max(1);
        if own.unwrap_or(0) >= share || state.waiting.len() >= self.most_waiting {
            return Coming::Refused;
        }
        let (sender, turn) = oneshot::channel();
        let number = state.next_number;
        state.next_number += 1;
        state.waiting.insert(number, sender);
        state.add(key);
        drop(state);
        Coming::Waits(Waiting { turn, place: Some((Arc::clone(self), key.clone(), number)) })
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    fn add(&mut self, key: &K) {
        match self.by_key.get_mut(key) {
            Some(own) => *own += 1,
            None => {
                self.by_key.insert(key.clone(), 1);
            }
        }
    }

    fn remove(&mut self, key: &K) {
        match self.by_key.get_mut(key) {
            Some(own) if *own > 1 => *own -= 1,
            Some(_) | None => {
                self.by_key.remove(key);
            }
        }
    }

    /// Gives a place that became free to the first of those who wait, or to whoever comes next.
    fn hand_on(&mut self) {
        while let Some((_, first)) = self.waiting.pop_first() {
            if first.send(()).is_ok() {
                return;
            }
        }
        self.under_way = self.under_way.saturating_sub(1);
    }
}

/// A call that is let in, as long as this is kept.
pub(super) struct Turn<K: Clone + Eq + Hash> {
    shares: Arc<FairShares<K>>,
    key: K,
}

impl<K: Clone + Eq + Hash> Drop for Turn<K> {
    fn drop(&mut self) {
        let mut state = self.shares.state.lock();
        state.remove(&self.key);
        state.hand_on();
    }
}

impl<K: Clone + Eq + Hash> fmt::Debug for Turn<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").finish_non_exhaustive()
    }
}

/// A call that waits.
struct Waiting<K: Clone + Eq + Hash> {
    turn: oneshot::Receiver<()>,
    /// Where it waits, for whom, and its number; `None` when that is over.
    place: Option<(Arc<FairShares<K>>, K, u64)>,
}

impl<K: Clone + Eq + Hash> Waiting<K> {
    /// Takes the turn that came.
    fn over(mut self) -> Option<Turn<K>> {
        let (shares, key, _) = self.place.take()?;
        Some(Turn { shares, key })
    }
}

impl<K: Clone + Eq + Hash> Drop for Waiting<K> {
    fn drop(&mut self) {
        let Some((shares, key, number)) = self.place.take() else { return };
        let mut state = shares.state.lock();
        state.remove(&key);
        // Whoever is not waiting any more was given a place at the last moment.
        if state.waiting.remove(&number).is_none() {
            state.hand_on();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_millis(100);

    /// Lets in so many calls of `name`, which then stay.
    async fn fill(
        shares: &Arc<FairShares<&'static str>>,
        name: &'static str,
    ) -> Vec<Turn<&'static str>> {
        let mut turns = Vec::new();
        while let Some(turn) = shares.enter(&name).await {
            turns.push(turn);
        }
        turns
    }

    #[tokio::test(start_paused = true)]
    async fn somebody_alone_may_have_all_and_is_refused_the_rest_at_once() {
        let shares = FairShares::new(8, WAIT);
        let began = tokio::time::Instant::now();
        assert_eq!(fill(&shares, "noisy").await.len(), 8);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_less_than_a_share_gets_the_next_place() {
        let shares = FairShares::new(8, WAIT);
        let mut noisy = fill(&shares, "noisy").await;
        let enters = shares.enter(&"quiet");
        let leaves = async {
            tokio::time::sleep(WAIT / 2).await;
            noisy.pop();
            // The place is taken before anybody else can have it.
            assert!(shares.enter(&"noisy").await.is_none());
        };
        let (quiet, ()) = tokio::join!(enters, leaves);
        assert!(quiet.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_has_an_end_and_leaves_nothing_behind() {
        let shares = FairShares::new(4, WAIT);
        let noisy = fill(&shares, "noisy").await;
        let began = tokio::time::Instant::now();
        assert!(shares.enter(&"quiet").await.is_none());
        assert_eq!(began.elapsed(), WAIT);
        drop(noisy);
        let state = shares.state.lock();
        assert_eq!((state.under_way, state.by_key.len(), state.waiting.len()), (0, 0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_that_was_given_to_somebody_who_gave_up_goes_on() {
        let shares = FairShares::new(1, WAIT);
        let noisy = fill(&shares, "noisy").await;
        let Coming::Waits(gives_up) = shares.come(&"quiet") else { panic!("there is room") };
        drop(noisy);
        assert_eq!(shares.state.lock().under_way, 1, "it has its place and does not know yet");
        drop(gives_up);
        assert_eq!(shares.state.lock().under_way, 0);
        assert!(shares.enter(&"another").await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_wait() {
        let shares = FairShares::new(4, WAIT);
        let _full: Vec<_> = fill(&shares, "noisy").await;
        let come = |name| shares.come(&name);
        let coming = ["a", "b", "c", "d"].map(come);
        let waiting = coming.iter().filter(|coming| matches!(coming, Coming::Waits(_))).count();
        assert_eq!(waiting, 2, "half as many as may be under way");
    }
}
