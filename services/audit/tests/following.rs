//! Following the log through a replay that does not end, and how replays are ended.

mod support;

use std::sync::Arc;

use async_trait::async_trait;
use countersign_eventlog::memory::MemoryLog;
use countersign_eventsourcing::{
    AppendError, Appended, Corruption, EventLog, EventStream, ExpectedRevision, Filter,
    FollowStream, LogId, NewEvent, Position, ReadError, Revision, StreamId,
};
use countersign_proto::audit::{ReplayEventsRequest, replay_events_response::Item};
use futures_util::{StreamExt as _, stream};
use support::{House, auditor, event, facts::*, reason, told, wire_at};
use tonic::Code;

fn follow() -> ReplayEventsRequest {
    ReplayEventsRequest { follow: true, ..Default::default() }
}

#[tokio::test]
async fn a_follower_is_told_what_was_there_then_that_it_was_all_then_what_is_new() {
    let house = House::with_tenants(&["acme"]).await;
    let ada = house.user("acme", "ada");
    house.record(&ada, evaluated(10), 10).await;
    let mut items = house.replay(auditor("acme"), follow()).await.unwrap();
    assert_eq!(event(items.next().await.unwrap().unwrap()).position, 0);
    assert_eq!(event(items.next().await.unwrap().unwrap()).position, 1);
    assert_eq!(items.next().await.unwrap().unwrap(), Item::CaughtUpPosition(1));
    house.record(&ada, issued(1, 20), 20).await;
    assert_eq!(event(items.next().await.unwrap().unwrap()).position, 2);
    house.record(&ada, failed(1, 4, 30), 30).await;
    assert_eq!(event(items.next().await.unwrap().unwrap()).position, 3);
    house.lifecycle.stop();
    assert!(items.next().await.is_none());
}

#[tokio::test]
async fn a_follower_of_an_empty_log_is_caught_up_at_once() {
    let house = House::empty();
    let mut items = house.replay(auditor("platform"), follow()).await.unwrap();
    assert_eq!(items.next().await.unwrap().unwrap(), Item::CaughtUpPosition(0));
    house.record(&house.user("acme", "ada"), tenant_created(1), 1).await;
    assert_eq!(event(items.next().await.unwrap().unwrap()).position, 0);
}

#[tokio::test]
async fn a_follower_who_waits_is_woken_by_the_stop() {
    let house = House::with_tenants(&["acme"]).await;
    let request = ReplayEventsRequest { after_position: Some(0), ..follow() };
    let mut items = house.replay(auditor("acme"), request).await.unwrap();
    assert_eq!(items.next().await.unwrap().unwrap(), Item::CaughtUpPosition(0));
    let (end, ()) = tokio::join!(items.next(), async { house.lifecycle.stop() });
    assert!(end.is_none());
}

#[tokio::test]
async fn what_others_are_told_neither_wakes_nor_ends_a_follower() {
    let house = House::with_tenants(&["acme", "globex"]).await;
    let request =
        ReplayEventsRequest { user_id: "ada".to_owned(), from_time: Some(wire_at(20)), ..follow() };
    let mut items = house.replay(auditor("acme"), request).await.unwrap();
    assert_eq!(items.next().await.unwrap().unwrap(), Item::CaughtUpPosition(1));
    // Another tenant's, another user's, and one that was recorded too early.
    house.record(&house.user("globex", "ada"), evaluated(30), 30).await;
    house.record(&house.user("acme", "ben"), evaluated(30), 30).await;
    house.record(&house.user("acme", "ada"), evaluated(19), 19).await;
    let wanted = house.record(&house.user("acme", "ada"), evaluated(20), 20).await;
    assert_eq!(event(items.next().await.unwrap().unwrap()).position, wanted);
}

