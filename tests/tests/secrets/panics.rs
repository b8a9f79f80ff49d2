//! A defect in the middle of a request.

use std::fs;

use countersign_proto::admin::ListApiKeysRequest;
use countersign_tests::{
    Process,
    process::{command_of, program},
};

const QUOTED: &str = "hunter2-quoted-by-a-panic";

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_tells_where_it_was_and_nothing_of_the_request_and_others_are_served_on() {
    let directory = tempfile::tempdir().unwrap();
    let (data_dir, defect) = (directory.path().join("data"), directory.path().join("defect"));
    let words =
        ["serve", "--listen", "127.0.0.1:0", "--log-format", "json", "--log-filter", "trace"];
    let mut command = command_of(&program("countersign-chance"), words);
    command.arg("--data-dir").arg(&data_dir).env("COUNTERSIGN_TEST_PANIC", &defect);
    let process = Process::spawn(command, &data_dir).await;
    let operator = process.operator().await.naming("platform");
    operator.admin().list_api_keys(ListApiKeysRequest::default()).await.unwrap();

    fs::write(&defect, QUOTED).unwrap();
    let failed = operator.admin().list_api_keys(ListApiKeysRequest::default()).await.unwrap_err();
    assert!(!format!("{failed:?}").contains(QUOTED), "{failed:?}");
    let line = process.log().wait_for("panicked").await.unwrap();
    assert!(line.contains("countersign-chance.rs:") && line.contains("withheld"), "{line}");

    fs::remove_file(&defect).unwrap();
    let operator = process.operator().await.naming("platform");
    operator.admin().list_api_keys(ListApiKeysRequest::default()).await.unwrap();
    let log = process.stop().await.log;
    assert!(!log.contains(QUOTED), "{log}");
}
