//! The suite that gives [`EventLog`] its meaning. Every engine runs all of it, against the real thing:
//!
//! ```ignore
//! countersign_eventsourcing::event_log_contract!(|| async { MyHarness::start().await });
//! ```
//!
//! A log may hold other events already: each check keeps to a tenant of its own and follows from the head on.

mod appending;
mod following;
mod sample;

use std::sync::Arc;

use async_trait::async_trait;

use crate::EventLog;

pub use appending::*;
pub use following::*;
pub use sample::*;

/// What the suite needs of an engine besides the port.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Returns the log that is open.
    fn log(&self) -> Arc<dyn EventLog>;

    /// Closes the log and opens it again, as when the process is started anew.
    async fn reopen(&mut self);

    /// Returns how many bytes of payload are certainly too many for one append.
    fn too_many_bytes(&self) -> usize {
        8 * 1024 * 1024
    }
}

/// Gives the names of all checks to the macro `$callback`, after `$before`.
#[doc(hidden)]
#[macro_export]
macro_rules! each_event_log_check {
    ($callback:path; $($before:tt)*) => {
        $callback! {
            $($before)*
            a_stale_revision_conflicts_with_the_actual_one
            one_of_64_concurrent_writers_wins
            a_stream_is_read_in_order_from_any_place
            following_tells_all_events_in_one_order
            live_events_follow_after_having_caught_up
            following_resumes_after_a_position
            a_repeated_append_answers_as_the_first_time
            other_ids_at_the_same_place_conflict
            several_events_are_stored_together_or_not_at_all
            odd_names_and_sizes_come_back_as_they_were
            too_large_an_append_is_refused_and_stores_nothing
            a_follower_is_told_what_its_filter_wants
            nothing_acknowledged_is_lost_by_reopening
            a_length_that_is_known_is_what_a_read_finds
        }
    };
}

/// Runs the whole suite against the harnesses that `$factory` makes; it is called without arguments and awaited.
#[macro_export]
macro_rules! event_log_contract {
    ($factory:expr) => {
        $crate::each_event_log_check! { $crate::event_log_contract; $factory; }
    };
    ($factory:expr; $($check:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $check() {
                $crate::contract::$check(&mut ($factory)().await).await;
            }
        )+
    };
}

macro_rules! checks_by_name {
    ($($check:ident)+) => {
        /// The names of all checks, for whoever runs them outside of a test.
        pub const CHECKS: &[&str] = &[$(stringify!($check)),+];

        /// Runs the check named `name`, and returns whether there is one.
        ///
        /// # Panics
        /// If what the check's name says is not so.
        pub async fn run(name: &str, harness: &mut impl Harness) -> bool {
            match name {
                $(stringify!($check) => Box::pin($check(harness)).await,)+
                _ => return false,
            }
            true
        }
    };
}

each_event_log_check! { checks_by_name; }
