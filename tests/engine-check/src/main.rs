//! The program; everything is in the library beside it.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    countersign_engine_check::run().await
}
