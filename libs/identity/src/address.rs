//! Addresses of issuers and of their keys.

use std::{fmt, net::IpAddr, str::FromStr};

use http::{Uri, uri::Authority};
use serde::Deserialize;

/// Where an issuer or its keys are: an `https` URL, kept letter by letter, since issuers are compared so (RFC 8725 section
/// 3.8). `http` is for this machine alone, as in trials and tests.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Address {
    text: String,
    uri: Uri,
}

/// Why a text is not the address of an issuer or of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It is no URL.
    #[error("must be a URL such as https://login.example.com")]
    NotAUrl,
    /// Whoever is on the way could put their own keys in place.
    #[error("must begin with https:// (http:// is for this machine alone)")]
    NotSecure,
    /// It has a user, a query or a fragment.
    #[error("must have no user, no query and no fragment")]
    Extra,
}

impl Address {
    /// Returns it as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) const fn uri(&self) -> &Uri {
        &self.uri
    }

    pub(crate) fn is_https(&self) -> bool {
        self.uri.scheme_str() == Some("https")
    }

    /// Returns whether both are on the same server: scheme, host and port (RFC 6454 section 4).
    pub(crate) fn same_server(&self, other: &Self) -> bool {
        let server = |of: &Self| {
            let port = of.uri.port_u16().unwrap_or(if of.is_https() { 443 } else { 80 });
            (of.is_https(), of.uri.host().map(str::to_ascii_lowercase), port)
        };
        server(self) == server(other)
    }

    /// Returns the address of something below this one.
    pub(crate) fn below(&self, path: &str) -> Result<Self, AddressError> {
        format!("{}{path}", self.text.trim_end_matches('/')).parse()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let uri: Uri = text.parse().map_err(|_| AddressError::NotAUrl)?;
        let authority = uri.authority().ok_or(AddressError::NotAUrl)?;
        if authority.host().is_empty() {
            return Err(AddressError::NotAUrl);
        }
        if authority.as_str().contains('@') || text.contains(['?', '#']) {
            return Err(AddressError::Extra);
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_this_machine(authority) => {}
            Some("http") => return Err(AddressError::NotSecure),
            Some(_) | None => return Err(AddressError::NotAUrl),
        }
        Ok(Self { text: text.to_owned(), uri })
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

fn is_this_machine(authority: &Authority) -> bool {
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let is_loopback = |address: IpAddr| address.is_loopback();
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str) -> AddressError {
        text.parse::<Address>().unwrap_err()
    }

    #[test]
    fn an_address_is_kept_letter_by_letter() {
        for text in [
            "https://login.example.com",
            "https://Login.example.com:443/a/",
            "http://127.0.0.1:8080",
            "http://[::1]:8080/realm",
            "http://localhost/x",
        ] {
            assert_eq!(text.parse::<Address>().unwrap().as_str(), text);
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_alone() {
        for text in ["http://login.example.com", "http://10.0.0.1", "http://127.0.0.1.example.com"]
        {
            assert_eq!(error_of(text), AddressError::NotSecure, "{text}");
        }
        assert_eq!(error_of("http://localhost@login.example.com"), AddressError::Extra);
    }

    #[test]
    fn what_is_no_url_is_refused() {
        for text in [
            "",
            "login",
            "/path",
            "ftp://x",
            "login.example.com:443",
            "https://",
            "https://:1/",
            "a b",
        ] {
            assert_eq!(error_of(text), AddressError::NotAUrl, "{text}");
        }
        for text in ["https://u:p@x", "https://x/?a=b", "https://x/#a"] {
            assert_eq!(error_of(text), AddressError::Extra, "{text}");
        }
    }

    #[test]
    fn a_server_is_scheme_host_and_port() {
        let same =
            |a: &str, b: &str| a.parse::<Address>().unwrap().same_server(&b.parse().unwrap());
        assert!(same("https://a.example/x", "https://A.example:443/y"));
        assert!(!same("https://a.example", "https://a.example:8443"));
        assert!(!same("https://a.example", "https://b.example"));
        assert!(!same("http://localhost", "https://localhost"));
    }

    #[test]
    fn a_slash_at_the_end_makes_no_second_one_below() {
        let below = |text: &str| text.parse::<Address>().unwrap().below("/x").unwrap().to_string();
        assert_eq!(below("https://a.example"), "https://a.example/x");
        assert_eq!(below("https://a.example/realm/"), "https://a.example/realm/x");
    }
}
