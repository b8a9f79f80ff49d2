//! The note that a process puts on a call that it passes on: where the call came from, under a tag that only processes of the
//! same installation can make. Nobody else can claim to be a peer, or to have come from elsewhere.
//!
//! `v1.{Unix seconds}.{address}.{SPIFFE id}.{tag}`: the id and the tag in base64url, `-` for what is not there. The tag also
//! covers the path and the correlation id, so that a note fits one call only.

use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

use countersign_core::{Clock, Timestamp};
use countersign_keys::UserVault;
use data_encoding::BASE64URL_NOPAD;
use http::{Extensions, HeaderMap};
use uuid::Uuid;

use super::forward::FORWARDED_METADATA;
use crate::{
    access::{ClientAddress, PeerCertificate},
    request_line::CORRELATION_METADATA,
};

/// Keeps these tags from being taken for others.
const PURPOSE: &str = "forwarded call";

/// How far the clocks of peers may be apart, the time on the way included.
const APART: Duration = Duration::from_secs(60);

/// Makes tags and knows the time.
pub trait Vouch: fmt::Debug + Send + Sync {
    /// Returns a tag that only processes of this installation can make.
    fn tag(&self, statement: &[u8]) -> [u8; 32];
    /// Returns the present instant.
    fn now(&self) -> Timestamp;
}

/// Vouches by the keys of the installation.
pub struct InstallationVoucher {
    vault: UserVault,
    clock: Arc<dyn Clock>,
}

impl InstallationVoucher {
    /// Vouches by the keys behind `vault`.
    #[must_use]
    pub const fn new(vault: UserVault, clock: Arc<dyn Clock>) -> Self {
        Self { vault, clock }
    }
}

impl fmt::Debug for InstallationVoucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InstallationVoucher([redacted])")
    }
}

impl Vouch for InstallationVoucher {
    fn tag(&self, statement: &[u8]) -> [u8; 32] {
        self.vault.tag(PURPOSE, statement)
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Where a call that a peer passed on came from. Among the request's extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarded {
    /// Names the request across services.
    pub correlation_id: Uuid,
    /// The address that it came from.
    pub address: Option<IpAddr>,
    /// The SPIFFE id of the certificate that its caller proved to hold.
    pub certificate: Option<Arc<str>>,
}

impl Forwarded {
    /// Notes where the request with these extensions came from.
    pub(super) fn of(extensions: &Extensions, correlation_id: Uuid) -> Self {
        Self {
            correlation_id,
            address: extensions.get::<ClientAddress>().map(|address| address.0),
            certificate: extensions.get::<PeerCertificate>().map(|held| Arc::clone(&held.0)),
        }
    }

    /// Writes the note for a call of `path`.
    pub(super) fn write(&self, path: &str, voucher: &dyn Vouch) -> String {
        let head = self.head(voucher.now().unix_seconds());
        let tag = voucher.tag(self.statement(path, &head).as_bytes());
        format!("{head}.{}", BASE64URL_NOPAD.encode(&tag))
    }

    /// Reads the note of a call of `path`; `None` if it is not a peer's, or not for this call, or old.
    pub(super) fn read(path: &str, headers: &HeaderMap, voucher: &dyn Vouch) -> Option<Self> {
        let text = headers.get(FORWARDED_METADATA)?.to_str().ok()?;
        let (head, tag) = text.rsplit_once('.')?;
        let correlation_id = headers.get(CORRELATION_METADATA)?.to_str().ok()?;
        let mut parts = head.strip_prefix("v1.")?.splitn(2, '.');
        let seconds = parts.next()?.parse::<i64>().ok()?;
        // From the right: addresses have dots.
        let (address, certificate) = parts.next()?.rsplit_once('.')?;
        let certificate = match certificate {
            "-" => None,
            text => {
                let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
                Some(String::from_utf8(bytes).ok()?.into())
            }
        };
        let address = if address == "-" { None } else { Some(address.parse().ok()?) };
        let correlation_id = Uuid::try_parse(correlation_id).ok()?;
        let note = Self { correlation_id, address, certificate };
        let expected = voucher.tag(note.statement(path, head).as_bytes());
        let tag = BASE64URL_NOPAD.decode(tag.as_bytes()).ok()?;
        let age = voucher.now().unix_seconds().abs_diff(seconds);
        let is_right = countersign_crypto::constant_time_eq(&tag, &expected);
        (is_right && age <= APART.as_secs()).then_some(note)
    }

