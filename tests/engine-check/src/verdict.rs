//! How a check went. One that panics has failed, and says why by what it panicked with.

use std::{
    panic::{AssertUnwindSafe, PanicHookInfo},
    sync::Once,
    time::{Duration, Instant},
};

use futures_util::FutureExt as _;
use parking_lot::Mutex;

/// How a check went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should, in this time.
    Passed(Duration),
    /// Not so.
    Failed(String),
    /// Not run, for lack of something.
    Skipped(&'static str),
}

/// The first panic since it was last taken: later ones are most often its consequences.
static FIRST_PANIC: Mutex<Option<String>> = Mutex::new(None);
static QUIET: Once = Once::new();

/// Runs a check. Checks that are run at the same time may be told each other's reasons.
pub(crate) async fn of(
    check: impl Future<Output = anyhow::Result<()>>,
    within: Duration,
) -> Verdict {
    QUIET.call_once(|| std::panic::set_hook(Box::new(note)));
    *FIRST_PANIC.lock() = None;
    let began = Instant::now();
    let checked = tokio::time::timeout(within, AssertUnwindSafe(check).catch_unwind()).await;
    match checked {
        Ok(Ok(Ok(()))) => Verdict::Passed(began.elapsed()),
        Ok(Ok(Err(error))) => Verdict::Failed(format!("{error:#}")),
        Ok(Err(_)) => Verdict::Failed(FIRST_PANIC.lock().take().unwrap_or_default()),
        Err(_) => Verdict::Failed(format!("it did not end within {} s", within.as_secs())),
    }
}

fn note(panic: &PanicHookInfo<'_>) {
    let payload = panic.payload();
    let said = payload.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    FIRST_PANIC.lock().get_or_insert_with(|| format!("{said} (at {place})"));
}
