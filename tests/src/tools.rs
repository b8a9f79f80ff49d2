//! Other people's programs that the tests run. `make tools` installs them; a test that misses one fails and says so.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use crate::process::{run, text};

/// Returns where the checkout lies.
#[must_use]
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Returns the Python that has the packages of `tests/python/requirements.txt`.
#[must_use]
pub fn python() -> PathBuf {
    fresh("venv/.stamp", "tests/python/requirements.txt");
    tool("venv/bin/python")
}

/// Returns nats-server, of the release in `tests/python/requirements.txt`.
#[must_use]
pub fn nats_server() -> PathBuf {
    fresh("venv/.stamp", "tests/python/requirements.txt");
    countersign_testkit::nats_server_program()
}

/// Returns buf, of the release in `tests/npm/package.json`.
#[must_use]
pub fn buf() -> PathBuf {
    let buf = "npm/node_modules/.bin/buf";
    fresh(buf, "tests/npm/package.json");
    tool(buf)
}

/// Returns oathtool, which comes with the system.
///
/// # Panics
/// Says how to install it.
#[must_use]
pub fn oathtool() -> PathBuf {
    let directories = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&directories).map(|directory| directory.join("oathtool"));
    found.into_iter().find(|path| path.is_file()).unwrap_or_else(|| missing("oathtool"))
}

/// Runs a command that must succeed, and returns what it printed.
///
/// # Panics
/// Shows what it said instead.
pub async fn said(command: Command) -> String {
    let words = format!("{:?}", command.as_std());
    let output = run(command).await;
    let (printed, complaint) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}: {words}\n{printed}{complaint}", output.status);
    printed
}

fn tool(path: &str) -> PathBuf {
    let tool = checkout().join(".tools").join(path);
    if tool.is_file() { tool } else { missing(path) }
}

/// Fails if `made` is not there or is older than what says which releases it has to hold: make's own rule.
fn fresh(made: &str, from: &str) {
    let changed = |path: PathBuf| fs::metadata(path).and_then(|about| about.modified());
    let source = changed(checkout().join(from)).unwrap();
    let made_at = changed(checkout().join(".tools").join(made));
    if made_at.is_err() {
        missing(made);
    }
    assert!(made_at.unwrap() >= source, "{from} changed after .tools/{made}: run `make tools`");
}

fn missing(what: &str) -> ! {
    panic!("{what} is not there: run `make tools`")
}
