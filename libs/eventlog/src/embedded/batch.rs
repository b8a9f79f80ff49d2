//! One group of appends on its way to disk.

use std::collections::HashMap;

use countersign_eventsourcing::{AppendError, Appended, Position, ReadError, Revision, StreamId};

use super::{
    error::StoreError,
    shared::Shared,
    store::{Store, StreamHead, index_key},
    writer::{Append, answer},
};
use crate::following::Head;

/// Appends that share one sync.
pub(crate) struct Batch {
    appends: Vec<(Append, Appended)>,
    /// Where streams will be when this is stored.
    heads: HashMap<StreamId, StreamHead>,
    first: u64,
    next: u64,
}

/// What became of an append.
pub(crate) enum Staged {
    Yes,
    /// It depends on what this batch stores; ask again when that is known.
    NotYet(Append),
    /// It does not fit what is stored.
    Refused(Append, AppendError),
}

impl Batch {
    /// Begins a batch whose first event takes the place `next`.
    pub(crate) fn new(next: u64) -> Self {
        Self { appends: Vec::new(), heads: HashMap::new(), first: next, next }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.appends.is_empty()
    }

    pub(crate) fn appends(&self) -> impl Iterator<Item = &Append> {
        self.appends.iter().map(|(append, _)| append)
    }

    /// Takes an append in if its stream is where it is expected to be.
    pub(crate) fn stage(&mut self, shared: &Shared, append: Append) -> Staged {
        let staged = self.heads.get(&append.stream);
        let head = match staged {
            Some(head) => Some(*head),
            None => match shared.head_of(&append.stream) {
                Ok(head) => head,
                Err(ReadError::Unavailable(source)) => {
                    return Staged::Refused(append, AppendError::Unavailable(source));
                }
                Err(ReadError::Corrupt(corruption)) => {
                    return Staged::Refused(append, AppendError::Corrupt(corruption));
                }
            },
        };
        let first = append.expected.first();
        let count = append.events.len() as u64;
        if head.map_or(Revision::START, |head| head.revision.next()) != first || count == 0 {
            if staged.is_some() {
                return Staged::NotYet(append);
            }
            let actual = head.map(|head| head.revision);
            return Staged::Refused(append, AppendError::Conflict { actual });
        }
        let last = StreamHead {
            revision: Revision(first.0 + count - 1),
            position: Position(self.next + count - 1),
        };
        self.next += count;
        self.heads.insert(append.stream.clone(), last);
        let appended = Appended { last_revision: last.revision, position: last.position };
        self.appends.push((append, appended));
        Staged::Yes
    }

    /// Writes everything, with a sync if there are events.
    pub(crate) fn commit(
        &mut self,
        store: &Store,
        snapshots: &[(StreamId, Vec<u8>)],
        checkpoints: &[(String, Vec<u8>)],
    ) -> Result<(), StoreError> {
        let mut batch = if self.is_empty() {
            store.buffered_batch()
        } else {
            store.durable_batch(usize::try_from(self.next - self.first).unwrap_or(0) * 2)
        };
        let mut position = self.first;
        for (append, _) in &mut self.appends {
            let revisions = append.expected.first().0..;
            for ((_, draft), revision) in append.events.drain(..).zip(revisions) {
                let key = position.to_be_bytes();
                batch.insert(&store.events, key, draft.place(Position(position)));
                batch.insert(&store.streams, index_key(&append.stream, Revision(revision)), key);
                position += 1;
            }
        }
        for (stream, value) in snapshots {
            batch.insert(&store.snapshots, stream.as_str(), value.as_slice());
        }
        for (follower, value) in checkpoints {
            batch.insert(&store.checkpoints, follower.as_str(), value.as_slice());
        }
        Ok(batch.commit()?)
    }

    /// Lets readers and followers see it, then answers.
    pub(crate) fn succeeded(self, shared: &Shared, head: &Head) {
        for (stream, last) in self.heads {
            shared.heads.insert(stream, Some(last));
        }
        if self.next > self.first {
            head.advance(self.next);
        }
        for (append, appended) in self.appends {
            answer(append.reply, Ok(appended));
        }
    }

    /// Answers that it came to nothing.
    pub(crate) fn refused(self, error: &AppendError) {
        for (append, _) in self.appends {
            answer(append.reply, Err(error.clone()));
        }
    }
}
