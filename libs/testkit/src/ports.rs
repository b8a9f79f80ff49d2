//! Ports that nobody else takes.

use std::{
    hash::{BuildHasher as _, RandomState},
    io,
    net::SocketAddr,
};

use tokio::net::TcpSocket;

/// Below the range from which systems take ports for connections that go out, or one of those could be in the way.
const PORTS: std::ops::Range<u16> = 10_000..32_000;

/// A port of this machine that is reserved while this lives: also before a server listens there, and while it is down.
///
/// It is held by a socket that is bound and does not listen. A server may listen at the same place, because servers bind
/// with `SO_REUSEADDR` and so, once it has the port to itself, does this socket (socket(7)); whoever reserves binds without
/// it, and is refused.
#[derive(Debug)]
pub struct ReservedPort {
    number: u16,
    _held: TcpSocket,
}

impl ReservedPort {
    fn hold(number: u16) -> io::Result<Self> {
        let held = TcpSocket::new_v4()?;
        held.bind(SocketAddr::from(([127, 0, 0, 1], number)))?;
        held.set_reuseaddr(true)?;
        Ok(Self { number, _held: held })
    }

    /// Returns its number.
    #[must_use]
    pub const fn number(&self) -> u16 {
        self.number
    }

    /// Returns the address of a server that listens there.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.number))
    }
}

/// Reserves ports at which nobody listens.
///
/// # Panics
/// If there are none.
#[must_use]
pub fn reserve_ports<const N: usize>() -> [ReservedPort; N] {
    let random = RandomState::new();
    let span = u64::from(PORTS.end - PORTS.start);
    let mut drawn = (0..10 * span).filter_map(|number| {
        let offset = u16::try_from(random.hash_one(number) % span).ok()?;
        ReservedPort::hold(PORTS.start + offset).ok()
    });
    [(); N].map(|()| drawn.next().expect("a free port"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn reserved_ports_differ() {
        let ports = reserve_ports::<16>();
        let numbers: BTreeSet<_> = ports.iter().map(ReservedPort::number).collect();
        assert_eq!(numbers.len(), 16);
        assert!(numbers.iter().all(|number| PORTS.contains(number)));
    }

    #[tokio::test]
    async fn a_reserved_port_is_for_its_server_alone_before_while_and_after_it_listens() {
        let [port] = reserve_ports();
        let is_refused = || ReservedPort::hold(port.number()).is_err();
        assert!(is_refused());
        for _ in 0..2 {
            let server = TcpListener::bind(port.address()).await.unwrap();
            let caller = TcpStream::connect(port.address()).await.unwrap();
            drop((server.accept().await.unwrap(), caller));
            assert!(is_refused());
            drop(server);
            assert!(is_refused());
        }
    }

    #[test]
    fn a_port_is_let_go_with_its_handle() {
        let [port] = reserve_ports();
        let number = port.number();
        drop(port);
        assert!(ReservedPort::hold(number).is_ok());
    }
}
