//! Copying a log from one engine into another with the real program, interrupted and not.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by panicking"
)]

mod changing_over;
mod embedded;
mod engines;
mod interrupted;
mod logs;
mod usage;

use std::process::Stdio;

use countersign_tests::process::{command, run, text};
use serde_json::Value;
use tokio::process::Command;

/// Prepares to copy.
fn copying(from: &str, to: &str) -> Command {
    command(["log", "copy", "--from", from, "--to", to, "--json"])
}

/// Copies, which must succeed, and returns what was told.
async fn copied(from: &str, to: &str) -> Value {
    let output = run(copying(from, to)).await;
    let (told, complaint) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{told}{complaint}");
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["source"], told["destination"], "{told}");
    told
}

/// Copies, which must fail, and returns the complaint.
async fn refused(from: &str, to: &str) -> String {
    let output = run(copying(from, to)).await;
    let complaint = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{}{complaint}", text(&output.stdout));
    complaint
}

/// Returns the digest of a log, as the program says it.
async fn digest(log: &str) -> String {
    let mut asked = command(["log", "digest", "--log", log]);
    asked.stdin(Stdio::null());
    let output = run(asked).await;
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}
