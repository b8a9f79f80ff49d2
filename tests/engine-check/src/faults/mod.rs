//! What can be broken from outside: one fault per file.

mod dropped_answers;
mod killed_writer;
mod many_writers;
mod reopening;
mod resuming;
mod server_away;

use std::path::PathBuf;

use crate::{Engine, chance::Chance};

/// What faults need.
#[derive(Debug)]
pub struct Faults {
    pub(crate) chance: Chance,
    pub(crate) hooks: Option<Hooks>,
    pub(crate) child: Option<PathBuf>,
}

impl Faults {
    /// Faults within this process only, at moments that `seed` decides.
    #[must_use]
    pub fn within_the_process(seed: u64) -> Self {
        Self { chance: Chance::new(seed), hooks: None, child: None }
    }

    /// Says what the fault `name` needs and there is not.
    pub(crate) fn lacks(&self, name: &str) -> Option<&'static str> {
        if name == SERVER_AWAY && self.hooks.is_none() {
            return Some("give --hook-before-fault and --hook-after");
        }
        (name == KILLED_WRITER && self.child.is_none()).then_some("there is no program to start")
    }
}

/// Commands of the shell that break the server and mend it.
#[derive(Clone, Debug)]
pub(crate) struct Hooks {
    pub(crate) before: String,
    pub(crate) after: String,
}

const SERVER_AWAY: &str = "while_the_server_is_away_answers_come_within_10_s";
const KILLED_WRITER: &str = "nothing_acknowledged_to_a_killed_writer_is_lost";

macro_rules! faults {
    ($($module:ident::$fault:ident)+) => {
        /// The names of all faults.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($fault)),+];

        /// Runs the fault named `name`, and returns whether there is one.
        pub(crate) async fn run(name: &str, engine: &mut Engine, faults: &Faults) -> bool {
            match name {
                $(stringify!($fault) => Box::pin($module::$fault(engine, faults)).await,)+
                _ => return false,
            }
            true
        }
    };
}

faults! {
    many_writers::many_writers_in_the_same_streams_lose_nothing
    dropped_answers::an_append_whose_answer_was_dropped_can_be_repeated
    reopening::reopening_while_others_write_loses_nothing
    resuming::a_follower_resumed_anywhere_is_told_everything_once
    killed_writer::nothing_acknowledged_to_a_killed_writer_is_lost
    server_away::while_the_server_is_away_answers_come_within_10_s
}
