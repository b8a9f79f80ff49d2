//! What time it is. The bench has its own clock, so that its floor is as bare as it says.

/// Returns whole seconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "codes have to be those of the real time")]
pub(crate) fn unix_seconds() -> u64 {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since_epoch.map_or(0, |elapsed| elapsed.as_secs())
}
