//! What a replica does with one event.

use std::{collections::VecDeque, future::Future, pin::pin, sync::Arc, time::Duration};

use async_nats::jetstream;
use countersign_core::Chain;
use countersign_eventsourcing::{Filter, Reactor, RecordedEvent, Source};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    durable::Durable,
    outcome::{Given, done, give_back, in_progress},
};
use crate::{
    BusError, NatsBus, Parked, Unreadable,
    bus::rest,
    dead::{Letter, park},
    message::{kept, rebuild},
    names::Names,
    parked::Newest,
    pause::{Pause, backoff},
};

/// How many events that are done, but not confirmed, are remembered: far more than there ever are.
const MOST_UNCONFIRMED: usize = 1024;

/// Runs one reactor.
pub(super) struct Worker {
    bus: NatsBus,
    pub(super) reactor: Arc<dyn Reactor>,
    pub(super) stop: CancellationToken,
    parked: Newest,
    /// What is done, but JetStream has not confirmed it: it may give it out again.
    unconfirmed: VecDeque<(u64, Uuid)>,
    reported: Option<Instant>,
    /// Pauses after events that failed, whichever: while everything fails, nothing is tried in a rush.
    failing: Pause,
}

impl Worker {
    pub(super) fn new(bus: NatsBus, reactor: Arc<dyn Reactor>, stop: CancellationToken) -> Self {
        let failing = Pause::new(Duration::from_millis(100), Duration::from_secs(5));
        let unconfirmed = VecDeque::new();
        Self { bus, reactor, stop, parked: Newest::default(), unconfirmed, reported: None, failing }
    }

    /// Shows that it can be given events.
    pub(super) async fn begins(&mut self, durable: &Durable) -> Result<(), BusError> {
        self.reported = None;
        self.bus.reports.change(self.reactor.name(), |report| {
            report.running = true;
            report.trouble = None;
        });
        self.report(durable).await
    }

    /// Brings the report up to date, if it is not.
    pub(super) async fn report(&mut self, durable: &Durable) -> Result<(), BusError> {
        let fresh = self.bus.settings.report_every;
        if self.reported.is_some_and(|reported| reported.elapsed() < fresh) {
            return Ok(());
        }
        let name = self.reactor.name();
        let info = durable.info().await?;
        let parked = self.bus.dead_letters().count(&Names::consumer(name)).await?;
        self.reported = Some(Instant::now());
        self.bus.reports.change(name, |report| {
            report.pending = Some(info.num_pending + info.num_ack_pending as u64);
            report.redelivered = info.num_redelivered as u64;
            report.parked = parked;
            report.newest_parked = self.parked.list();
        });
        Ok(())
    }

    /// Gives an event back that came when there is no time for it any more.
    pub(super) async fn give_back(&self, message: &jetstream::Message) -> Result<(), BusError> {
        give_back(message, Duration::ZERO).await
    }

    /// Deals with one event: done, given back or parked.
    pub(super) async fn deal_with(
        &mut self,
        filter: &Filter,
        consumer: &str,
        message: jetstream::Message,
    ) -> Result<(), BusError> {
        let given = Given::read(&message)?;
        let event = match self.read(consumer, &message) {
            Ok(event) => event,
            Err(error) => {
                let place = format!("{} message {}", message.subject, given.sequence);
                return self.park(consumer, &message, given, place, error.to_string()).await;
            }
        };
        let known = (given.sequence, event.event.id);
        let wanted = filter.matches(&event.stream, &event.event.event_type);
        if !wanted || self.unconfirmed.contains(&known) {
            return self.done(&message, known).await;
        }
        let place = format!("{} revision {}", event.stream, event.revision);
        let tries = self.bus.settings.tries;
        if given.times > tries {
            let reason = format!("it was given out {tries} times, and nobody ever finished it");
            return self.park(consumer, &message, given, place, reason).await;
        }
        let Err(error) = self.try_for_a_while(&event, &message).await else {
            self.failing.over();
            self.bus.reports.change(self.reactor.name(), |report| {
                report.position = Some(event.position);
                report.trouble = None;
            });
            return self.done(&message, known).await;
        };
        let error = format!("{place}: {}", Chain(&*error));
        tracing::warn!(reactor = self.reactor.name(), error, times = given.times, "event failed");
        self.bus.reports.change(self.reactor.name(), |r| r.trouble = Some(error.clone()));
        if self.stop.is_cancelled() {
            return give_back(&message, Duration::ZERO).await;
        }
        if given.times >= tries {
            return self.park(consumer, &message, given, place, error).await;
        }
        let settings = &self.bus.settings;
        let pause = backoff(settings.first_pause, settings.longest_pause, given.times - 1);
        give_back(&message, pause).await?;
        rest(self.failing.next(), &self.stop).await;
        Ok(())
    }

