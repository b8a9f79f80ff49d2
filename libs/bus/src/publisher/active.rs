//! Publishing, while no other publisher does.

use async_nats::jetstream::context::PublishErrorKind;
use countersign_eventsourcing::{Filter, FollowError, FollowItem, Position, RecordedEvent};
use futures_util::TryStreamExt as _;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{
    Publisher,
    end::End,
    flight::{Flight, Landing, PUBLISHED_BY, Unsent},
    kept::{self, Kept, Saved},
    poison,
};
use crate::{BusError, bus::rest, pause::Pause};

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Read the bus's end again and publish from there.
    GoOn,
    /// Another one publishes. Of two that got in each other's way, the one with the lesser name looks again soon.
    StandBy {
        /// Whether this is that one.
        soon: bool,
    },
    /// Stop for good.
    Stop,
}

/// Why publishing does not just go on.
enum Obstacle {
    /// Something else stands there, or somebody else put it there.
    Met {
        /// Where.
        sequence: u64,
    },
    /// The bus has it elsewhere.
    Had {
        /// The event's place in the log.
        position: Position,
        /// Where the bus has it.
        sequence: u64,
    },
    /// That is not known.
    Lost(BusError),
}

/// One stretch of publishing, from one reading of the bus's end.
pub(super) struct Session {
    pub(super) flight: Flight,
    pub(super) kept: Kept,
    /// Everything up to here is on the bus, or parked.
    pub(super) position: Option<Position>,
    /// The bus's last message when that was so.
    sequence: u64,
    /// Where the log ended when this stretch began, once that is known.
    caught_up: Option<Position>,
    saved: bool,
}

impl Session {
    fn new(end: &End, position: Option<Position>) -> Self {
        let saved =
            end.kept.sequence == end.sequence && end.kept.position.map(Position) == position;
        let (flight, sequence) = (Flight::after(end.sequence), end.sequence);
        Self { flight, kept: end.kept.clone(), position, sequence, caught_up: None, saved }
    }

    /// Counts everything up to `position` as dealt with.
    pub(super) fn reached(&mut self, position: Position, sequence: u64) {
        self.position = self.position.max(Some(position));
        self.sequence = self.sequence.max(sequence);
        self.saved = false;
        if self.caught_up.is_some_and(|caught_up| position >= caught_up) {
            self.kept.joined = None;
        }
    }

    pub(super) const fn sequence(&self) -> u64 {
        self.sequence
    }

    pub(super) const fn is_saved(&self) -> bool {
        self.saved
    }

    /// Waits for everything that is under way; says what is in its way, if anything.
    async fn land_all(&mut self) -> Option<Obstacle> {
        while let Some(landing) = self.flight.landed().await {
            let obstacle = self.settle(landing);
            if obstacle.is_some() {
                return obstacle;
            }
        }
        None
    }

    fn settle(&mut self, landing: Landing) -> Option<Obstacle> {
        let Landing { position, sequence, answer, .. } = landing;
        match answer {
            None => self.reached(position, sequence),
            Some(Ok(ack)) if ack.sequence != sequence => {
                return Some(Obstacle::Had { position, sequence: ack.sequence });
            }
            Some(Ok(ack)) if ack.duplicate => return Some(Obstacle::Met { sequence }),
            Some(Ok(_)) => self.reached(position, sequence),
            Some(Err(error)) => {
                return Some(match error.kind() {
                    PublishErrorKind::WrongLastSequence | PublishErrorKind::WrongLastMessageId => {
                        Obstacle::Met { sequence }
                    }
                    PublishErrorKind::StreamNotFound
                    | PublishErrorKind::TimedOut
                    | PublishErrorKind::BrokenPipe
                    | PublishErrorKind::MaxAckPending
                    | PublishErrorKind::MaxPayloadExceeded
                    | PublishErrorKind::Other => Obstacle::Lost(BusError::unavailable(error)),
                });
            }
        }
        None
    }
}

impl Publisher {
    /// Publishes from the bus's end on, until something is in the way.
    pub(super) async fn publish(
        &self,
        passed: &mut Option<Position>,
        pauses: &mut Pause,
        stop: &CancellationToken,
    ) -> Result<Turn, BusError> {
        let mut end = self.end().await?;
        if !self.joined(&mut end).await? {
            return Ok(Turn::GoOn);
        }
        let mut session = Session::new(&end, end.position.max(*passed));
        self.show(&session);
        let outcome = self.copy(&mut session, &end, pauses, stop).await;
        if !matches!(outcome, Ok(Some(_))) {
            // Nothing is in the way of what is under way still; if it is lost, the bus's end says so later.
            session.land_all().await;
        }
        self.keep(&mut session).await.ok();
        self.show(&session);
        match outcome? {
            None => Ok(Turn::Stop),
            Some(Obstacle::Met { sequence }) => {
                let turn = self.make_way(sequence).await?;
                if turn == Turn::GoOn {
                    rest(pauses.next(), stop).await;
                }
                Ok(turn)
            }
            Some(Obstacle::Had { position, sequence }) => {
                self.had(position, sequence).await?;
                *passed = (*passed).max(Some(position));
                Ok(Turn::GoOn)
            }
            Some(Obstacle::Lost(error)) => Err(error),
        }
    }

