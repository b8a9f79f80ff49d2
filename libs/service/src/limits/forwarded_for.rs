//! Reading `x-forwarded-for`, as proxies write it.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName, HeaderValue};

/// Where proxies write from whom they took a call, one after the other.
pub(super) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Returns the addresses that proxies wrote, the latest first; `None` where one of them wrote something else.
pub(super) fn hops(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let lines = headers.get_all(FORWARDED_FOR).iter().rev().map(HeaderValue::to_str);
    lines.flat_map(|line| line.unwrap_or_default().rsplit(',').map(address))
}

/// Reads an address, which some proxies write with its port.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let with_port = || hop.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_in_every_form_that_proxies_write() {
        let v4: IpAddr = "192.0.2.1".parse().unwrap();
        let v6: IpAddr = "2001:db8::1".parse().unwrap();
        for text in ["192.0.2.1", " 192.0.2.1 ", "192.0.2.1:80", "::ffff:192.0.2.1"] {
            assert_eq!(address(text), Some(v4), "{text}");
        }
        for text in ["2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:443"] {
            assert_eq!(address(text), Some(v6), "{text}");
        }
        for text in ["", "unknown", "192.0.2", "192.0.2.1:", "[192.0.2.1", "2001:db8::1]:443"] {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn what_was_written_last_comes_first() {
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, HeaderValue::from_static("192.0.2.1, 192.0.2.2"));
        headers.append(FORWARDED_FOR, HeaderValue::from_static("what, 192.0.2.3"));
        let read: Vec<_> = hops(&headers).map(|hop| hop.map(|hop| hop.to_string())).collect();
        let expected = [Some("192.0.2.3"), None, Some("192.0.2.2"), Some("192.0.2.1")];
        assert_eq!(read, expected.map(|hop| hop.map(str::to_owned)));
    }
}
