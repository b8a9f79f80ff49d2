//! The program `countersign` in a world whose time is moved by tests: everything else is the real thing.

use std::{path::Path, process::ExitCode, sync::Arc};

use anyhow::Context as _;
use countersign::World;
use countersign_testkit::SharedClock;
use countersign_tests::cluster::CLOCK_VARIABLE;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let path = std::env::var_os(CLOCK_VARIABLE);
    let path = path.with_context(|| format!("{CLOCK_VARIABLE} names no clock"))?;
    let clock = SharedClock::open(Path::new(&path)).context("the clock cannot be read")?;
    Ok(countersign::run_in(World { clock: Arc::new(clock), ..World::default() }).await)
}
