//! Why a copy came to nothing, or only so far.

use std::fmt;

use countersign_eventsourcing::{Corruption, Position, Revision, Source, StreamId};

/// Which log is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that is copied.
    Source,
    /// The one that it is copied into.
    Destination,
    /// The only one.
    Log,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Source => "the source",
            Self::Destination => "the destination",
            Self::Log => "the log",
        })
    }
}

/// Why a copy came to nothing, or only so far.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CopyError {
    /// A log did not answer for longer than it was waited for.
    #[error("{side} is away; once it answers, doing the same again goes on from here")]
    Away {
        /// Which.
        side: Side,
        /// What it said last.
        source: Source,
    },
    /// A log is damaged.
    #[error("{side} cannot be read: {corruption}")]
    Corrupt {
        /// Which.
        side: Side,
        /// Where and what.
        corruption: Corruption,
    },
    /// Two events that should be the same are not.
    #[error(
        "the destination holds something else: its event at position {destination} differs from the source's at \
         position {source_position} in its {field}"
    )]
    Differs {
        /// What differs first.
        field: &'static str,
        /// Where in the source.
        source_position: Position,
        /// Where in the destination.
        destination: Position,
    },
    /// The destination goes on where the source has ended.
    #[error(
        "the destination holds something else: its event at position {destination} comes after the source's last one{}",
        source_position.map(|position| format!(", at position {position}")).unwrap_or_default()
    )]
    Extra {
        /// The source's last event.
        source_position: Option<Position>,
        /// The first that it lacks.
        destination: Position,
    },
    /// The destination holds what cannot be read.
    #[error(
        "the destination holds something that cannot be read, at position {position}, {place}: {what}"
    )]
    Foreign {
        /// Where.
        position: Position,
        /// Where in its engine's words.
        place: String,
        /// What is wrong.
        what: String,
    },
    /// A stream of the destination is not where the source's next event belongs.
    #[error(
        "the source's event at position {position}, {stream} revision {revision}, does not follow what the destination \
         has of that stream, which is {}: either somebody else writes there, or the one before could not be read",
        actual.map_or("nothing".to_owned(), |actual| format!("up to revision {actual}"))
    )]
    Misplaced {
        /// Where in the source.
        position: Position,
        /// The stream.
        stream: StreamId,
        /// Its place there.
        revision: Revision,
        /// The last one in the destination.
        actual: Option<Revision>,
    },
    /// One event is larger than the destination takes.
    #[error(
        "the source's event at position {position} has {actual} bytes, and the destination takes at most {limit} at once"
    )]
    TooLarge {
        /// Where in the source.
        position: Position,
        /// Greatest size in bytes.
        limit: usize,
        /// Its size.
        actual: usize,
    },
}
