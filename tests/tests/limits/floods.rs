//! Who sends too much does not fill the log.

use std::{fs, time::Instant};

use countersign_tests::{Process, process::serve, reason};
use serde_json::{Value, json};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use crate::soon;

/// Connections, and calls over each.
const CONNECTIONS: usize = 10;
const CALLS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_refused_calls_is_one_line_a_second_of_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("countersign.yaml");
    // JSON is YAML.
    let source = json!({"requests": 1, "seconds": 86_400, "burst": 1});
    fs::write(&config, json!({"limits": {"source": source}}).to_string()).unwrap();
    let data_dir = directory.path().join("data");
    let mut command = serve(&data_dir);
    command.arg("--config").arg(&config);
    let process = Process::spawn(command, &data_dir).await;
    let began = Instant::now();
    let mut refused = 0;
    for _ in 0..CONNECTIONS {
        let mut health = HealthClient::new(process.connect().await);
        for _ in 0..CALLS {
            let request = HealthCheckRequest { service: String::new() };
            if let Err(status) = soon(health.check(request)).await {
                assert_eq!(reason(&status), "RATE_LIMITED");
                refused += 1;
            }
        }
    }
    assert_eq!(refused, CONNECTIONS * CALLS - 1);
    let seconds = began.elapsed().as_secs();
    let log = process.stop().await.log;
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let told = lines.filter(|line| line["fields"]["reason"] == "RATE_LIMITED").count();
    assert!(told > 0 && told as u64 <= seconds + 1, "{told} lines in {seconds} s:\n{log}");
}
