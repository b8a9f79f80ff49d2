//! The `countersign` program; everything is in the library beside it.

use std::{alloc::System, process::ExitCode};

use zeroizing_alloc::ZeroAlloc;

/// Wipes memory when it is freed, whoever used it: requests and keys stand in buffers of libraries too, which do not.
#[global_allocator]
static MEMORY: ZeroAlloc<System> = ZeroAlloc(System);

#[tokio::main]
async fn main() -> ExitCode {
    countersign::run().await
}
