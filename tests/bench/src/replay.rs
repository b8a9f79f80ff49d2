//! Folding stored events into state, on one core and without a server.

use std::time::{Duration, Instant};

use countersign_domain::user_challenges::UserChallenges;
use countersign_eventsourcing::{Decider as _, EncodedEvent, EventCodec as _};

use crate::{
    args::{Plan, Section},
    history,
    report::{Figure, Goal, Report, Unit},
};

/// Events of one user, of two weeks or so.
const EVENTS_PER_USER: usize = 80;
/// Users at a time: enough to be out of the processor's caches, and not the memory of a whole log.
const USERS_PER_BATCH: u64 = 500;

/// Decodes and folds.
pub(crate) fn measure(plan: &Plan, report: &mut Report) -> anyhow::Result<()> {
    report.section(
        Section::Replay,
        "Decoding stored challenge events and folding them into users' states, on one core, from memory.",
    )?;
    let (mut folded, mut spent) = (0, Duration::ZERO);
    let mut first = 0;
    while folded < plan.folded_events {
        let streams = (first..first + USERS_PER_BATCH)
            .map(|user| history::challenges(user, EVENTS_PER_USER))
            .collect::<Result<Vec<_>, _>>()?;
        first += USERS_PER_BATCH;
        let started = Instant::now();
        for stream in &streams {
            fold(stream)?;
        }
        spent += started.elapsed();
        folded += streams.iter().map(Vec::len).sum::<usize>();
    }
    report
        .note(format_args!("{folded} events of {first} users in {:.2} s", spent.as_secs_f64()))?;
    let rate = folded as f64 / spent.as_secs_f64();
    report.figure(
        Figure::new(
            Section::Replay,
            "events decoded and folded on one core",
            rate,
            Unit::PerSecond,
        )
        .with_goal(Goal::AtLeast(500_000.0)),
    )?;
    Ok(())
}

fn fold(stream: &[EncodedEvent]) -> anyhow::Result<()> {
    let mut state = <UserChallenges as countersign_eventsourcing::Decider>::State::default();
    for stored in stream {
        let event =
            UserChallenges::decode(stored.event_type, stored.schema_version, &stored.payload)?;
        state = UserChallenges::evolve(state, &event);
    }
    // Or the compiler might find that nobody looks at it.
    std::hint::black_box(state);
    Ok(())
}
