//! The bench runs: what needs no server is measured in small numbers.

use std::process::Command;

use serde_json::Value;

#[test]
fn a_quick_run_finds_requests_answered_and_events_folded() {
    let output = Command::new(env!("CARGO_BIN_EXE_countersign-bench"))
        .args(["--quick", "--json", "--only", "echo", "--only", "floor", "--only", "replay"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    for who in ["echo", "floor"] {
        let loads = report["loads"].as_array().unwrap().iter().filter(|load| load["who"] == who);
        let callers: Vec<_> = loads
            .inspect(|load| {
                assert!(load["requests"].as_u64().unwrap() > 0, "{load}");
                assert!(load["p50_us"].as_u64() <= load["p99_us"].as_u64(), "{load}");
            })
            .map(|load| load["callers"].as_u64().unwrap())
            .collect();
        assert_eq!(callers, [16, 64], "{who}");
    }
    let figures = report["figures"].as_array().unwrap();
    assert_eq!(figures.len(), 1);
    assert_eq!(figures[0]["section"], "replay");
    assert!(figures[0]["value"].as_f64().unwrap() > 0.0);
}
