//! Following, the same for every engine that numbers its events without gaps: read pages up to the head, then wait for
//! the head to move and read on. Nothing is handed over by the writer, so a slow follower neither misses events nor
//! holds anyone up.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use countersign_eventsourcing::{
    Corruption, FollowItem, FollowStream, Position, ReadError, RecordedEvent,
};
use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

/// How many events may be passed over before the follower is told how far it has come.
const CHECKPOINT_INTERVAL: u64 = 1024;

/// Wanted events of a stretch of the log.
#[derive(Debug)]
pub(crate) struct Page {
    /// Those that are wanted.
    pub(crate) events: Vec<RecordedEvent>,
    /// Everything before this has been looked at.
    pub(crate) next: u64,
}

/// Reads an engine's events by position, for one follower.
#[async_trait]
pub(crate) trait Pages: Send + 'static {
    /// Reads wanted events from `next` on and before `end`; goes on at least by one.
    async fn page(&mut self, next: u64, end: u64) -> Result<Page, ReadError>;
}

struct Follower<P> {
    pages: P,
    head: watch::Receiver<Reached>,
    /// Where the head was when following began.
    began: u64,
    caught_up: bool,
    next: u64,
    /// Everything before this has been told, or the follower knows that it is not wanted.
    told: u64,
    waiting: VecDeque<RecordedEvent>,
    failed: bool,
}

/// Follows from after `after` on.
///
/// # Errors
/// Says that `after` lies beyond the log's end, as when the log was restored from an older copy: events that the
/// follower has seen are gone, and new ones would take their places unseen.
pub(crate) fn follow<P: Pages>(
    pages: P,
    mut head: watch::Receiver<Reached>,
    after: Option<Position>,
) -> Result<FollowStream, ReadError> {
    let began = head.borrow_and_update().next;
    let next = after.map_or(0, |after| after.0.saturating_add(1));
    if next > began {
        return Err(ReadError::Corrupt(Corruption {
            place: format!("position {}", next - 1),
            what: format!(
                "a follower has seen this event, but the log has only {began}: \
                 was it restored from an older copy?"
            ),
        }));
    }
    let follower = Follower {
        pages,
        head,
        began,
        caught_up: false,
        next,
        told: next,
        waiting: VecDeque::new(),
        failed: false,
    };
    Ok(stream::unfold(follower, step).boxed())
}

async fn step<P: Pages>(
    mut follower: Follower<P>,
) -> Option<(Result<FollowItem, ReadError>, Follower<P>)> {
    if follower.failed {
        return None;
    }
    match follower.item().await {
        Ok(item) => item.map(|item| (Ok(item), follower)),
        Err(error) => {
            follower.failed = true;
            Some((Err(error), follower))
        }
    }
}

impl<P: Pages> Follower<P> {
    async fn item(&mut self) -> Result<Option<FollowItem>, ReadError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                self.told = event.position.0 + 1;
                return Ok(Some(FollowItem::Event(event)));
            }
            if !self.caught_up && self.next >= self.began {
                self.caught_up = true;
                self.told = self.next;
                return Ok(Some(FollowItem::CaughtUp(self.next.checked_sub(1).map(Position))));
            }
            if self.next - self.told >= CHECKPOINT_INTERVAL {
                self.told = self.next;
                return Ok(Some(FollowItem::Checkpoint(Position(self.next - 1))));
            }
            let reached = *self.head.borrow_and_update();
            let end = if self.caught_up { reached.next } else { self.began };
            if self.next < end {
                let page = self.pages.page(self.next, end).await?;
                self.next = page.next;
                self.waiting = page.events.into();
            } else if reached.closed || self.head.changed().await.is_err() {
                return Ok(None);
            }
        }
    }
}

/// How far the log has come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    /// Place of the event that is appended next; every one before it is durable and readable.
    next: u64,
    /// Whether the log is closed, so that nothing will be appended.
    closed: bool,
}

/// The log's end, shared by an engine's writer and its followers.
#[derive(Clone, Debug)]
pub(crate) struct Head(Arc<watch::Sender<Reached>>);

impl Head {
    /// Begins at `next`, the place of the event that is appended next.
    pub(crate) fn new(next: u64) -> Self {
        Self(Arc::new(watch::Sender::new(Reached { next, closed: false })))
    }

    /// Returns the place of the event that is appended next.
    pub(crate) fn next(&self) -> u64 {
        self.0.borrow().next
    }

    /// Returns the last event's place.
    pub(crate) fn last(&self) -> Option<Position> {
        self.next().checked_sub(1).map(Position)
    }

    /// Moves on and wakes followers.
    pub(crate) fn advance(&self, next: u64) {
        self.0.send_modify(|reached| reached.next = next);
    }

    /// Ends following.
    pub(crate) fn close(&self) {
        self.0.send_modify(|reached| reached.closed = true);
    }

    /// Returns something to wait on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Reached> {
        self.0.subscribe()
    }
}
