//! From one engine into another and back.

use countersign_eventsourcing::contract::Sample;
use countersign_testkit::{KurrentDb, NatsServer};
use countersign_tests::process::text;

use crate::{
    copied, copying, digest,
    logs::{embedded, everything, fill, fill_quickly},
};

/// Copies an embedded log to `there` and back, and checks that nothing has changed on the way.
async fn there_and_back(there: &str) {
    let directory = tempfile::tempdir().unwrap();
    let (from, back) =
        (embedded(&directory.path().join("a")), embedded(&directory.path().join("b")));
    fill(&from, &Sample::new(), 300).await;
    let told = copied(&from, there).await;
    copied(there, &back).await;
    assert_eq!(everything(&back).await, everything(&from).await);
    assert_eq!(digest(&from).await, digest(there).await);
    let again = copied(&from, there).await;
    assert_eq!((&again["already"], &again["copied"]), (&told["copied"], &0.into()));
}

fn jetstream(server: &NatsServer) -> String {
    format!("jetstream:{}?prefix=copied", server.url())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_log_goes_to_jetstream_and_comes_back_the_same() {
    let server = NatsServer::start().await;
    there_and_back(&jetstream(&server)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_embedded_log_goes_to_kurrentdb_and_comes_back_the_same() {
    let server = KurrentDb::start().await;
    there_and_back(&server.url()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_in_the_middle_of_a_copy_holds_it_up_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let from = embedded(&directory.path().join("a"));
    fill_quickly(&from, &Sample::new(), 4_000).await;
    let mut server = NatsServer::start().await;
    let to = jetstream(&server);
    let mut running = copying(&from, &to).spawn().unwrap();
    // Made by the copy, so it is there once that has begun.
    let name = to.parse().unwrap();
    let open = loop {
        match countersign::engines::open_log(&name).await {
            Ok(open) => break open,
            Err(_) => assert_eq!(running.try_wait().unwrap(), None, "it ended at once"),
        }
    };
    while open.log().head().await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    server.kill().await;
    server.restart().await;
    assert_eq!(running.try_wait().unwrap(), None, "it ended before the server was killed");
    let ended = running.wait_with_output().await.unwrap();
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    assert_eq!(digest(&from).await, digest(&to).await);
}
