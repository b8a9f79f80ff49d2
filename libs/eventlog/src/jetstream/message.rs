//! One append as one message.
//!
//! ```text
//! format version   1 byte
//! events           4 bytes, big-endian: how many
//! and for each     its length, 4 bytes, big-endian, and its envelope
//! ```
//!
//! A message's sequence is known only when it is stored, so an envelope holds the event's index in its message where other
//! engines put its position; reading puts the two together.

use bytes::{BufMut as _, Bytes, BytesMut};
use countersign_eventsourcing::{NewEvent, Position, RecordedEvent, Revision, StreamId};

use super::subject::Names;
use crate::envelope::{Decoder, Draft, Envelope, EnvelopeError};

/// Format that is written. Formats that were ever written are read for ever.
const FORMAT: u8 = 1;

/// Bytes before the first event.
const HEAD: usize = 1 + 4;

/// Bits of a position that number the events of one message. An envelope has 75 bytes at least, so that an append of more
/// events than that is too large anyway.
const INDEX_BITS: u32 = 16;

/// Returns the position of an event.
pub(super) const fn position(sequence: u64, index: u64) -> Position {
    Position(sequence << INDEX_BITS | index)
}

/// Returns the sequence of the message that holds the event at `position`.
pub(super) const fn sequence(position: Position) -> u64 {
    position.0 >> INDEX_BITS
}

/// Why a message is not an append.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum MessageError {
    #[error("the message is cut short")]
    Short,
    #[error("the message has format {0}, which this release does not know")]
    Format(u8),
    #[error("the message has other events than it says")]
    Count,
    #[error("event {index} of the message: {error}")]
    Envelope { index: u64, error: EnvelopeError },
    #[error("event {index} of the message belongs elsewhere: revision {revision} of {stream}")]
    Elsewhere { index: u64, stream: String, revision: u64 },
}

/// Encodes an append.
pub(super) fn encode(stream: &StreamId, first: Revision, events: &[NewEvent]) -> Bytes {
    let drafts = events.iter().zip(first.0..);
    let drafts: Vec<_> =
        drafts.map(|(event, revision)| Draft::new(stream, Revision(revision), event)).collect();
    let size = drafts.iter().map(|draft| 4 + draft.len()).sum::<usize>();
    let mut body = BytesMut::with_capacity(HEAD + size);
    body.put_u8(FORMAT);
    // Both numbers fit, or the append is refused as too large.
    body.put_u32(u32::try_from(drafts.len()).unwrap_or(u32::MAX));
    for (draft, index) in drafts.into_iter().zip(0..) {
        let envelope = draft.place(Position(index));
        body.put_u32(u32::try_from(envelope.len()).unwrap_or(u32::MAX));
        body.put_slice(&envelope);
    }
    body.freeze()
}

/// An append that was read.
#[derive(Debug)]
pub(super) struct Append {
    /// Place in its stream of the first event.
    pub(super) first: u64,
    /// Place in its stream of the last event.
    pub(super) last: u64,
    /// Place in the log of the last event.
    pub(super) position: Position,
    /// Those of its events that are wanted.
    pub(super) events: Vec<RecordedEvent>,
}

/// Reads messages one after another.
#[derive(Debug, Default)]
pub(super) struct MessageReader {
    decoder: Decoder,
}

impl MessageReader {
    /// Reads the message that was stored with `subject` as number `sequence`, and copies out the events of which `wants`
    /// says so. All of them are checked.
    pub(super) fn read(
        &mut self,
        names: &Names,
        (subject, sequence): (&str, u64),
        body: &[u8],
        wants: impl Fn(&Envelope<'_>) -> bool,
    ) -> Result<Append, MessageError> {
        let (count, mut rest) = head(body)?;
        let mut found: Option<(&str, Append)> = None;
        for index in 0..u64::from(count) {
            let (length, more) = rest.split_first_chunk::<4>().ok_or(MessageError::Short)?;
            let length = u32::from_be_bytes(*length) as usize;
            let (bytes, more) = more.split_at_checked(length).ok_or(MessageError::Short)?;
            rest = more;
            let refused = |error| MessageError::Envelope { index, error };
            let envelope = Envelope::open(bytes).map_err(refused)?;
            let (stream, revision) = (envelope.stream(), envelope.revision());
            let at = position(sequence, index);
            let fits = match &found {
                None => stream.parse().is_ok_and(|stream| names.of(&stream) == subject),
                Some((home, before)) => {
                    *home == stream && before.last.checked_add(1) == Some(revision)
                }
            };
            if !fits || envelope.position() != index {
                let stream = stream.to_owned();
                return Err(MessageError::Elsewhere { index, stream, revision });
            }
            let (_, append) = found.get_or_insert_with(|| {
                let (first, last) = (revision, revision);
                (stream, Append { first, last, position: at, events: Vec::new() })
            });
            (append.last, append.position) = (revision, at);
            if wants(&envelope) {
                let event = self.decoder.decode(&envelope).map_err(refused)?;
                append.events.push(RecordedEvent { position: at, ..event });
            }
        }
        found.filter(|_| rest.is_empty()).map(|(_, append)| append).ok_or(MessageError::Count)
    }
}

fn head(body: &[u8]) -> Result<(u32, &[u8]), MessageError> {
    let (format, rest) = body.split_first().ok_or(MessageError::Short)?;
    if *format != FORMAT {
        return Err(MessageError::Format(*format));
    }
    let (count, rest) = rest.split_first_chunk::<4>().ok_or(MessageError::Short)?;
    Ok((u32::from_be_bytes(*count), rest))
}

#[cfg(test)]
mod tests {
    use countersign_eventsourcing::contract::Sample;
    use proptest::prelude::*;

