//! Ports that nobody uses.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::TcpListener,
};

/// Below the range from which systems take ports for connections that go out, or one of those could be in the way before
/// the server listens.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// Finds ports at which nobody listens. They are held until all are found, so that they differ.
#[must_use]
pub fn free_ports<const N: usize>() -> [u16; N] {
    let random = RandomState::new();
    let mut drawn = (0_u64..).map(|number| {
        let span = u64::from(PORTS.end - PORTS.start);
        let offset = u16::try_from(random.hash_one(number) % span).unwrap_or_default();
        PORTS.start + offset
    });
    let mut held = Vec::new();
    [(); N].map(|()| {
        let found = drawn.by_ref().find_map(|port| {
            let listener = TcpListener::bind(("127.0.0.1", port)).ok()?;
            held.push(listener);
            Some(port)
        });
        // The numbers to draw from never end.
        found.unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn free_ports_differ_and_can_be_listened_at() {
        let ports = free_ports::<16>();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 16);
        for port in ports {
            assert!(PORTS.contains(&port));
            TcpListener::bind(("127.0.0.1", port)).expect("nobody listens there");
        }
    }
}