    /// Notes where this log begins to be published, if another was before. False if another publisher has noted it.
    async fn joined(&self, end: &mut End) -> Result<bool, BusError> {
        if end.kept.version > 0 || end.foreign.is_empty() {
            return Ok(true);
        }
        end.kept.joined = Some(end.sequence);
        Ok(kept::save(&self.bus, self.log.id(), &mut end.kept).await? == Saved::Yes)
    }

    /// Copies until `stop`, or until something is in the way.
    async fn copy(
        &self,
        session: &mut Session,
        end: &End,
        pauses: &mut Pause,
        stop: &CancellationToken,
    ) -> Result<Option<Obstacle>, BusError> {
        let mut items = self.log.follow(&Filter::default(), session.position).await?;
        let mut ticks = interval(self.settings.save_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let has_room = session.flight.has_room(self.settings.in_flight);
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(None),
                Some(landing) = session.flight.landed(), if !session.flight.is_empty() => {
                    if let Some(obstacle) = session.settle(landing) {
                        return Ok(Some(obstacle));
                    }
                    pauses.over();
                    if session.flight.is_empty() {
                        self.show(session);
                    }
                }
                _ = ticks.tick() => {
                    let head = self.log.head().await?;
                    self.status.change(|report| report.head = head);
                    self.keep(session).await?;
                    self.show(session);
                }
                item = items.try_next(), if has_room => {
                    let item = item?.ok_or_else(|| BusError::unavailable(FollowError::Closed))?;
                    if let Some(obstacle) = self.take(session, end, item).await? {
                        return Ok(Some(obstacle));
                    }
                }
            }
        }
    }

    /// Deals with one item of the log; says what is in the way, if anything.
    async fn take(
        &self,
        session: &mut Session,
        end: &End,
        item: FollowItem,
    ) -> Result<Option<Obstacle>, BusError> {
        match item {
            FollowItem::Event(event) if end.foreign.contains(&event.event.id) => {
                session.flight.pass(event.position);
                Ok(None)
            }
            FollowItem::Event(event) => self.send(session, &event).await,
            FollowItem::CaughtUp(position) => {
                session.caught_up = position;
                if let Some(position) = position {
                    session.flight.pass(position);
                }
                Ok(None)
            }
            FollowItem::Checkpoint(position) => {
                session.flight.pass(position);
                Ok(None)
            }
            FollowItem::Poison(found) => {
                let found = poison::Unpublished::of_poison(self.log.id(), found);
                self.set_aside(session, found).await
            }
        }
    }

    async fn send(
        &self,
        session: &mut Session,
        event: &RecordedEvent,
    ) -> Result<Option<Obstacle>, BusError> {
        match session.flight.send(self, event).await {
            Ok(()) => Ok(None),
            Err(Unsent::Away(error)) => Err(error),
            Err(Unsent::TooLarge) => {
                let found = poison::Unpublished::of_event(self.log.id(), event);
                self.set_aside(session, found).await
            }
        }
    }

    /// Parks what cannot be published, once everything before it has landed.
    async fn set_aside(
        &self,
        session: &mut Session,
        found: poison::Unpublished,
    ) -> Result<Option<Obstacle>, BusError> {
        if let Some(obstacle) = session.land_all().await {
            return Ok(Some(obstacle));
        }
        self.park(session, found).await?;
        Ok(None)
    }

    /// Keeps how far `session` has come. If another publisher has kept its own in the meantime, that one stays until the
    /// next time.
    pub(super) async fn keep(&self, session: &mut Session) -> Result<(), BusError> {
        if session.saved {
            return Ok(());
        }
        session.kept.position = session.position.map(|position| position.0);
        session.kept.sequence = session.sequence;
        match kept::save(&self.bus, self.log.id(), &mut session.kept).await? {
            Saved::Yes => session.saved = true,
            Saved::Overtaken => session.kept = kept::load(&self.bus, self.log.id()).await?,
        }
        Ok(())
    }

    /// Says who is to publish when `sequence` was taken by another message.
    async fn make_way(&self, sequence: u64) -> Result<Turn, BusError> {
        let stream = self.bus.stream(&self.bus.names.bus()).await?;
        // What cannot be read is nobody's.
        let message = stream.get_raw_message(sequence).await.ok();
        let headers = message.as_ref().map(|message| &message.headers);
        let by = headers.and_then(|headers| headers.get(PUBLISHED_BY));
        match by.map(async_nats::HeaderValue::as_str) {
            Some(other) if other != self.name => {
                tracing::info!("another publisher is at work; standing by");
                Ok(Turn::StandBy { soon: *self.name < *other })
            }
            Some(_) | None => Ok(Turn::GoOn),
        }
    }

    fn show(&self, session: &Session) {
        self.status.change(|report| {
            report.active = true;
            report.position = session.position;
            report.head = report.head.max(session.position);
            report.poison = session.kept.poison;
            report.trouble = None;
        });
    }
}