    /// Says that an event is done with, and remembers it for as long as that is not confirmed.
    async fn done(
        &mut self,
        message: &jetstream::Message,
        known: (u64, Uuid),
    ) -> Result<(), BusError> {
        self.unconfirmed.retain(|other| *other != known);
        let confirmed = done(&self.bus.nats, message, &self.stop).await;
        if confirmed.is_err() {
            if self.unconfirmed.len() == MOST_UNCONFIRMED {
                self.unconfirmed.pop_front();
            }
            self.unconfirmed.push_back(known);
        }
        confirmed
    }

    fn read(
        &self,
        consumer: &str,
        message: &jetstream::Message,
    ) -> Result<RecordedEvent, Unreadable> {
        let (_, event) = rebuild(message.headers.as_ref(), &message.payload)?;
        let names = &self.bus.names;
        let subject = names.event(&event.stream, &event.event.event_type);
        let fits = *message.subject == *subject || *message.subject == *names.retry(consumer);
        if fits { Ok(event) } else { Err(Unreadable::Misplaced) }
    }

    /// Reacts, again and again for as long as an event is held, and says so to JetStream. When the process is to stop,
    /// what the reactor is doing is let finish, but not tried again.
    async fn try_for_a_while(
        &self,
        event: &RecordedEvent,
        message: &jetstream::Message,
    ) -> Result<(), Source> {
        let settings = &self.bus.settings;
        let until = Instant::now() + settings.hold;
        let mut pauses = Pause::new(Duration::from_millis(250), Duration::from_secs(5));
        let trying = async {
            loop {
                let Err(error) = self.reactor.react(event).await else { return Ok(()) };
                let pause = pauses.next();
                if self.stop.is_cancelled() || Instant::now() + pause >= until {
                    return Err(error);
                }
                rest(pause, &self.stop).await;
                if self.stop.is_cancelled() {
                    return Err(error);
                }
            }
        };
        while_saying_so(message, settings.ack_wait / 3, trying).await
    }

    async fn park(
        &mut self,
        consumer: &str,
        message: &jetstream::Message,
        given: Given,
        place: String,
        reason: String,
    ) -> Result<(), BusError> {
        tracing::error!(reactor = self.reactor.name(), place, error = reason, "event parked");
        let letter = Letter {
            by: consumer,
            id: format!("{consumer}-{}", given.sequence),
            reason: &reason,
            subject: Some(&message.subject),
            place: &place,
            headers: kept(message.headers.as_ref()),
            body: message.payload.clone(),
        };
        park(&self.bus, letter).await?;
        self.parked.note(Parked { place, reason });
        self.reported = None;
        done(&self.bus.nats, message, &self.stop).await
    }
}

/// Waits for `work`, and says every `pause` that `message` is still worked at.
async fn while_saying_so<T>(
    message: &jetstream::Message,
    pause: Duration,
    work: impl Future<Output = T>,
) -> T {
    let mut work = pin!(work);
    let mut ticks = interval_at(Instant::now() + pause, pause);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = ticks.tick() => in_progress(message).await,
        }
    }
}
