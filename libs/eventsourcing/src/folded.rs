//! A stream folded into a state, with the commands that it remembers.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Corruption, DecodeError, EventCodec, ExpectedRevision, ReadError, RecordedEvent, Revision,
};

/// How many of a stream's latest commands are remembered, so that a repeated one is found.
const REMEMBERED_COMMANDS: usize = 128;

/// A fold of one stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Folded<S> {
    /// What the fold knows.
    pub state: S,
    /// How many events were folded, which is the revision of the next one.
    pub next_revision: u64,
    recent: VecDeque<RecentCommand>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RecentCommand {
    pub(crate) id: Uuid,
    pub(crate) request_digest: u64,
    pub(crate) first_revision: u64,
}

impl<S: Default> Default for Folded<S> {
    fn default() -> Self {
        Self { state: S::default(), next_revision: 0, recent: VecDeque::new() }
    }
}

impl<S> Folded<S> {
    pub(crate) const fn expected(&self) -> ExpectedRevision {
        match self.next_revision.checked_sub(1) {
            None => ExpectedRevision::NoStream,
            Some(last) => ExpectedRevision::Exact(Revision(last)),
        }
    }

    pub(crate) fn find(&self, command_id: Uuid) -> Option<RecentCommand> {
        self.recent.iter().rev().find(|recent| recent.id == command_id).copied()
    }

    pub(crate) fn note(&mut self, command_id: Uuid, request_digest: u64, revision: u64) {
        if self.recent.back().is_some_and(|last| last.id == command_id) {
            return;
        }
        if self.recent.len() == REMEMBERED_COMMANDS {
            self.recent.pop_front();
        }
        let first_revision = revision;
        self.recent.push_back(RecentCommand { id: command_id, request_digest, first_revision });
    }
}

pub(crate) fn decode<D: EventCodec>(recorded: &RecordedEvent) -> Result<D::Event, ReadError> {
    let event = &recorded.event;
    D::decode(&event.event_type, event.schema_version, &event.payload).map_err(
        |error: DecodeError| {
            ReadError::Corrupt(Corruption {
                place: format!("{} revision {}", recorded.stream, recorded.revision),
                what: error.to_string(),
            })
        },
    )
}

pub(crate) fn fold_recorded<D: EventCodec>(
    folded: &mut Folded<D::State>,
    recorded: &RecordedEvent,
) -> Result<(), ReadError> {
    if recorded.revision.0 != folded.next_revision {
        return Err(ReadError::Corrupt(Corruption {
            place: format!("{} revision {}", recorded.stream, folded.next_revision),
            what: format!("missing: the next one found is revision {}", recorded.revision),
        }));
    }
    let event = decode::<D>(recorded)?;
    let state = std::mem::take(&mut folded.state);
    folded.state = D::evolve(state, &event);
    let metadata = &recorded.event.metadata;
    folded.note(metadata.causation_id, metadata.request_digest, recorded.revision.0);
    folded.next_revision += 1;
    Ok(())
}
