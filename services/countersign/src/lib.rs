//! The one binary: all services in one process or each in its own, and the operator's command line.
//!
//! A library, so that tests and benchmarks can compose the same house in their own process; [`run`] is the program.

#![forbid(unsafe_code)]

mod cli;
pub mod copy;
mod demo;
mod doctor;
pub mod engines;
pub mod serve;

use std::{fmt, process::ExitCode, sync::Arc};

use clap::Parser as _;
use countersign_core::{Clock, Rng};
use countersign_service::{OsRandom, SystemClock};

/// Runs the program with this process's arguments.
pub async fn run() -> ExitCode {
    run_in(World::default()).await
}

/// Runs the program in a world whose time or chance are not the system's, as tests do.
pub async fn run_in(world: World) -> ExitCode {
    cli::run(cli::Cli::parse(), world).await
}

/// Time and chance, as servers know them.
#[derive(Clone)]
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
}

impl Default for World {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), rng: Arc::new(OsRandom) }
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").finish_non_exhaustive()
    }
}
