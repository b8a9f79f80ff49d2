//! Writers that race each other in the same streams and note what was acknowledged, and the check that all of it is there.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use countersign_core::{TenantId, Timestamp};
use countersign_eventsourcing::{
    AppendError, EventLog, Filter, Metadata, NewEvent, Position, Revision, StreamId,
    contract::{after, read, take_until_caught_up},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::JoinSet,
};
use uuid::Uuid;

/// In how many streams writers meet.
const STREAMS: u64 = 4;

/// How long a writer waits before it repeats an append that was not answered with yes.
const PAUSE: Duration = Duration::from_millis(20);

/// An append that was answered with yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) stream: StreamId,
    /// Place of its last event.
    pub(crate) last: Revision,
    /// Its events.
    pub(crate) ids: Vec<Uuid>,
}

/// Makes events that nobody else makes.
#[derive(Clone, Debug)]
pub(crate) struct Maker {
    tenant: TenantId,
    writer: u64,
    made: u64,
}

impl Maker {
    pub(crate) const fn new(tenant: TenantId, writer: u64) -> Self {
        Self { tenant, writer, made: 0 }
    }

    pub(crate) fn stream(&self, number: u64) -> StreamId {
        StreamId::new("fault", &self.tenant, &format!("k{number}")).unwrap()
    }

    pub(crate) fn events(&mut self, count: u64) -> Vec<NewEvent> {
        (0..count).map(|_| self.event()).collect()
    }

    fn event(&mut self) -> NewEvent {
        self.made += 1;
        let name = format!("{} {} {}", self.tenant, self.writer, self.made);
        NewEvent {
            id: Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()),
            event_type: "Happened".into(),
            schema_version: 1,
            payload: Bytes::from(name),
            metadata: Metadata {
                recorded_at: Timestamp::from_unix_micros(1_700_000_000_000_000),
                correlation_id: Uuid::from_u128(u128::from(self.made)),
                causation_id: Uuid::from_u128(u128::from(self.writer)),
                requester: "api-key:check".into(),
                traceparent: "".into(),
                request_digest: self.made,
            },
        }
    }
}

/// Appends `appends` times, going round the streams, and tells `told` of each once it is acknowledged.
pub(crate) async fn write(
    log: &dyn EventLog,
    mut maker: Maker,
    appends: u64,
    mut told: impl FnMut(Acknowledged),
) {
    let mut counts: HashMap<StreamId, u64> = HashMap::new();
    for number in 0..appends {
        let stream = maker.stream((maker.writer + number) % STREAMS);
        let events = maker.events(1 + number % 3);
        let count = counts.entry(stream.clone()).or_default();
        let last = append(log, &stream, count, &events).await;
        told(Acknowledged { stream, last, ids: events.iter().map(|event| event.id).collect() });
    }
}

/// Appends until it is acknowledged, wherever the stream ends by then.
pub(crate) async fn append(
    log: &dyn EventLog,
    stream: &StreamId,
    count: &mut u64,
    events: &[NewEvent],
) -> Revision {
    loop {
        match log.append(stream, after(*count), events).await {
            Ok(appended) => {
                assert_eq!(appended.last_revision.0 + 1, *count + events.len() as u64);
                *count = appended.last_revision.0 + 1;
                return appended.last_revision;
            }
            Err(AppendError::Conflict { actual }) => {
                let found = actual.map_or(0, |last| last.0 + 1);
                assert!(found > *count, "a stream at {found} conflicts with {count}");
                *count = found;
            }
            // It may be stored; the same again says so.
            Err(AppendError::Unavailable(_) | AppendError::Unknown(_)) => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error @ (AppendError::TooLarge { .. } | AppendError::Corrupt(_))) => {
                panic!("an append of {} events: {error}", events.len())
            }
        }
    }
}

/// Writers in this process. They end with the handle.
pub(crate) struct Writers {
    tasks: JoinSet<()>,
    acknowledged: UnboundedReceiver<Acknowledged>,
    noted: Vec<Acknowledged>,
}

impl Writers {
    /// Starts writers with the numbers from `first` on.
    pub(crate) fn start(
        log: &Arc<dyn EventLog>,
        tenant: &TenantId,
        first: u64,
        writers: u64,
        appends: u64,
    ) -> Self {
        let (sender, acknowledged) = unbounded_channel();
        let mut tasks = JoinSet::new();
        for writer in first..first + writers {
            let (log, sender) = (Arc::clone(log), UnboundedSender::clone(&sender));
            let maker = Maker::new(tenant.clone(), writer);
            tasks.spawn(async move {
                // Refused when nobody notes any more, which is when the tasks end.
                write(&*log, maker, appends, |one| drop(sender.send(one))).await;
            });
        }
        Self { tasks, acknowledged, noted: Vec::new() }
    }

    /// Waits until so many appends are acknowledged.
    pub(crate) async fn until(&mut self, count: usize) {
        while self.noted.len() < count {
            match self.acknowledged.recv().await {
                Some(one) => self.noted.push(one),
                None => break,
            }
        }
    }

    /// Waits until all have written everything, and returns what was acknowledged.
    pub(crate) async fn finish(mut self) -> Vec<Acknowledged> {
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self.noted()
    }

    /// Ends the writers where they are, and returns what was acknowledged.
    pub(crate) async fn stop(mut self) -> Vec<Acknowledged> {
        self.tasks.abort_all();
        while let Some(ended) = self.tasks.join_next().await {
            assert!(ended.is_ok() || ended.is_err_and(|error| error.is_cancelled()));
        }
        self.noted()
    }

    fn noted(mut self) -> Vec<Acknowledged> {
        while let Ok(one) = self.acknowledged.try_recv() {
            self.noted.push(one);
        }
        self.noted
    }
}

/// Checks that all that was acknowledged is where it was said to be, once, and that following tells what reading finds.
pub(crate) async fn assert_there(
    log: &dyn EventLog,
    tenant: &TenantId,
    start: Option<Position>,
    acknowledged: &[Acknowledged],
) {
    let filter = Filter { tenant: Some(tenant.clone()), ..Filter::default() };
    let mut items = log.follow(&filter, start).await.unwrap();
    let told = take_until_caught_up(&mut items).await;
    assert!(told.is_sorted_by(|a, b| a.position < b.position), "the order goes back");
    let mut ids = HashSet::new();
    assert!(told.iter().all(|one| ids.insert(one.event.id)), "an event is there twice");
    let mut streams: HashMap<&StreamId, Vec<_>> = HashMap::new();
    for one in &told {
        streams.entry(&one.stream).or_default().push(one.clone());
    }
    for (stream, told) in &streams {
        assert_eq!(*told, read(log, stream, 0).await, "{stream} is followed as it is not read");
        let gap = told.iter().zip(0..).find(|(one, revision)| one.revision.0 != *revision);
        assert_eq!(gap, None, "{stream} has a gap");
    }
    for Acknowledged { stream, last, ids } in acknowledged {
        let stored = streams.get(stream).map_or(&[][..], Vec::as_slice);
        let first = usize::try_from(last.0 + 1).unwrap() - ids.len();
        let found: Vec<_> =
            stored.iter().skip(first).take(ids.len()).map(|one| one.event.id).collect();
        assert_eq!(found, *ids, "acknowledged and not there: {stream} revision {last}");
    }
}
