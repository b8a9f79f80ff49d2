//! `countersign completions`: what a shell needs to complete our words.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::{Cli, Failure, Screen};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args, screen: &mut Screen) -> Result<(), Failure> {
    // Written to memory first: the generator panics when nobody takes its output.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "countersign", &mut script);
    screen.raw(&script)
}
