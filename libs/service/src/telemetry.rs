//! Where logs go, and in which form: text for people, JSON for machines.

use serde::Deserialize;
use tracing::{Level, Metadata};
use tracing_subscriber::{
    EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt as _, registry::LookupSpan,
    util::SubscriberInitExt as _,
};

use crate::panics;

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

/// Sends logs to standard error from now on, and what is told of panics with them. `filter` is a directive list such as `info,countersign_eventlog=debug`;
/// whatever it says, other people's code is heard from INFO up only.
///
/// # Errors
/// Says that the filter cannot be read, or that logs were set up before.
pub fn init(
    format: LogFormat,
    filter: &str,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let registry = tracing_subscriber::registry().with(filters(filter)?);
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
    panics::keep_quiet();
    Ok(())
}

fn filters<S>(
    filter: &str,
) -> Result<impl Layer<S> + use<S>, Box<dyn std::error::Error + Send + Sync>>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    Ok(EnvFilter::builder().parse(filter)?.and_then(filter_fn(may_be_heard)))
}

/// Below INFO only our own code is heard. A transport is free to log what it carries, and that is keys in headers and
/// codes in messages; what one release of it keeps to itself, the next one may tell.
fn may_be_heard(metadata: &Metadata<'_>) -> bool {
    // What NATS' client says at INFO our own connection says better, and once.
    let least = if metadata.target().starts_with("async_nats") { Level::WARN } else { Level::INFO };
    *metadata.level() <= least || metadata.target().starts_with("countersign")
}

#[cfg(test)]
pub(crate) mod written {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    /// What was logged.
    #[derive(Clone, Default)]
    pub(crate) struct Written(Arc<Mutex<Vec<u8>>>);

    impl Written {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{written::Written, *};

    /// Returns what is written of the same lines in our own code and in a transport.
    fn heard(filter: &str) -> String {
        let written = Written::default();
        let writer = written.clone();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(filters(filter).unwrap()).with(lines);
        tracing::subscriber::with_default(subscriber, || {
            let _own = tracing::trace_span!(target: "countersign_x", "own_span").entered();
            let _foreign = tracing::trace_span!(target: "h2::codec", "foreign_span").entered();
            tracing::trace!(target: "countersign_x", "own trace");
            tracing::debug!(target: "h2::codec", "h2 debug");
            tracing::trace!(target: "hyper::proto", "hyper trace");
            tracing::debug!(target: "tonic::transport", "tonic debug");
            tracing::debug!(target: "tower::buffer", "tower debug");
            tracing::info!(target: "h2::codec", "h2 info");
        });
        written.text()
    }

    #[test]
    fn a_filter_cannot_make_transports_tell_what_they_carry() {
        for filter in ["trace", "trace,h2=trace,hyper=trace,tonic=trace,tower=trace"] {
            let heard = heard(filter);
            assert!(heard.contains("own trace") && heard.contains("own_span"), "{heard}");
            assert!(heard.contains("h2 info"), "{heard}");
            for foreign in ["h2 debug", "hyper trace", "tonic debug", "tower debug", "foreign_span"]
            {
                assert!(!heard.contains(foreign), "{foreign}: {heard}");
            }
        }
    }

    #[test]
    fn a_filter_is_followed_where_it_asks_for_less() {
        assert_eq!(heard("off"), "");
        assert!(!heard("warn,countersign_x=info").contains("own trace"));
    }
}