    fn head(&self, seconds: i64) -> String {
        let address = self.address.map_or_else(|| "-".to_owned(), |address| address.to_string());
        let certificate = self.certificate.as_ref();
        let certificate =
            certificate.map_or_else(|| "-".to_owned(), |id| BASE64URL_NOPAD.encode(id.as_bytes()));
        format!("v1.{seconds}.{address}.{certificate}")
    }

    fn statement(&self, path: &str, head: &str) -> String {
        format!("{path}\n{}\n{head}", self.correlation_id)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PATH: &str = "/countersign.policy.v1.PolicyService/EvaluateSignIn";

    #[derive(Debug)]
    struct Voucher {
        key: u8,
        seconds: i64,
    }

    impl Vouch for Voucher {
        fn tag(&self, statement: &[u8]) -> [u8; 32] {
            countersign_crypto::sha256(&[&[self.key], statement].concat())
        }

        fn now(&self) -> Timestamp {
            Timestamp::from_unix_seconds(self.seconds)
        }
    }

    const HERE: Voucher = Voucher { key: 1, seconds: 1_000 };

    fn note(address: Option<&str>, certificate: Option<&str>) -> Forwarded {
        Forwarded {
            correlation_id: Uuid::from_u128(7),
            address: address.map(|address| address.parse().unwrap()),
            certificate: certificate.map(Into::into),
        }
    }

    fn headers(note: &Forwarded, text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let id = note.correlation_id.to_string();
        headers.insert(FORWARDED_METADATA, HeaderValue::try_from(text).unwrap());
        headers.insert(CORRELATION_METADATA, HeaderValue::try_from(id).unwrap());
        headers
    }

    #[test]
    fn a_peer_reads_what_was_noted() {
        for note in [
            note(None, None),
            note(Some("192.0.2.7"), None),
            note(Some("2001:db8::7"), Some("spiffe://example.org/ns/prod/sa/login")),
            note(None, Some("spiffe://example.org/a.b")),
        ] {
            let headers = headers(&note, &note.write(PATH, &HERE));
            for seconds in [940, 1_000, 1_060] {
                let there = Voucher { seconds, ..HERE };
                assert_eq!(Forwarded::read(PATH, &headers, &there), Some(note.clone()));
            }
        }
    }

    #[test]
    fn a_note_is_for_one_call_of_its_own_time_and_installation() {
        let note = note(Some("192.0.2.7"), None);
        let headers = headers(&note, &note.write(PATH, &HERE));
        let elsewhere = "/countersign.admin.v1.AdminService/CreateTenant";
        assert_eq!(Forwarded::read(elsewhere, &headers, &HERE), None);
        for voucher in [
            Voucher { key: 2, ..HERE },
            Voucher { seconds: 1_061, ..HERE },
            Voucher { seconds: 939, ..HERE },
        ] {
            assert_eq!(Forwarded::read(PATH, &headers, &voucher), None);
        }
        let mut other = headers.clone();
        let id = Uuid::from_u128(8).to_string();
        other.insert(CORRELATION_METADATA, HeaderValue::try_from(id).unwrap());
        assert_eq!(Forwarded::read(PATH, &other, &HERE), None);
        other.remove(CORRELATION_METADATA);
        assert_eq!(Forwarded::read(PATH, &other, &HERE), None);
    }

    #[test]
    fn an_altered_note_is_nobodys() {
        let note = note(Some("192.0.2.7"), Some("spiffe://example.org/a"));
        let text = note.write(PATH, &HERE);
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] = if bytes[place] == b'1' { b'2' } else { b'1' };
            let altered = headers(&note, std::str::from_utf8(&bytes).unwrap());
            assert_eq!(Forwarded::read(PATH, &altered, &HERE), None, "{place}");
        }
        for text in ["", "1", "v1", "v1.", "v1.1.", "v1.1000.-.-.", "v1.1000.-.-.AAAA", "...."] {
            assert_eq!(Forwarded::read(PATH, &headers(&note, text), &HERE), None, "{text}");
        }
    }
}
