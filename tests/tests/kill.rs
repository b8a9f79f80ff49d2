//! A server that is killed under load, again and again: what was acknowledged stays, what was accepted once is not
//! accepted again, and whoever got no answer repeats the request and gets one.

#![expect(clippy::unwrap_used, reason = "a failed test says so by panicking")]

use std::{fs, path::Path};

use countersign_tests::{
    Fate, Process,
    aftermath::{assert_log_holds_once, settle},
    load::{Load, verifications, widen},
    process::{doctor, serve},
};

const ROUNDS: usize = 20;
const PLATFORMS: usize = 8;

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_kill_9_and_what_was_accepted_is_not_accepted_again() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let fate = Fate::draw();
    let mut process = Process::start(&data_dir).await;
    let mut tenant = process.tenant("acme").await;
    widen(&tenant).await;
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let load = Load::begin(&process, &tenant, &format!("user-{round}"), PLATFORMS).await;
        let moment = 20 + fate.below(400);
        // Now just after an answer, now while a request is on its way.
        if fate.below(2) == 0 {
            load.until(|progress| progress.answered >= moment).await;
        } else {
            load.until(|progress| progress.sent >= moment).await;
        }
        let ended = process.kill().await;
        assert!(ended.status.code().is_none(), "it ended by itself: {}", ended.log);
        let noted = load.end().await;
        if fate.below(3) == 0 {
            kill_while_it_opens(&data_dir, &fate).await;
        }
        process = Process::start(&data_dir).await;
        tenant = tenant.over(&process.connect().await);
        assert!(!noted.lost.is_empty(), "no request was under way");
        acknowledged.extend(settle(&tenant, noted).await);
    }
    assert_log_holds_once(verifications(&tenant).await, &acknowledged);
    let ended = process.stop().await;
    assert!(ended.status.success(), "{}", ended.log);
    let found = doctor(&data_dir).await;
    assert_eq!(found.lines().count(), 4, "{found}");
    assert!(found.lines().all(|line| line.trim_start().starts_with("sound")), "{found}");
}

/// Starts a server and kills it while it reads what the one before left.
async fn kill_while_it_opens(data_dir: &Path, fate: &Fate) {
    let lock = data_dir.join("LOCK");
    let mut opening = serve(data_dir).spawn().unwrap();
    let holder = format!("{}\n", opening.id().unwrap());
    while fs::read_to_string(&lock).unwrap() != holder {
        assert_eq!(opening.try_wait().unwrap(), None, "it ended before it had the directory");
        tokio::task::yield_now().await;
    }
    for _ in 0..fate.below(2_000) {
        fs::read_to_string(&lock).unwrap();
    }
    opening.kill().await.unwrap();
}
