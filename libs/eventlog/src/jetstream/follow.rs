//! Following the log.
//!
//! A consumer may be served by a server that is behind, so that its silence does not mean that all has been told. What was
//! last in the log when following began is known from the leader, and its subject is followed along with what is wanted:
//! once that message has come, everything before it has.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use countersign_eventsourcing::{
    Corruption, Filter, FollowItem, FollowStream, Poison, Position, ReadError,
};
use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, sleep};

use super::{
    Log,
    consumer::{Consumer, Lost, Told},
    message::{MessageReader, position, sequence},
    read::place_of,
    server::{Server, ServerError, Stored},
    subject::Wanted,
};
use crate::matcher::Matcher;

/// How long beginning may take.
const LONGEST: Duration = Duration::from_secs(3);

/// How long a follower tries to go on before it says that the log is unavailable.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long it waits between two tries.
const PAUSE: Duration = Duration::from_millis(100);

/// How many messages may be passed over before the follower is told how far it has come.
const CHECKPOINT_INTERVAL: u64 = 1024;

/// The log's last message.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) sequence: u64,
    pub(super) position: Position,
    subject: String,
}

impl Head {
    /// Asks the leader for the log's last message; `None` if there is none.
    pub(super) async fn ask(
        server: &Server,
        deadline: Instant,
    ) -> Result<Option<Self>, ServerError> {
        let last = server.last(">", deadline).await?;
        Ok(last.map(|last| {
            let place = (last.subject.as_str(), last.sequence);
            let read = MessageReader::default().read(&server.names, place, &last.body, |_| false);
            let position = read.map_or(position(last.sequence, 0), |append| append.position);
            Self { sequence: last.sequence, position, subject: last.subject }
        }))
    }
}

pub(super) async fn follow(
    log: &Log,
    filter: &Filter,
    after: Option<Position>,
) -> Result<FollowStream, ReadError> {
    let mut follower = Follower {
        server: log.server.clone(),
        wanted: log.server.names.wanted(filter),
        matcher: Matcher::new(filter.clone()),
        reader: MessageReader::default(),
        consumer: None,
        goal: None,
        after,
        next: after.map_or(1, sequence),
        passed_over: 0,
        waiting: VecDeque::new(),
        trouble: None,
        failed: false,
    };
    let deadline = Instant::now() + LONGEST;
    follower.server.ready(deadline).await?;
    let head = Head::ask(&follower.server, deadline).await?;
    let at = head.as_ref().map(|head| head.position);
    follower.goal = head.filter(|head| Some(head.position) > after);
    if follower.goal.is_none() {
        follower.waiting.push_back(FollowItem::CaughtUp(at));
    }
    follower.consumer = Some(follower.connect(at, deadline).await?);
    Ok(stream::unfold(follower, step).boxed())
}

async fn step(mut follower: Follower) -> Option<(Result<FollowItem, ReadError>, Follower)> {
    if follower.failed {
        return None;
    }
    let item = follower.item().await;
    follower.failed = item.is_err();
    Some((item, follower))
}

struct Follower {
    server: Server,
    wanted: Wanted,
    matcher: Matcher,
    reader: MessageReader,
    consumer: Option<Consumer>,
    /// What was last in the log when following began, until it has come.
    goal: Option<Head>,
    /// Everything up to here was told before.
    after: Option<Position>,
    /// The next message is this one or later.
    next: u64,
    /// How many messages have come of which nothing was told.
    passed_over: u64,
    waiting: VecDeque<FollowItem>,
    /// Since when nothing has come, not even that there is nothing.
    trouble: Option<Instant>,
    failed: bool,
}

impl Follower {
    async fn item(&mut self) -> Result<FollowItem, ReadError> {
        loop {
            if let Some(item) = self.waiting.pop_front() {
                return Ok(item);
            }
            match &mut self.consumer {
                None => self.reconnect().await?,
                Some(consumer) => match consumer.next().await {
                    Ok(told) => {
                        self.trouble = None;
                        if let Told::Message(stored) = told {
                            self.take(&stored);
                        }
                    }
                    Err(lost) => {
                        tracing::info!(%lost, next = self.next, "following is taken up again");
                        self.consumer = None;
                        self.bear(lost).await?;
                    }
                },
            }
        }
    }

