//! The one binary: all services in one process, and the operator's command line.
//!
//! A library, so that tests and benchmarks can compose the same house in their own process; [`run`] is the program.

#![forbid(unsafe_code)]

mod cli;
mod demo;
mod doctor;
pub mod serve;

use std::process::ExitCode;

use clap::Parser as _;

/// Runs the program with this process's arguments.
pub async fn run() -> ExitCode {
    cli::run(cli::Cli::parse()).await
}
