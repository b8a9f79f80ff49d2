//! What came of judging an answer.

/// What a factor says about one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The answer is right, unless what it consumes was consumed before.
    Right(Consumes),
    /// The answer is wrong.
    Wrong,
}

/// What a right answer uses up. Only the caller's log can tell whether it was used up already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consumes {
    /// A value of the moving factor (RFC 4226 section 5.1): a time step or a counter.
    ///
    /// Holds every value in the window that the code fits, ascending and never empty: codes are short, so that two
    /// steps may share one, and a code must not be refused because the older of them is spent.
    MovingFactor(Vec<u64>),
    /// One code of a set.
    Code {
        /// Its place in the set, from 0.
        index: u32,
    },
    /// Nothing.
    Nothing,
}
