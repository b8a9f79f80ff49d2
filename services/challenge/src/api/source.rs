//! Where answers come from, as callers say it.

use std::net::{IpAddr, Ipv6Addr};

use countersign_core::FieldProblem;
use countersign_proto::challenge as wire;
use countersign_service::ApiError;

/// The bits of an IPv6 address that name a network; the others are the end's own to choose (RFC 4291 section 2.5.4).
const NETWORK: u128 = 0xffff_ffff_ffff_ffff_0000_0000_0000_0000;

/// Reads the network that answers come from; `None` if nobody says.
pub(super) fn network(source: Option<&wire::Source>) -> Result<Option<String>, ApiError> {
    let address = source.map_or("", |source| &source.client_address);
    if address.is_empty() {
        return Ok(None);
    }
    let parsed = address.parse::<IpAddr>().map_err(|_| {
        let problem = FieldProblem::Other("must be an IPv4 or IPv6 address, or empty");
        ApiError::field("source.client_address", problem)
    })?;
    Ok(Some(match parsed.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            format!("{}/64", Ipv6Addr::from_bits(address.to_bits() & NETWORK))
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(address: &str) -> Option<String> {
        network(Some(&wire::Source { client_address: address.to_owned() })).unwrap()
    }

    #[test]
    fn an_ipv4_address_is_a_source_however_it_is_written() {
        assert_eq!(of("203.0.113.7").unwrap(), "203.0.113.7");
        assert_eq!(of("::ffff:203.0.113.7"), of("203.0.113.7"));
        assert_ne!(of("203.0.113.8"), of("203.0.113.7"));
    }

    #[test]
    fn all_ipv6_addresses_of_a_network_are_one_source() {
        assert_eq!(of("2001:DB8:1:2:3:4:5:6").unwrap(), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2::"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:3::"), of("2001:db8:1:2::"));
    }

    #[test]
    fn who_says_nothing_names_no_source() {
        assert_eq!(network(None).unwrap(), None);
        assert_eq!(of(""), None);
    }

    #[test]
    fn anything_else_is_refused() {
        for address in ["203.0.113", "203.0.113.7:443", "fe80::1%eth0", "2001:db8::/64", " ::1"] {
            let source = wire::Source { client_address: address.to_owned() };
            assert!(network(Some(&source)).is_err(), "{address}");
        }
    }
}
