//! Replicas over a log that fails, driven by operations that proptest draws: so that a failure shrinks to the few that
//! matter, and comes again with the same seed.
//!
//! Two or three replicas of the challenge and enrollment services run in this process, each with caches of its own, over
//! one shared log that loses answers, loses or delays appends, refuses and breaks off; beside them the followers of
//! notification. After each operation what everybody was told is held against the log itself and against a plain model:
//!
//! - a step of a TOTP is accepted once, and none before it later; a challenge is verified at most once;
//! - whoever was answered finds in the log what they were told; whoever was refused finds nothing;
//! - a repeated request, at whichever replica, is told what the first was told, and happens once;
//! - what a code comes to is what the plain model says;
//! - an error is one of the domain's own, or `LOG_UNAVAILABLE` with a delay and only when the log did fail;
//! - no message is handed over that the log does not announce, or after it is done; in the end each announced one was;
//! - once the log is well, every replica says of every challenge what the log says.
//!
//! No failure: that a message is handed over twice when the process ended before the log could be told of the first time.
//!
//! `PROPTEST_CASES` says how many runs there are, `PROPTEST_RNG_SEED` where they begin. A run is the same each time: one
//! thread, a clock that stands still, and randomness from the run's own seed.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed test says so by panicking"
)]

mod asking;
mod faulty_log;
mod judging;
mod ledger;
mod notifier;
mod operation;
mod replica;
mod simulation;

use proptest::{collection::vec, prelude::*};

use crate::{
    operation::{Operation, operation},
    simulation::Simulation,
};

/// Whether what must hold does; else what does not.
type Held = Result<(), String>;

const CASES: u32 = 128;

fn config() -> ProptestConfig {
    let config = ProptestConfig { max_shrink_iters: 4_096, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        None => ProptestConfig { cases: CASES, ..config },
        Some(_) => config,
    }
}

fn run(seed: u64, replicas: usize, operations: Vec<Operation>) -> Held {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let mut simulation = Simulation::start(seed, replicas).await?;
        for (number, operation) in operations.into_iter().enumerate() {
            let told = format!("{number}: {operation:?}");
            simulation.perform(operation).await.map_err(|what| format!("{told}: {what}"))?;
        }
        simulation.finish().await.map_err(|what| format!("in the end: {what}"))
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn replicas_over_a_log_that_fails_keep_every_promise(
        seed in any::<u64>(),
        replicas in 2..=3usize,
        operations in vec(operation(), 1..60),
    ) {
        run(seed, replicas, operations).map_err(TestCaseError::fail)?;
    }
}
