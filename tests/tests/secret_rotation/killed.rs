//! A process that is killed in the middle of a rotation.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use countersign_core::{AuthenticatorId, TenantId, UserId};
use countersign_domain::user_authenticators::{Command, StartEnrollment};
use countersign_eventlog::embedded::{EmbeddedLog, EmbeddedOptions};
use countersign_eventsourcing::{Metadata, NoSnapshots, Request};
use countersign_keys::{LocalKeys, SecretsKey};
use countersign_service::{Foundation, FoundationParts, OsRandom, SystemClock, User, seals};
use countersign_tests::{Phone, Process, Tenant, process::doctor};
use tokio::task::JoinSet;

use crate::{begin, is_complete, until};

/// Enough that a rotation takes longer than a look at it.
const USERS: usize = 2_500;
const TOGETHER: usize = 256;

/// Begins an enrolment of a user.
async fn enrol(foundation: Arc<Foundation>, user: User) {
    let (vault, User { tenant, key }) = (&foundation.vault, &user);
    let seal = async |field| vault.seal(tenant, *key, field, b"a name").await.unwrap();
    let secrets = SecretsKey { tenant: tenant.clone(), user: *key, generation: 1 };
    let now = foundation.now();
    let command = StartEnrollment {
        authenticator_id: AuthenticatorId::new(foundation.new_id()),
        kind: "totp".into(),
        display_name: seal("authenticator.display_name").await,
        user_id: seal(seals::USER_ID).await,
        record: vault.seal_secret(&secrets, seals::RECORD, b"a seed").await.unwrap(),
        parameters: BTreeMap::new(),
        now,
        expires_at: now,
    };
    let command_id = foundation.new_id();
    let metadata = Metadata {
        recorded_at: now,
        correlation_id: command_id,
        causation_id: command_id,
        requester: "test".into(),
        traceparent: "".into(),
        request_digest: 0,
    };
    let (stream, request) = (user.authenticators(), Request { command_id, metadata });
    let command = Command::StartEnrollment(command);
    foundation.authenticators.execute(&stream, &request, command).await.unwrap();
}

/// Enrols users before the first start, as a house of many users has them.
async fn fill(data_dir: &Path) {
    let directory = data_dir.to_owned();
    let open = move || EmbeddedLog::open(&directory, EmbeddedOptions::default()).unwrap();
    let log = Arc::new(tokio::task::spawn_blocking(open).await.unwrap());
    let keys = LocalKeys::open(&data_dir.join("keys"), Arc::new(OsRandom)).unwrap();
    let foundation = Arc::new(Foundation::new(FoundationParts {
        log: Arc::clone(&log) as _,
        snapshots: Arc::new(NoSnapshots),
        vault: keys.vault(),
        clock: Arc::new(SystemClock),
        rng: Arc::new(OsRandom),
    }));
    let tenant = TenantId::parse("beta").unwrap();
    let mut enrolling = JoinSet::new();
    for number in 0..USERS {
        let user = UserId::parse(&format!("user-{number}")).unwrap();
        let user = foundation.user(&tenant, &user);
        enrolling.spawn(enrol(Arc::clone(&foundation), user));
        if enrolling.len() == TOGETHER {
            enrolling.join_next().await.unwrap().unwrap();
        }
    }
    enrolling.join_all().await;
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_kill_9_interrupts_goes_on_at_the_next_start_and_loses_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    fill(&data_dir).await;
    let mut process = Process::start(&data_dir).await;
    let mut tenant = process.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    begin(&process.operator().await, "rotate").await.unwrap();
    let mut kills = 0;
    // Again and again, always in the middle.
    for resealed_before in [0, 500, 1_200] {
        let resealed = resealed(&process, resealed_before).await;
        if resealed > USERS {
            break;
        }
        let ended = process.kill().await;
        assert!(ended.status.code().is_none(), "it ended by itself: {}", ended.log);
        kills += 1;
        process = Process::start(&data_dir).await;
        tenant = tenant.over(&process.connect().await);
    }
    assert!(kills > 0, "it was never killed in the middle: give it more users");
    let operator = process.operator().await;
    let seen = until(&operator, is_complete).await;
    let all = USERS as u64 + 1;
    assert_eq!((seen.rotation, seen.users_done, seen.users_total), (1, all, all));
    // Everybody's secrets were sealed anew once.
    assert_eq!(resealed(&process, USERS).await, USERS + 1);
    proves(&tenant, &phone).await;
    assert!(process.stop().await.status.success());
    let found = doctor(&data_dir).await;
    assert!(found.contains(&format!("{} data keys", USERS + 1)), "{found}");
}

/// Waits until the secrets of more than `before` users are sealed anew, and returns of how many they are.
async fn resealed(process: &Process, before: usize) -> usize {
    let auditor = process.operator().await;
    loop {
        let request = countersign_proto::audit::ReplayEventsRequest {
            event_types: vec!["SecretsResealed".to_owned()],
            ..Default::default()
        };
        let count = auditor.replay(request).await.len();
        if count > before {
            return count;
        }
    }
}

async fn proves(tenant: &Tenant, phone: &Phone) {
    let challenge = tenant.challenge("ann").await;
    // The next step: that of the enrolment is spent.
    let soon = countersign_core::Timestamp::from_unix_seconds(tenant.now().unix_seconds() + 30);
    tenant.verified("ann", &challenge, &phone.code(soon)).await;
}
