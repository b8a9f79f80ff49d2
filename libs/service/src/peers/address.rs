//! Where peers are, as settings say it.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
};

use http::Uri;

/// One address of a service: a host, which may stand for many replicas, and a port.
#[derive(Clone, PartialEq, Eq)]
pub struct PeerAddress {
    origin: Uri,
    host: String,
    port: u16,
    is_tls: bool,
}

impl PeerAddress {
    /// Reads `http://host:port` or `https://host:port`.
    ///
    /// # Errors
    /// Says what is wrong, and what would be right.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let form = "must be http://host:port or https://host:port";
        let uri: Uri = text.parse().map_err(|_| form)?;
        let authority = uri.authority().ok_or(form)?;
        let is_tls = uri.scheme_str() == Some("https");
        let is_known = is_tls || uri.scheme_str() == Some("http");
        if !is_known || uri.path() != "/" || uri.query().is_some() {
            return Err(form);
        }
        if authority.as_str().contains('@') {
            return Err("must be http://host:port without a user: callers show a key of their own");
        }
        let port = authority.port_u16().filter(|port| *port != 0);
        let port = port.ok_or("must name a port, as in http://host:7443")?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(form);
        }
        Ok(Self { origin: uri, host, port, is_tls })
    }

    /// Returns the name or the IP address of the host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Returns whether it is spoken to over TLS.
    #[must_use]
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Returns where it is, if no name has to be looked up for that.
    pub(crate) fn fixed(&self) -> Option<SocketAddr> {
        self.host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, self.port))
    }

    /// Returns what requests to it are addressed to.
    pub(crate) const fn origin(&self) -> &Uri {
        &self.origin
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.origin.authority().map_or("", |authority| authority.as_str()))
    }
}

impl fmt::Debug for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why addresses of peers cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerAddressError {
    /// An address has the wrong form. It is not repeated, for it may hold a password.
    #[error("peers.{service}: address {number} {problem}")]
    Form {
        /// The service.
        service: String,
        /// Which of its addresses, from 1.
        number: usize,
        /// What is wrong, and what would be right.
        problem: &'static str,
    },
    /// A service is named without an address.
    #[error("peers.{service}: must name at least one address, or be left out")]
    Empty {
        /// The service.
        service: String,
    },
}

/// Where each of the other services is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerAddresses {
    services: BTreeMap<String, Vec<PeerAddress>>,
}

impl PeerAddresses {
    /// Reads the addresses of each service, by its name in the settings.
    ///
    /// # Errors
    /// Names the service and the address that cannot be used, and what would be right.
    pub fn parse<'a, S, A>(
        given: impl IntoIterator<Item = (S, A)>,
    ) -> Result<Self, PeerAddressError>
    where
        S: Into<String>,
        A: IntoIterator<Item = &'a String>,
    {
        let mut services: BTreeMap<String, Vec<PeerAddress>> = BTreeMap::new();
        for (service, texts) in given {
            let service = service.into();
            let known = services.entry(service.clone()).or_default();
            for (number, text) in (1..).zip(texts) {
                let address = PeerAddress::parse(text).map_err(|problem| {
                    PeerAddressError::Form { service: service.clone(), number, problem }
                })?;
                if !known.contains(&address) {
                    known.push(address);
                }
            }
            if known.is_empty() {
                return Err(PeerAddressError::Empty { service });
            }
        }
        Ok(Self { services })
    }

    /// Returns the addresses of `service`; none if the settings do not name it.
    #[must_use]
    pub fn of(&self, service: &str) -> &[PeerAddress] {
        self.services.get(service).map_or(&[], Vec::as_slice)
    }

    /// Returns whether any of them is spoken to over TLS.
    #[must_use]
    pub fn need_tls(&self) -> bool {
        self.services.values().flatten().any(PeerAddress::is_tls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(texts: &[&str]) -> Result<PeerAddresses, String> {
        let texts: Vec<_> = texts.iter().map(|text| (*text).to_owned()).collect();
        PeerAddresses::parse([("audit", &texts)]).map_err(|error| error.to_string())
    }

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let addresses =
            parse(&["https://audit:7443", "http://[::1]:1/", "http://10.0.0.1:2"]).unwrap();
        assert!(addresses.need_tls());
        let [name, six, four] = addresses.of("audit") else { panic!("three addresses") };
        assert_eq!((name.host(), name.port(), name.fixed()), ("audit", 7443, None));
        assert!(name.is_tls() && !six.is_tls() && !four.is_tls());
        assert_eq!(six.fixed(), Some("[::1]:1".parse().unwrap()));
        assert_eq!(four.fixed(), Some("10.0.0.1:2".parse().unwrap()));
        assert!(addresses.of("challenge").is_empty());
    }

    #[test]
    fn what_is_wrong_names_the_service_and_what_would_be_right() {
        for (wrong, mend) in [
            ("audit:7443", "http://host:port"),
            ("http://audit", "must name a port"),
            ("http://audit:0", "must name a port"),
            ("ftp://audit:7443", "https://host:port"),
            ("http://audit:7443/v1", "http://host:port"),
            ("http://me:secret@audit:7443", "without a user"),
            ("", "http://host:port"),
        ] {
            let said = parse(&["http://audit:1", wrong]).unwrap_err();
            assert!(said.starts_with("peers.audit: address 2 ") && said.contains(mend), "{said}");
            assert!(!said.contains("secret"));
        }
        assert_eq!(
            parse(&[]).unwrap_err(),
            "peers.audit: must name at least one address, or be left out"
        );
    }

    #[test]
    fn an_address_given_twice_counts_once() {
        assert_eq!(parse(&["http://audit:1", "http://audit:1"]).unwrap().of("audit").len(), 1);
    }
}
