//! Callers in a closed loop: each asks its next question when its last one was answered.

use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use serde::Serialize;
use tokio::task::JoinSet;

/// Somebody who asks one question at a time.
pub(crate) trait Caller: Send + 'static {
    /// Asks once, or breaks off because there is nothing left to ask. An answer that is not right is an error.
    fn ask(&mut self) -> impl Future<Output = anyhow::Result<ControlFlow<()>>> + Send;
}

/// What came of a load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Load {
    /// Callers at once.
    pub(crate) callers: usize,
    /// Questions answered.
    pub(crate) requests: usize,
    /// How long it took, in seconds.
    pub(crate) seconds: f64,
    /// Requests per second.
    pub(crate) per_second: f64,
    /// Half of the answers took no longer, in microseconds.
    pub(crate) p50_us: u32,
    /// 99 of 100 answers took no longer, in microseconds.
    pub(crate) p99_us: u32,
    /// Processor time of the server's process for each request, in microseconds, where it is a process of its own.
    pub(crate) server_cpu_us: Option<f64>,
}

impl Load {
    fn new(callers: usize, took: Duration, mut micros: Vec<u32>) -> anyhow::Result<Self> {
        micros.sort_unstable();
        let seconds = took.as_secs_f64();
        Ok(Self {
            callers,
            requests: micros.len(),
            seconds,
            per_second: micros.len() as f64 / seconds,
            p50_us: percentile(&micros, 50).context("nothing was asked")?,
            p99_us: percentile(&micros, 99).context("nothing was asked")?,
            server_cpu_us: None,
        })
    }

    /// Adds the processor time that the server spent on all of it.
    pub(crate) fn with_server_cpu(self, spent: Duration) -> Self {
        let micros = spent.as_secs_f64() * 1e6 / self.requests as f64;
        Self { server_cpu_us: Some(micros), ..self }
    }
}

/// Lets all callers ask until `span` is over or there is nothing left to ask.
pub(crate) async fn drive<C: Caller>(callers: Vec<C>, span: Duration) -> anyhow::Result<Load> {
    let count = callers.len();
    let mut tasks = JoinSet::new();
    let started = Instant::now();
    for mut caller in callers {
        tasks.spawn(async move {
            let mut micros = Vec::new();
            while started.elapsed() < span {
                let asked = Instant::now();
                if caller.ask().await?.is_break() {
                    break;
                }
                micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
            }
            anyhow::Ok(micros)
        });
    }
    let mut micros = Vec::new();
    while let Some(of_one) = tasks.join_next().await {
        micros.extend(of_one.context("a caller did not end in order")??);
    }
    Load::new(count, started.elapsed(), micros)
}

/// Returns the least value that `percent` of all values do not exceed (nearest rank); `None` if there are no values.
fn percentile(sorted: &[u32], percent: usize) -> Option<u32> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let hundred: Vec<u32> = (1..=100).collect();
        assert_eq!(percentile(&hundred, 50), Some(50));
        assert_eq!(percentile(&hundred, 99), Some(99));
        assert_eq!(percentile(&[7], 99), Some(7));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn processor_time_is_shared_by_the_requests() {
        let load = Load::new(1, Duration::from_secs(2), vec![10, 20, 30, 40]).unwrap();
        assert_eq!(load.requests, 4);
        assert!((load.per_second - 2.0).abs() < 1e-9);
        let cpu = load.with_server_cpu(Duration::from_micros(100)).server_cpu_us.unwrap();
        assert!((cpu - 25.0).abs() < 1e-9);
    }

    struct Countdown(u32);

    impl Caller for Countdown {
        async fn ask(&mut self) -> anyhow::Result<ControlFlow<()>> {
            anyhow::ensure!(self.0 != 13, "thirteen was wrong");
            let Some(left) = self.0.checked_sub(1) else { return Ok(ControlFlow::Break(())) };
            self.0 = left;
            Ok(ControlFlow::Continue(()))
        }
    }

    #[tokio::test]
    async fn a_load_ends_when_there_is_nothing_left_to_ask() {
        let callers = vec![Countdown(3), Countdown(5)];
        let load = drive(callers, Duration::from_secs(60)).await.unwrap();
        assert_eq!((load.callers, load.requests), (2, 8));
    }

    #[tokio::test]
    async fn a_wrong_answer_ends_the_measurement() {
        let error = drive(vec![Countdown(14)], Duration::from_secs(60)).await.unwrap_err();
        assert_eq!(error.to_string(), "thirteen was wrong");
    }
}
