//! Where a call comes from: the address that limits are kept for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use countersign_tls::Connection;
use http::{Extensions, HeaderMap};
use ipnet::IpNet;
use tonic::transport::server::TcpConnectInfo;

use super::forwarded_for::hops;
use crate::{access::ClientAddress, peers::Forwarded};

/// Returns the address at the other end of the connection that a request came over; `None` if it came over none.
pub(super) fn remote_address(extensions: &Extensions) -> Option<IpAddr> {
    let remote = match extensions.get::<Connection>() {
        Some(connection) => connection.remote_address(),
        None => extensions.get::<TcpConnectInfo>()?.remote_addr()?,
    };
    Some(remote.ip().to_canonical())
}

/// Whom an address stands for: itself, or with IPv6 all of its /64, which is what one household or host is given
/// (RFC 6177 section 2, RFC 7934 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Source {
    V4(Ipv4Addr),
    V6([u16; 4]),
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = Ipv6Addr::segments(&address);
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// Whom a call is charged to before it is known who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// A source address.
    Source(Source),
    /// Another process of the installation, which charged the call where it came in.
    Peer,
    /// Nobody known: the call came over no connection.
    Unknown,
}

impl Origin {
    /// Returns whom the call with these extensions is charged to.
    pub(super) fn of(extensions: &Extensions) -> Self {
        if extensions.get::<Forwarded>().is_some() {
            return Self::Peer;
        }
        let address = extensions.get::<ClientAddress>();
        address.map_or(Self::Unknown, |address| Self::Source(address.0.into()))
    }
}

/// Those whose word about source addresses is taken.
#[derive(Clone, Debug, Default)]
pub(super) struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    pub(super) fn new(networks: &[IpNet]) -> Self {
        Self(networks.to_vec())
    }

    /// Returns whether `address` belongs to one of them.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Returns the address that a call comes from.
    ///
    /// Proxies write to the end of `x-forwarded-for`, so it is read from there: the first address that is none of the
    /// trusted ones is the source. What stands before it is only what that source says.
    pub(super) fn client(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let mut source = remote_address(extensions)?;
        if !self.trusts(source) {
            return Some(source);
        }
        for hop in hops(headers) {
            // Whoever wrote what is no address is the last that is known.
            let Some(address) = hop else { break };
            source = address;
            if !self.trusts(source) {
                break;
            }
        }
        Some(source)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use http::HeaderValue;

    use super::*;

    fn at(address: &str) -> Extensions {
        let mut extensions = Extensions::new();
        let remote_addr = Some(SocketAddr::new(address.parse().unwrap(), 4_711));
        extensions.insert(TcpConnectInfo { local_addr: None, remote_addr });
        extensions
    }

    fn origin(proxies: &TrustedProxies, headers: &HeaderMap, extensions: &Extensions) -> Origin {
        let client = proxies.client(headers, extensions);
        client.map_or(Origin::Unknown, |address| Origin::Source(address.into()))
    }

    fn from(address: &str) -> Origin {
        Origin::Source(address.parse::<IpAddr>().unwrap().into())
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        let lines = lines.iter().map(|line| {
            (http::HeaderName::from_static("x-forwarded-for"), HeaderValue::from_str(line).unwrap())
        });
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name, value);
        }
        headers
    }

    fn proxies() -> TrustedProxies {
        TrustedProxies::new(&["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()])
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_source_and_mapped_ones_are_ipv4() {
        assert_eq!(from("2001:db8:1:2::1"), from("2001:db8:1:2:ffff::9"));
        assert_ne!(from("2001:db8:1:2::1"), from("2001:db8:1:3::1"));
        assert_eq!(from("::ffff:192.0.2.1"), from("192.0.2.1"));
        assert_ne!(from("192.0.2.1"), from("192.0.2.2"));
    }

    #[test]
    fn strangers_are_not_believed() {
        let found = origin(&proxies(), &headers(&["198.51.100.7"]), &at("192.0.2.1"));
        assert_eq!(found, from("192.0.2.1"));
        let forged = headers(&["198.51.100.7"]);
        let nobody = TrustedProxies::default();
        assert_eq!(origin(&nobody, &forged, &at("127.0.0.1")), from("127.0.0.1"));
    }

    #[test]
    fn the_last_address_that_is_no_proxy_is_the_source_whatever_stands_before_it() {
        for lines in [
            &["198.51.100.7"][..],
            &["198.51.100.7, 10.1.1.1"],
            &["203.0.113.1, 198.51.100.7,10.1.1.1 , fd00::1"],
            &["203.0.113.1", "198.51.100.7", "10.1.1.1"],
            &["nonsense, 198.51.100.7:4711, [fd00::1]:80"],
        ] {
            let found = origin(&proxies(), &headers(lines), &at("10.0.0.1"));
            assert_eq!(found, from("198.51.100.7"), "{lines:?}");
        }
        let mapped = origin(&proxies(), &headers(&["198.51.100.7"]), &at("::ffff:10.0.0.1"));
        assert_eq!(mapped, from("198.51.100.7"));
    }

    #[test]
    fn a_proxy_that_says_nothing_of_use_is_the_source_itself() {
        assert_eq!(origin(&proxies(), &HeaderMap::new(), &at("10.0.0.1")), from("10.0.0.1"));
        for lines in [&["unknown"][..], &[""], &["198.51.100.7, _hidden"]] {
            let found = origin(&proxies(), &headers(lines), &at("10.0.0.1"));
            assert_eq!(found, from("10.0.0.1"), "{lines:?}");
        }
    }

    #[test]
    fn a_peer_has_charged_a_call_that_it_passes_on() {
        let mut extensions = Extensions::new();
        assert_eq!(Origin::of(&extensions), Origin::Unknown);
        extensions.insert(ClientAddress("192.0.2.1".parse().unwrap()));
        assert_eq!(Origin::of(&extensions), from("192.0.2.1"));
        let correlation_id = uuid::Uuid::nil();
        extensions.insert(Forwarded { correlation_id, address: None, certificate: None });
        assert_eq!(Origin::of(&extensions), Origin::Peer);
    }

    #[test]
    fn a_call_over_no_connection_comes_from_nowhere() {
        let found = origin(&proxies(), &headers(&["198.51.100.7"]), &Extensions::new());
        assert_eq!(found, Origin::Unknown);
    }
}
