//! The bar that shows how far a log has been read.

use indicatif::{HumanCount, ProgressBar};

use crate::{cli::screen::progress_bar, copy::Progress};

/// Is drawn on standard error, and not where that is no terminal.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Self {
        // In hundredths: positions are no counts, so the numbers themselves would mislead.
        Self(progress_bar("{msg} [{bar:40}] {percent}% {eta}"))
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
