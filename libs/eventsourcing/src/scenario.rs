//! Tests that read as sentences: given what happened, when this is asked, then that happens.

use crate::Decider;

/// A scenario of one decider.
#[derive(Debug)]
pub struct Scenario<D: Decider> {
    state: D::State,
    outcome: Option<Result<Vec<D::Event>, D::Rejection>>,
}

impl<D: Decider> Scenario<D> {
    /// Begins with what happened so far.
    pub fn given(events: impl IntoIterator<Item = D::Event>) -> Self {
        let state = events.into_iter().fold(D::State::default(), |s, e| D::evolve(s, &e));
        Self { state, outcome: None }
    }

    /// Asks for `command`; a second `when` goes on after what the first one caused.
    #[must_use]
    pub fn when(mut self, command: D::Command) -> Self {
        if let Some(Ok(events)) = self.outcome.take() {
            self.state = events.iter().fold(self.state, |s, e| D::evolve(s, e));
        }
        self.outcome = Some(D::decide(&self.state, command));
        self
    }

    /// Demands exactly these events.
    ///
    /// # Panics
    /// If the outcome was another.
    #[track_caller]
    pub fn then(self, expected: impl IntoIterator<Item = D::Event>) {
        assert_eq!(self.outcome, Some(Ok(expected.into_iter().collect())));
    }

    /// Demands this rejection.
    ///
    /// # Panics
    /// If the outcome was another.
    #[track_caller]
    pub fn then_rejected(self, expected: D::Rejection) {
        assert_eq!(self.outcome, Some(Err(expected)));
    }

    /// Demands that the state after the events looks so.
    ///
    /// # Panics
    /// If the command was rejected or the check fails.
    #[track_caller]
    #[expect(clippy::panic, reason = "a failed test says so by panicking")]
    pub fn then_state(self, check: impl FnOnce(&D::State)) {
        let events = match self.outcome {
            Some(Ok(events)) => events,
            Some(Err(rejection)) => panic!("rejected: {rejection}"),
            None => Vec::new(),
        };
        check(&events.iter().fold(self.state, |s, e| D::evolve(s, e)));
    }
}
