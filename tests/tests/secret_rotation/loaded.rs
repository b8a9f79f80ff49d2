//! Users enrol and prove themselves while everything is sealed anew, again and again: nobody notices.

use countersign_tests::{
    Process,
    aftermath::{assert_log_holds_once, settle},
    load::{Load, verifications, widen},
    process::doctor,
};

use crate::{begin, is_complete, until};

const PLATFORMS: usize = 6;
const ROTATIONS: u32 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn users_who_enrol_and_prove_themselves_meanwhile_are_not_turned_away() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().join("data");
    let process = Process::start(&data_dir).await;
    let tenant = process.tenant("acme").await;
    widen(&tenant).await;
    let operator = process.operator().await;
    // These give up at the first answer that is none.
    let load = Load::begin(&process, &tenant, "user", PLATFORMS).await;
    for number in 1..=ROTATIONS {
        let moment = load.progress().answered + 25;
        load.until(|progress| progress.answered >= moment).await;
        begin(&operator, &format!("rotate-{number}")).await.unwrap();
        until(&operator, |seen| seen.rotation == number && is_complete(seen)).await;
    }
    let moment = load.progress().answered + 50;
    load.until(|progress| progress.answered >= moment).await;
    let noted = load.stop().await;
    assert!(noted.lost.is_empty(), "{:?}", noted.lost);
    let acknowledged = settle(&tenant, noted).await;
    assert_log_holds_once(verifications(&tenant).await, &acknowledged);
    let ended = process.stop().await;
    assert!(ended.status.success(), "{}", ended.log);
    let found = doctor(&data_dir).await;
    assert!(found.lines().all(|line| line.trim_start().starts_with("sound")), "{found}");
}
