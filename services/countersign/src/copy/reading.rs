//! Reading a log up to where it ended when reading began, through its absences.

use std::time::Duration;

use countersign_eventsourcing::{
    EventLog, Filter, FollowItem, FollowStream, Poison, Position, ReadError, RecordedEvent, Source,
};
use futures_util::TryStreamExt as _;

use super::{CopyError, MAX_TOLD, Progress, Side, patience::Patience};

/// What a log has among its events that cannot be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unreadable {
    /// How much.
    pub count: u64,
    /// The first ones, without their bytes.
    pub first: Vec<Poison>,
}

/// Tells the events of a log in order, and comes to an end.
pub(super) struct Reader<'a> {
    log: &'a dyn EventLog,
    side: Side,
    patience: Patience,
    until: Option<Position>,
    /// The last one that was told.
    after: Option<Position>,
    items: Option<FollowStream>,
    ended: bool,
    unreadable: Unreadable,
}

#[derive(Debug, thiserror::Error)]
#[error("it was closed while it was read")]
struct Closed;

/// Returns where `log` ends now.
pub(super) async fn head(
    log: &dyn EventLog,
    side: Side,
    patience: Duration,
) -> Result<Option<Position>, CopyError> {
    let mut patience = Patience::new(patience);
    loop {
        match log.head().await {
            Ok(head) => return Ok(head),
            Err(error) => patience.bear(side, error).await?,
        }
    }
}

impl<'a> Reader<'a> {
    /// Reads to where `log` ends now.
    pub(super) async fn open(
        log: &'a dyn EventLog,
        side: Side,
        patience: Duration,
    ) -> Result<Self, CopyError> {
        let until = head(log, side, patience).await?;
        Ok(Self::up_to(log, side, patience, until))
    }

    /// Reads up to and with `until`.
    pub(super) fn up_to(
        log: &'a dyn EventLog,
        side: Side,
        patience: Duration,
        until: Option<Position>,
    ) -> Self {
        Self {
            log,
            side,
            patience: Patience::new(patience),
            until,
            after: None,
            items: None,
            ended: until.is_none(),
            unreadable: Unreadable::default(),
        }
    }

    /// Returns where it ends.
    pub(super) const fn until(&self) -> Option<Position> {
        self.until
    }

    /// Returns the last place that was told.
    pub(super) const fn reached(&self) -> Option<Position> {
        self.after
    }

    /// Returns what could not be read.
    pub(super) fn into_unreadable(self) -> Unreadable {
        self.unreadable
    }

    pub(super) fn progress(&self, step: &'static str, events: u64) -> Progress {
        let count = |position: Option<Position>| position.map_or(0, |at| at.0.saturating_add(1));
        Progress { step, events, done: count(self.after), total: count(self.until) }
    }

    /// Returns the next event; `None` at the end. What cannot be read is passed over and noted; in a destination it is an
    /// error, because none of it comes from a copy.
    pub(super) async fn next(&mut self) -> Result<Option<RecordedEvent>, CopyError> {
        while !self.ended {
            let Some(item) = self.item().await? else { continue };
            match item {
                FollowItem::Event(event) if self.is_past(event.position) => self.ended = true,
                FollowItem::Event(event) => {
                    self.after = Some(event.position);
                    return Ok(Some(event));
                }
                FollowItem::Poison(poison) if self.is_past(poison.position) => self.ended = true,
                FollowItem::Poison(poison) => {
                    self.after = Some(poison.position);
                    self.note(poison)?;
                }
                // Following began after the end was looked up, so it has all been told.
                FollowItem::CaughtUp(_) => self.ended = true,
                FollowItem::Checkpoint(position) => self.after = Some(position),
            }
        }
        self.items = None;
        Ok(None)
    }

    fn is_past(&self, position: Position) -> bool {
        Some(position) > self.until
    }

    fn note(&mut self, poison: Poison) -> Result<(), CopyError> {
        let Poison { position, place, what, .. } = poison;
        if self.side == Side::Destination {
            return Err(CopyError::Foreign { position, place, what });
        }
        self.unreadable.count += 1;
        if self.unreadable.first.len() < MAX_TOLD {
            self.unreadable.first.push(Poison { position, place, what, bytes: Default::default() });
        }
        Ok(())
    }

    /// Returns the next item; `None` if it was away and is to be asked again.
    async fn item(&mut self) -> Result<Option<FollowItem>, CopyError> {
        let asked = match &mut self.items {
            Some(items) => items.try_next().await,
            None => match self.log.follow(&Filter::default(), self.after).await {
                Ok(items) => {
                    self.items = Some(items);
                    return Ok(None);
                }
                Err(error) => Err(error),
            },
        };
        let error = match asked {
            Ok(Some(item)) => {
                self.patience.answered();
                return Ok(Some(item));
            }
            Ok(None) => ReadError::Unavailable(Source::from(Box::new(Closed) as Box<_>)),
            Err(error) => error,
        };
        self.items = None;
        self.patience.bear(self.side, error).await.map(|()| None)
    }
}