    use super::*;

    fn read(subject: &str, sequence: u64, body: &[u8]) -> Result<Append, MessageError> {
        MessageReader::default().read(&Names::new("c"), (subject, sequence), body, |_| true)
    }

    fn appended() -> (String, Vec<NewEvent>, Bytes) {
        let sample = Sample::new();
        let (stream, events) = (sample.stream("k.k"), sample.events(3));
        (Names::new("c").of(&stream), events.clone(), encode(&stream, Revision(7), &events))
    }

    #[test]
    fn an_append_comes_back_with_its_places() {
        let (subject, events, body) = appended();
        let append = read(&subject, 5, &body).unwrap();
        assert_eq!((append.first, append.last), (7, 9));
        assert_eq!(append.position, position(5, 2));
        assert_eq!(sequence(append.position), 5);
        for ((read, event), index) in append.events.iter().zip(&events).zip(0..) {
            assert_eq!(&read.event, event);
            assert_eq!(read.revision, Revision(7 + index));
            assert_eq!(read.position, position(5, index));
        }
    }

    #[test]
    fn an_append_under_another_subject_is_refused() {
        let (subject, _, body) = appended();
        for other in [subject.replace("k~k", "k"), subject.replace("c_log", "d_log")] {
            assert!(matches!(read(&other, 5, &body), Err(MessageError::Elsewhere { .. })));
        }
    }

    #[test]
    fn an_event_of_another_stream_behind_the_first_is_refused() {
        let sample = Sample::new();
        let (stream, events) = (sample.stream("k"), sample.events(2));
        let ours = encode(&stream, Revision(0), &events[..1]);
        let theirs = Draft::new(&sample.stream("other"), Revision(1), &events[1]);
        let theirs = theirs.place(Position(1));
        let length = u32::try_from(theirs.len()).unwrap().to_be_bytes();
        let body = [&[FORMAT, 0, 0, 0, 2][..], &ours[HEAD..], &length, &theirs].concat();
        let refused = read(&Names::new("c").of(&stream), 1, &body).unwrap_err();
        assert!(matches!(refused, MessageError::Elsewhere { index: 1, .. }), "{refused}");
    }

    #[test]
    fn an_append_that_lacks_or_repeats_an_event_is_refused() {
        let sample = Sample::new();
        let (stream, events) = (sample.stream("k"), sample.events(2));
        let subject = Names::new("c").of(&stream);
        let body = encode(&stream, Revision(0), &events);
        let one = encode(&stream, Revision(0), &events[..1]);
        assert!(read(&subject, 1, &body[..one.len()]).is_err());
        let twice = [&body[..], &one[HEAD..]].concat();
        assert_eq!(read(&subject, 1, &twice).unwrap_err(), MessageError::Count);
        assert_eq!(read(&subject, 1, &[FORMAT, 0, 0, 0, 0]).unwrap_err(), MessageError::Count);
        assert_eq!(read(&subject, 1, &[9]).unwrap_err(), MessageError::Format(9));
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_found_out(at in any::<prop::sample::Index>(), bit in 0..8_u32) {
            let (subject, _, body) = appended();
            let mut changed = body.to_vec();
            changed[at.index(body.len())] ^= 1 << bit;
            prop_assert!(read(&subject, 1, &changed).is_err());
        }

        #[test]
        fn no_bytes_are_too_odd_to_be_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let framed = [&[FORMAT, 0, 0, 0, 1][..], &body].concat();
            prop_assert!(read("c_log.a.b.c", u64::MAX, &body).is_err());
            prop_assert!(read("c_log.a.b.c", u64::MAX, &framed).is_err());
        }
    }
}
