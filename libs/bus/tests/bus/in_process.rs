//! The twin without NATS.

use std::sync::Arc;

use countersign_bus::{Bus, InProcessBus};
use countersign_eventsourcing::{Filter, MemoryCheckpoints, Position};
use tokio_util::sync::CancellationToken;

use crate::{reactors::Recorder, test_log::TestLog, world::eventually};

#[tokio::test]
async fn a_reactor_over_the_log_itself_sees_everything_in_order() {
    let log = TestLog::new(1);
    log.grow(20);
    let checkpoints = Arc::<MemoryCheckpoints>::default();
    let bus: Arc<dyn Bus> = Arc::new(InProcessBus::new(Arc::clone(&log) as _, checkpoints));
    let recorder = Recorder::new(Filter::default());
    recorder.fail_at(&[20]);
    let stop = CancellationToken::new();
    let (running, reactor, token) = (Arc::clone(&bus), Arc::clone(&recorder), stop.clone());
    let task = tokio::spawn(async move { running.run(reactor, token).await });
    eventually("all are done", async || recorder.done().len() == 20).await;
    log.grow(5);
    eventually("the trouble is told", async || {
        bus.reports().first().is_some_and(|report| report.trouble.is_some())
    })
    .await;
    recorder.fail_at(&[]);
    eventually("all are done", async || recorder.done().len() == 25).await;
    stop.cancel();
    task.await.unwrap();
    assert_eq!(recorder.done(), log.events());
    let report = bus.reports().remove(0);
    assert_eq!((report.position, report.trouble), (Some(Position(24)), None));
}
