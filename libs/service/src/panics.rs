//! What is told of a panic: where it was, and nothing that it quotes.

use std::{
    any::Any,
    backtrace::{Backtrace, BacktraceStatus},
    panic,
};

/// Has panics logged like everything else from now on. Their messages are often made of what a request holds: slicing a
/// text in the middle of a character quotes the text, `unwrap` quotes the error. Only what stands in the program's own text
/// is told.
pub(crate) fn keep_quiet() {
    panic::set_hook(Box::new(|panicked| {
        let place = panicked.location().map(ToString::to_string).unwrap_or_default();
        let message = fixed_message(panicked.payload());
        // Names of functions, and only if the environment asks for them.
        let backtrace = Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then_some(&backtrace);
        let backtrace = backtrace.map(tracing::field::display);
        tracing::error!(place, backtrace, "panicked: {message}");
    }));
}

fn fixed_message(payload: &dyn Any) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("the message is withheld")
}

#[cfg(test)]
mod tests {
    use std::{hint::black_box, panic::catch_unwind};

    use super::*;
    use crate::telemetry::written::Written;

    /// Returns what is logged when `work` panics.
    fn told(work: impl FnOnce() + panic::UnwindSafe) -> String {
        let written = Written::default();
        let writer = written.clone();
        let lines = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        let before = panic::take_hook();
        keep_quiet();
        let panicked = tracing::subscriber::with_default(lines, || catch_unwind(work));
        panic::set_hook(before);
        assert!(panicked.is_err());
        written.text()
    }

    #[test]
    fn a_panic_tells_where_it_was_and_not_what_it_quotes() {
        let code = black_box("hünter2".to_owned());
        let sliced = told(move || drop(black_box(code[..2].to_owned())));
        assert!(sliced.contains("panics.rs:") && sliced.contains("withheld"), "{sliced}");
        assert!(!sliced.contains("nter2"), "{sliced}");
        let own = told(|| panic!("the table has no rows"));
        assert!(own.contains("the table has no rows"), "{own}");
    }
}
