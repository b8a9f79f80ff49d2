//! Reading one stream.
//!
//! The leader is asked for the stream's last message, so that nothing which anybody was told is stored can be missed; if
//! the caller has all but that one, this is all. What is older comes in batches from whichever server is at hand, and what
//! that one lacks from the leader. (A leader that is cut off from the others may not know for some seconds that it leads
//! no more, and answer with what it has. Whoever decides by that cannot append, as only the true leader stores.)

use std::{collections::VecDeque, time::Duration};

use countersign_eventsourcing::{
    Corruption, EventStream, ReadError, RecordedEvent, Revision, StreamId,
};
use futures_util::{StreamExt as _, stream};
use tokio::time::Instant;

use super::{
    Log,
    known::Known,
    message::{Append, MessageReader},
    server::{Server, Stored},
};

/// How long a read may wait for the server before it goes on.
pub(super) const LONGEST: Duration = Duration::from_secs(2);

/// How long a batch may take before the leader is asked instead.
const LONGEST_BATCH: Duration = Duration::from_secs(1);

/// Reads a message of which every event is wanted.
pub(super) fn message(server: &Server, stored: &Stored) -> Result<Append, Corruption> {
    let place = (stored.subject.as_str(), stored.sequence);
    let read = MessageReader::default().read(&server.names, place, &stored.body, |_| true);
    read.map_err(|error| Corruption { place: place_of(stored), what: error.to_string() })
}

/// Says where a message is, in JetStream's words.
pub(super) fn place_of(stored: &Stored) -> String {
    format!("{} sequence {}", stored.subject, stored.sequence)
}

pub(super) async fn read(
    log: &Log,
    stream: &StreamId,
    from: Revision,
    deadline: Instant,
) -> Result<EventStream, ReadError> {
    let server = &log.server;
    let subject = server.names.of(stream);
    server.ready(deadline).await?;
    let known = log.known.get(stream);
    let Some(last) = server.last(&subject, deadline).await? else {
        return Ok(stream::empty().boxed());
    };
    let newest = message(server, &last)?;
    log.known.note(stream, Known { sequence: last.sequence, revision: newest.last });
    let mut events = newest.events;
    events.retain(|event| event.revision >= from);
    let events = stream::iter(events.into_iter().map(Ok));
    if from.0 >= newest.first {
        return Ok(events.boxed());
    }
    let known = known.filter(|known| known.revision < from.0 && known.sequence < last.sequence);
    let older = Older {
        server: server.clone(),
        subject,
        from: from.0,
        sequence: known.map_or(1, |known| known.sequence + 1),
        revision: known.map_or(0, |known| known.revision + 1),
        end: (last.sequence, newest.first),
        waiting: VecDeque::new(),
        batches: true,
    };
    Ok(stream::try_unfold(older, Older::step).chain(events).boxed())
}

/// Reads what is older than a stream's last message.
struct Older {
    server: Server,
    subject: String,
    /// First revision that is wanted.
    from: u64,
    /// The next message is this one or later.
    sequence: u64,
    /// The next message begins with this revision.
    revision: u64,
    /// The stream's last message, and the revision that it begins with.
    end: (u64, u64),
    waiting: VecDeque<RecordedEvent>,
    /// Whether batches are still worth asking for.
    batches: bool,
}

impl Older {
    async fn step(mut self) -> Result<Option<(RecordedEvent, Self)>, ReadError> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Ok(Some((event, self)));
            }
            if self.revision == self.end.1 {
                return Ok(None);
            }
            self.fill().await?;
        }
    }

    /// Reads at least one message.
    async fn fill(&mut self) -> Result<(), ReadError> {
        let began = Instant::now();
        let before = self.revision;
        if self.batches {
            let asked = self.server.batch(&self.subject, self.sequence, began + LONGEST_BATCH);
            match asked.await {
                // What does not fit may be one server's trouble only; the leader has the last word.
                Ok(batch) => batch.iter().map_while(|stored| self.take(stored).ok()).for_each(drop),
                Err(error) => {
                    tracing::debug!(%error, "no batch; the leader is asked for each message");
                    self.batches = false;
                }
            }
        }
        if self.revision > before {
            return Ok(());
        }
        let next = self.server.next(&self.subject, self.sequence, began + LONGEST).await?;
        let missing = || self.missing("there is none");
        self.take(&next.ok_or_else(missing)?)?;
        Ok(())
    }

    fn take(&mut self, stored: &Stored) -> Result<(), Corruption> {
        if stored.sequence < self.sequence || stored.subject != self.subject {
            return Err(self.missing("another message was answered with"));
        }
        if stored.sequence >= self.end.0 {
            return Err(self.missing("the next message is the last one"));
        }
        let append = message(&self.server, stored)?;
        if append.first != self.revision || append.last >= self.end.1 {
            let what = format!("the next message begins with revision {}", append.first);
            return Err(self.missing(&what));
        }
        self.sequence = stored.sequence + 1;
        self.revision = append.last + 1;
        let wanted = append.events.into_iter().filter(|event| event.revision.0 >= self.from);
        self.waiting.extend(wanted);
        Ok(())
    }

    fn missing(&self, what: &str) -> Corruption {
        Corruption {
            place: format!("{} from sequence {}", self.subject, self.sequence),
            what: format!("revision {} is missing: {what}", self.revision),
        }
    }
}
