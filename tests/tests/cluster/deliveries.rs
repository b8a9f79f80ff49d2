//! What must be true of messages to users after faults: none left that the log does not announce, and each that it
//! announces was sent in the end.

use std::{collections::BTreeSet, time::Duration};

use countersign_proto::{
    audit::{RecordedEvent, ReplayEventsRequest},
    event::{DeliveryFailed, DeliveryRequested, DeliverySent},
};
use countersign_tests::{Tenant, cluster::Cluster};
use tokio::time::{sleep, timeout};

/// How long deliveries may take to be done with once everything runs again.
const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until every announced delivery has ended, and checks the messages that notification replicas wrote into their
/// logs: those of processes that have ended, and those of `cluster` so far.
pub(crate) async fn assert_sent(tenant: &Tenant, ended_logs: &[String], cluster: &Cluster) {
    let ended = async {
        loop {
            let (announced, ended) = so_far(tenant).await;
            // Every enrolment is told; what else is told comes on top.
            if announced == ended && announced.len() >= enrolments(tenant).await {
                return announced;
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    let Ok(announced) = timeout(PATIENCE, ended).await else {
        let (announced, ended) = so_far(tenant).await;
        let open: Vec<_> = announced.difference(&ended).collect();
        panic!("{} deliveries do not end, such as {:?}", open.len(), open.first());
    };
    // What a process wrote takes a moment to be read.
    let all_seen = async {
        loop {
            let logs = ended_logs.iter().cloned().chain([cluster.logs()]);
            let seen: BTreeSet<_> = logs.flat_map(|log| messages(&log)).collect();
            if announced.is_subset(&seen) {
                return seen;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let seen = timeout(PATIENCE, all_seen).await.expect("whatever was sent was written down");
    for delivery in seen {
        assert!(announced.contains(&delivery), "{delivery} was sent and is not in the log");
    }
}

/// Returns the deliveries that were announced, and those that ended.
async fn so_far(tenant: &Tenant) -> (BTreeSet<String>, BTreeSet<String>) {
    let types = ["DeliveryRequested", "DeliverySent", "DeliveryFailed"];
    let request =
        ReplayEventsRequest { event_types: types.map(str::to_owned).into(), ..Default::default() };
    let (mut announced, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for event in tenant.auditor.replay_in_the_end(request).await {
        match event.r#type.as_str() {
            "DeliveryRequested" => {
                announced.insert(payload::<DeliveryRequested>(event).delivery_id);
            }
            "DeliverySent" => {
                assert!(ended.insert(payload::<DeliverySent>(event).delivery_id), "ended twice");
            }
            _ => {
                assert!(ended.insert(payload::<DeliveryFailed>(event).delivery_id), "ended twice");
            }
        }
    }
    (announced, ended)
}

async fn enrolments(tenant: &Tenant) -> usize {
    let request = ReplayEventsRequest {
        event_types: vec!["EnrollmentConfirmed".to_owned()],
        ..Default::default()
    };
    tenant.auditor.replay_in_the_end(request).await.len()
}

fn payload<M: prost::Message + Default>(event: RecordedEvent) -> M {
    M::decode(&*event.payload.unwrap().value).unwrap()
}

/// Reads the deliveries of the lines that stand for messages.
pub(crate) fn messages(log: &str) -> Vec<String> {
    let message = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        let fields = line.get("fields")?;
        let said = fields.get("message")?.as_str()?;
        let id = fields.get("delivery_id")?.as_str()?;
        said.starts_with("message to a user").then(|| id.to_owned())
    };
    log.lines().filter_map(message).collect()
}
