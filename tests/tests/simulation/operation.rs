//! What can happen, drawn by proptest: what callers do, what the operator's machines do, and what the log does to both.

use proptest::{collection::vec, prelude::*};

/// Replicas, by number; those beyond the last are counted round.
pub(crate) type Places = Vec<u8>;

/// One thing that happens.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// A user enrols another phone: the secret from one replica, the proof to the other ones.
    Enrol { user: u8, at: Places },
    /// A challenge is opened: at several places, the same request at once.
    Challenge { user: u8, at: Places },
    /// A code is given for the challenge that is the `back`th before the newest: at several places, the same request at
    /// once.
    Answer { back: u8, code: CodeGiven, at: Places },
    /// The present code of a user is given several times at once, as requests of their own, over the replicas and the
    /// user's newest challenges.
    Race { user: u8, times: u8 },
    /// The request that is the `back`th before the newest is made again, whatever became of it.
    Repeat { back: u8, at: Places },
    /// A replica ends with all that it kept in memory, and another takes its place.
    Restart { at: u8 },
    /// Time goes on.
    Forward { seconds: u16 },
    /// An operator mends a clock that was fast.
    Back { seconds: u8 },
    /// The log will fail.
    Fault(Fault),
    /// Every replica is asked for every challenge.
    Look,
    /// Deliveries are announced for what is in the log.
    Announce,
    /// Messages are handed over for the deliveries that the log announces.
    Send,
    /// The process of the followers ends, and another takes its place.
    RestartNotifier,
    /// The provider will fail.
    Provider(Act),
}

/// Which code is given.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CodeGiven {
    /// That of the present step.
    Present,
    /// That of the step before.
    Earlier,
    /// That of the step after, as of a phone whose clock is fast.
    Later,
    /// That of the step which was used up last.
    Spent,
    /// None.
    Wrong,
}

/// How the log fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The next append is stored, and its answer is lost.
    AnswerLost,
    /// The next append is lost on its way, and nobody knows.
    AppendLost,
    /// The next append is given up, and stored after so many further calls if the stream is still where it was.
    AppendLate(u8),
    /// The next append is refused.
    AppendRefused,
    /// The next read is refused.
    ReadRefused,
    /// The next read breaks off after so many events.
    ReadBroken(u8),
    /// So many calls are refused, whatever they are.
    Away(u8),
    /// The next follower is told so many things, then its stream breaks.
    FollowBroken(u8),
}

/// What the provider does with the next message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Cannot take it for now.
    Busy,
    /// Refuses it for good.
    Refuse,
    /// Takes it, and does not say so.
    Vanish,
}

fn places() -> impl Strategy<Value = Places> {
    prop_oneof![3 => vec(0..3u8, 1), 2 => vec(0..3u8, 2..=3)]
}

fn code() -> impl Strategy<Value = CodeGiven> {
    prop_oneof![
        6 => Just(CodeGiven::Present),
        1 => Just(CodeGiven::Earlier),
        1 => Just(CodeGiven::Later),
        2 => Just(CodeGiven::Spent),
        3 => Just(CodeGiven::Wrong),
    ]
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::AnswerLost),
        3 => Just(Fault::AppendLost),
        3 => (0..24u8).prop_map(Fault::AppendLate),
        2 => Just(Fault::AppendRefused),
        2 => Just(Fault::ReadRefused),
        2 => (0..4u8).prop_map(Fault::ReadBroken),
        2 => (1..16u8).prop_map(Fault::Away),
        1 => (0..4u8).prop_map(Fault::FollowBroken),
    ]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![3 => Just(Act::Busy), 1 => Just(Act::Refuse), 1 => Just(Act::Vanish)]
}

/// Draws one operation. Users are few, so that what they do meets.
pub(crate) fn operation() -> impl Strategy<Value = Operation> {
    let (user, back) = (0..2u8, 0..6u8);
    prop_oneof![
        1 => (user.clone(), places()).prop_map(|(user, at)| Operation::Enrol { user, at }),
        6 => (user.clone(), places()).prop_map(|(user, at)| Operation::Challenge { user, at }),
        8 => (back.clone(), code(), places())
            .prop_map(|(back, code, at)| Operation::Answer { back, code, at }),
        3 => (user, 2..7u8).prop_map(|(user, times)| Operation::Race { user, times }),
        6 => (back, places()).prop_map(|(back, at)| Operation::Repeat { back, at }),
        2 => (0..3u8).prop_map(|at| Operation::Restart { at }),
        5 => (1..400u16).prop_map(|seconds| Operation::Forward { seconds }),
        1 => (1..90u8).prop_map(|seconds| Operation::Back { seconds }),
        8 => fault().prop_map(Operation::Fault),
        1 => Just(Operation::Look),
        3 => Just(Operation::Announce),
        4 => Just(Operation::Send),
        1 => Just(Operation::RestartNotifier),
        1 => act().prop_map(Operation::Provider),
    ]
}