    /// Makes a consumer of what has not been told, where the log ends at `head`.
    async fn connect(
        &self,
        head: Option<Position>,
        deadline: Instant,
    ) -> Result<Consumer, ReadError> {
        if self.after > head {
            let after = self.after.map_or(0, |after| after.0);
            let end = head.map_or("is empty".to_owned(), |head| format!("ends at {head}"));
            return Err(ReadError::Corrupt(Corruption {
                place: format!("position {after}"),
                what: format!(
                    "a follower has seen this event, but the log {end}: \
                     was it restored from an older copy?"
                ),
            }));
        }
        let also = self.goal.as_ref().map(|goal| goal.subject.as_str());
        let subjects = self.wanted.patterns(also);
        Ok(Consumer::create(&self.server, subjects, self.next, deadline).await?)
    }

    /// Bears the loss of a consumer. If nothing came from the one before either, it waits a little, but not for ever.
    async fn bear(&mut self, lost: Lost) -> Result<(), ReadError> {
        match self.trouble {
            None => self.trouble = Some(Instant::now()),
            Some(since) if since.elapsed() < PATIENCE => sleep(PAUSE).await,
            Some(_) => return Err(ReadError::Unavailable(Arc::new(lost))),
        }
        Ok(())
    }

    /// Takes following up again, however often that fails.
    async fn reconnect(&mut self) -> Result<(), ReadError> {
        let patience = self.trouble.unwrap_or_else(Instant::now) + PATIENCE;
        loop {
            let deadline = Instant::now() + LONGEST;
            let connected = async {
                self.server.ready(deadline).await?;
                let head = Head::ask(&self.server, deadline).await?;
                self.connect(head.map(|head| head.position), deadline).await
            };
            match connected.await {
                Ok(consumer) => {
                    self.consumer = Some(consumer);
                    return Ok(());
                }
                Err(ReadError::Unavailable(_)) if Instant::now() < patience => sleep(PAUSE).await,
                Err(error) => return Err(error),
            }
        }
    }

    fn take(&mut self, stored: &Stored) {
        if self.goal.as_ref().is_some_and(|goal| goal.sequence < stored.sequence) {
            self.reach_goal();
        }
        let told = self.waiting.len();
        self.tell(stored);
        self.next = stored.sequence + 1;
        if self.waiting.len() > told {
            self.passed_over = 0;
        } else {
            self.passed_over += 1;
        }
        if self.goal.as_ref().is_some_and(|goal| goal.sequence == stored.sequence) {
            self.reach_goal();
        } else if self.passed_over >= CHECKPOINT_INTERVAL {
            self.passed_over = 0;
            // What of the message comes after its first event is looked at again by whoever begins here.
            self.tell_checkpoint(position(stored.sequence, 0));
        }
    }

    fn reach_goal(&mut self) {
        if let Some(goal) = self.goal.take() {
            self.after = self.after.max(Some(goal.position));
            self.waiting.push_back(FollowItem::CaughtUp(Some(goal.position)));
        }
    }

    fn tell_checkpoint(&mut self, position: Position) {
        self.after = self.after.max(Some(position));
        self.waiting.push_back(FollowItem::Checkpoint(position));
    }

    /// Tells what is wanted of a message.
    fn tell(&mut self, stored: &Stored) {
        if !self.wanted.matches(&stored.subject) {
            return;
        }
        let place = (stored.subject.as_str(), stored.sequence);
        let wants = |envelope: &crate::envelope::Envelope<'_>| {
            self.matcher.wants(envelope.stream(), envelope.event_type())
        };
        match self.reader.read(&self.server.names, place, &stored.body, wants) {
            Ok(append) => {
                let new =
                    append.events.into_iter().filter(|event| Some(event.position) > self.after);
                self.waiting.extend(new.map(FollowItem::Event));
                self.after = self.after.max(Some(append.position));
            }
            Err(error) => {
                let position = position(stored.sequence, 0);
                if Some(position) > self.after {
                    self.after = Some(position);
                    self.waiting.push_back(FollowItem::Poison(Poison {
                        position,
                        place: place_of(stored),
                        what: error.to_string(),
                        bytes: stored.body.clone(),
                    }));
                }
            }
        }
    }
}
