//! The settings of all limits. `docs/limits.md` says how they work together.

use std::{num::NonZeroU32, time::Duration};

use ipnet::IpNet;
use serde::Deserialize;

use super::Rate;

/// What one process takes on, from whom. Each process counts for itself.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests of one caller, that is of one API key or identity. Default 5,000 in 1 second, 10,000 at once.
    pub caller: Rate,
    /// Requests of all callers that act on one tenant. Default 10,000 in 1 second, 20,000 at once.
    pub tenant: Rate,
    /// Requests from one source address, looked at before any credentials are; an IPv6 address stands for its /64.
    /// Default 10,000 in 1 second, 20,000 at once.
    pub source: Rate,
    /// Challenges, enrolments and sets of recovery codes that are begun for one user. Default 60 in 60 seconds, 300 at
    /// once.
    pub user: Rate,
    /// Calls under way at once, in the whole process, streams apart. Default 2,048.
    pub max_in_flight: NonZeroU32,
    /// How long a call may wait for its turn when that many are under way, in milliseconds. Default 100.
    pub wait_milliseconds: u32,
    /// Streams open at once in the whole process. Default 4,096.
    pub max_streams: NonZeroU32,
    /// Streams of one caller, and of one source address, open at once. Default 1,024.
    pub max_streams_per_caller: NonZeroU32,
    /// Connections at once. Default 8,192.
    pub max_connections: NonZeroU32,
    /// Connections from one source address at once; not for trusted proxies. Default 1,024.
    pub max_connections_per_source: NonZeroU32,
    /// Calls under way at once on one connection; clients keep further ones back by themselves. Default 256.
    pub max_calls_per_connection: NonZeroU32,
    /// How long the message of a request may take to arrive, in seconds. Default 5.
    pub body_timeout_seconds: NonZeroU32,
    /// Networks of proxies whose word about source addresses is taken (`x-forwarded-for`), and of the installation's own
    /// processes, which pass calls on. Default none.
    pub trusted_proxies: Vec<IpNet>,
}

impl Default for Limits {
    fn default() -> Self {
        let number = |number| NonZeroU32::new(number).unwrap_or(NonZeroU32::MIN);
        Self {
            caller: Rate::of(Duration::from_micros(200), 10_000),
            tenant: Rate::of(Duration::from_micros(100), 20_000),
            source: Rate::of(Duration::from_micros(100), 20_000),
            user: Rate::of(Duration::from_secs(1), 300),
            max_in_flight: number(2_048),
            wait_milliseconds: 100,
            max_streams: number(4_096),
            max_streams_per_caller: number(1_024),
            max_connections: number(8_192),
            max_connections_per_source: number(1_024),
            max_calls_per_connection: number(256),
            body_timeout_seconds: number(5),
            trusted_proxies: Vec::new(),
        }
    }
}

impl Limits {
    /// Returns how long a call may wait for its turn.
    pub(super) fn wait(&self) -> Duration {
        Duration::from_millis(u64::from(self.wait_milliseconds))
    }

    /// Returns how long the message of a request may take to arrive.
    pub(super) fn body_timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.body_timeout_seconds.get()))
    }
}

/// A setting as a number of things.
pub(super) fn count(setting: NonZeroU32) -> usize {
    usize::try_from(setting.get()).unwrap_or(usize::MAX)
}