#[tokio::test]
async fn the_limit_ends_a_follower_before_and_after_it_is_caught_up() {
    let house = House::with_tenants(&["acme"]).await;
    let ada = house.user("acme", "ada");
    let limited = |limit| ReplayEventsRequest { limit, ..follow() };
    let mut before = house.replay(auditor("acme"), limited(1)).await.unwrap();
    assert_eq!(event(before.next().await.unwrap().unwrap()).position, 0);
    assert!(before.next().await.is_none());
    let mut after = house.replay(auditor("acme"), limited(2)).await.unwrap();
    assert_eq!(event(after.next().await.unwrap().unwrap()).position, 0);
    assert_eq!(after.next().await.unwrap().unwrap(), Item::CaughtUpPosition(0));
    house.record(&ada, evaluated(10), 10).await;
    house.record(&ada, evaluated(11), 11).await;
    assert_eq!(event(after.next().await.unwrap().unwrap()).position, 1);
    assert!(after.next().await.is_none());
}

#[tokio::test]
async fn a_replay_that_the_stop_cuts_short_does_not_pass_for_a_whole_one() {
    let house = House::with_tenants(&["acme"]).await;
    house.record(&house.user("acme", "ada"), evaluated(10), 10).await;
    let request = ReplayEventsRequest::default();
    let mut items = house.replay(auditor("acme"), request).await.unwrap();
    assert_eq!(event(items.next().await.unwrap().unwrap()).position, 0);
    house.lifecycle.stop();
    let status = items.next().await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("stopping"), "{}", status.message());
    assert!(items.next().await.is_none());
}

#[tokio::test]
async fn whoever_reads_slowly_misses_nothing_and_holds_nobody_up() {
    let house = House::with_tenants(&["acme"]).await;
    let ada = house.user("acme", "ada");
    let mut items = house.replay(auditor("acme"), follow()).await.unwrap();
    assert_eq!(event(items.next().await.unwrap().unwrap()).position, 0);
    // Several pages of the engine are written while nobody reads.
    for second in 0..1_500 {
        house.record(&ada, evaluated(second), second).await;
    }
    assert_eq!(items.next().await.unwrap().unwrap(), Item::CaughtUpPosition(0));
    for position in 1..=1_500 {
        assert_eq!(event(items.next().await.unwrap().unwrap()).position, position);
    }
}

#[tokio::test]
async fn damage_ends_a_replay_with_what_was_told_before_it() {
    let house = House::over(Arc::new(DamagedLog(MemoryLog::default())));
    house.record(&house.user("acme", "ada"), tenant_created(1), 1).await;
    for request in [ReplayEventsRequest::default(), follow()] {
        let mut items = house.replay(auditor("acme"), request).await.unwrap();
        assert_eq!(event(items.next().await.unwrap().unwrap()).position, 0);
        let status = items.next().await.unwrap().unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::DataLoss, "DATA_DAMAGED".to_owned()));
        assert!(!told(&status).contains("segment"), "the source reached the caller");
        assert!(items.next().await.is_none());
    }
}

/// A log whose followers meet damage after the first event.
struct DamagedLog(MemoryLog);

#[async_trait]
impl EventLog for DamagedLog {
    fn id(&self) -> LogId {
        self.0.id()
    }

    async fn append(
        &self,
        stream: &StreamId,
        expected: ExpectedRevision,
        events: &[NewEvent],
    ) -> Result<Appended, AppendError> {
        self.0.append(stream, expected, events).await
    }

    async fn read(&self, stream: &StreamId, from: Revision) -> Result<EventStream, ReadError> {
        self.0.read(stream, from).await
    }

    async fn follow(
        &self,
        filter: &Filter,
        after: Option<Position>,
    ) -> Result<FollowStream, ReadError> {
        let damage = Corruption { place: "segment 7".to_owned(), what: "checksum".to_owned() };
        let first = self.0.follow(filter, after).await?.take(1);
        Ok(first.chain(stream::iter([Err(damage.into())])).boxed())
    }

    async fn head(&self) -> Result<Option<Position>, ReadError> {
        self.0.head().await
    }
}
