//! The `countersign` program; everything is in the library beside it.

use std::process::ExitCode;

/// Requests are made on one thread, written by another and dropped on a third.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    countersign::run().await
}
