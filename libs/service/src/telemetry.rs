//! Where logs go, and in which form: text for people, JSON for machines.

use serde::Deserialize;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Sends logs to standard error from now on. `filter` is a directive list such as `info,countersign_eventlog=debug`.
///
/// # Errors
/// Says that the filter cannot be read, or that logs were set up before.
pub fn init(
    format: LogFormat,
    filter: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::builder().parse(filter)?;
    let registry = tracing_subscriber::registry().with(filter);
    match format {
        LogFormat::Text => {
            let lines = tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
            registry.with(lines).try_init()?;
        }
        LogFormat::Json => {
            let lines = tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr);
            registry.with(lines).try_init()?;
        }
    }
    Ok(())
}
