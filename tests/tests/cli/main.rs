//! The command line against a running server, as an operator uses it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed test says so by panicking"
)]

mod administering;
mod apart;
mod auditing;
mod belonging;
mod demo;
mod doctor;
mod over_tls;
mod settings;
mod usage;

use countersign_tests::process::{run, text};
use serde_json::Value;
use tokio::process::Command;

/// What a command said.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Said {
    async fn by(command: Command) -> Self {
        let output = run(command).await;
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Runs a command that must succeed, and returns what it printed.
    async fn well(command: Command) -> String {
        let said = Self::by(command).await;
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
        said.out
    }

    /// Runs a command that must succeed, and returns the JSON that it printed, a value a line.
    async fn json(mut command: Command) -> Vec<Value> {
        command.arg("--json");
        let out = Self::well(command).await;
        let parse = |line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        out.lines().map(parse).collect()
    }

    /// Runs a command that must fail, and returns what it complained of.
    async fn failing(command: Command) -> String {
        let said = Self::by(command).await;
        assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{said:?}");
        assert!(said.err.starts_with("error: "), "{said:?}");
        said.err
    }
}
