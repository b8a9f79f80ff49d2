//! The bar that shows how far a log has been read.

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::copy::Progress;

/// Is drawn on standard error, and not where that is no terminal.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        // In hundredths: positions are no counts, so the numbers themselves would mislead.
        let style = ProgressStyle::with_template("{msg} [{bar:40}] {percent}% {eta}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        Self(bar)
    }

    pub(super) fn show(&self, progress: Progress) {
        self.0.set_message(format!("{} ({} events)", progress.step, HumanCount(progress.events)));
        self.0.set_length(progress.total);
        self.0.set_position(progress.done);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
