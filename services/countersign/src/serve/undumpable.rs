//! A server's memory holds keys, codes and names, so no copy of it is written when it crashes, and no other process of the
//! same user may look into it.

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, setrlimit};

/// Sees to it from now on, also for programs that this one would start: no core dumps (`setrlimit(2)`, `RLIMIT_CORE`), and
/// on Linux no tracing and no reading of `/proc/PID/mem` or `environ` but by root (`prctl(2)`, `PR_SET_DUMPABLE`).
pub(super) fn become_undumpable() -> anyhow::Result<()> {
    // The hard limit too, so that nothing raises it again.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    setrlimit(Resource::Core, none).context("cannot forbid core dumps")?;
    // A handler of dumps (`core_pattern` with a pipe) is not bound by the limit, but by this.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .context("cannot keep other processes from looking into this one")?;
    Ok(())
}
