//! A server as a process of its own, and what the kernel says about it.

use std::{fs, time::Duration};

use anyhow::Context as _;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    process::Command,
    time::timeout,
};

use crate::load::{Caller, Load, drive};

const STOP_WITHIN: Duration = Duration::from_secs(30);
const FIRST_LINE_WITHIN: Duration = Duration::from_secs(30);

/// Linux counts processor time in hundredths of a second on every architecture that we run on (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// A process that ends with its handle.
#[derive(Debug)]
pub(crate) struct Child {
    process: tokio::process::Child,
    id: u32,
}

/// Memory of a process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) resident: u64,
    /// The most that was ever resident.
    pub(crate) peak: u64,
}

impl Child {
    /// Starts a process.
    pub(crate) fn spawn(mut command: Command) -> anyhow::Result<Self> {
        let spawned = command.stdin(std::process::Stdio::null()).kill_on_drop(true).spawn();
        let program = command.as_std().get_program();
        let process =
            spawned.with_context(|| format!("cannot start {}", program.to_string_lossy()))?;
        let id = process.id().context("the process ended at once")?;
        Ok(Self { process, id })
    }

    /// Returns the first line that it prints.
    pub(crate) async fn first_line(&mut self) -> anyhow::Result<String> {
        let output = self.process.stdout.take().context("its output was not asked for")?;
        let mut lines = BufReader::new(output).lines();
        let line = timeout(FIRST_LINE_WITHIN, lines.next_line()).await;
        line.context("it prints nothing")??.context("it ended without a word")
    }

    /// Fails if it has ended.
    pub(crate) fn is_running(&mut self) -> anyhow::Result<()> {
        match self.process.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("it ended by itself: {status}"),
        }
    }

    /// Loads it, and counts the processor time that it spends on that.
    pub(crate) async fn drive<C: Caller>(
        &self,
        callers: Vec<C>,
        span: Duration,
    ) -> anyhow::Result<Load> {
        let before = self.processor_time()?;
        let load = drive(callers, span).await?;
        Ok(load.with_server_cpu(self.processor_time()?.saturating_sub(before)))
    }

    /// Returns the processor time that all its threads have spent.
    fn processor_time(&self) -> anyhow::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id))?;
        processor_time(&stat).context("/proc/<pid>/stat has another form")
    }

    /// Returns how much memory it has.
    pub(crate) fn memory(&self) -> anyhow::Result<Memory> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id))?;
        memory(&status).context("/proc/<pid>/status has another form")
    }

    /// Asks it to end, and ends it if it does not.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        let id = i32::try_from(self.id).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id
            && rustix::process::kill_process(id, rustix::process::Signal::TERM).is_ok()
            && timeout(STOP_WITHIN, self.process.wait()).await.is_ok()
        {
            return Ok(());
        }
        self.process.kill().await?;
        anyhow::bail!("it did not end within {} s of being asked to", STOP_WITHIN.as_secs())
    }
}

/// Reads fields 14 and 15 of `/proc/<pid>/stat` (proc_pid_stat(5)). The program's name may hold anything, so what comes
/// after it is counted.
fn processor_time(stat: &str) -> Option<Duration> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(TICK * user.checked_add(system)?)
}

fn memory(status: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name))?;
        let kibibytes: u64 = value.split_whitespace().next()?.parse().ok()?;
        Some(kibibytes * 1024)
    };
    Some(Memory { resident: bytes("VmRSS:")?, peak: bytes("VmHWM:")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_found_behind_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 99 0 0 0 150 25 0 0 20 0 4 0 100 1 2";
        assert_eq!(processor_time(stat), Some(Duration::from_millis(1_750)));
        assert_eq!(processor_time("7 (a) S 1"), None);
    }

    #[test]
    fn memory_is_told_in_bytes() {
        let status = "Name:\ta\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        let memory = memory(status).unwrap();
        assert_eq!((memory.resident, memory.peak), (1 << 20, 2 << 20));
    }
}
