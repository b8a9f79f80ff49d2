//! SPIFFE ids: names of workloads, as the SPIFFE standard has them (SPIFFE-ID, section 2).

use std::{fmt, str::FromStr, sync::Arc};

const SCHEME: &str = "spiffe://";

/// Greatest length of an id in bytes (SPIFFE-ID, section 2.3).
const LONGEST: usize = 2_048;

/// Greatest length of the name of a trust domain in bytes (SPIFFE-ID, section 2.3).
const LONGEST_TRUST_DOMAIN: usize = 255;

/// The id of a workload, `spiffe://trust-domain/path`. Two ids are the same if their bytes are: there is one way to write
/// each. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId {
    text: Arc<str>,
    /// Where the path begins.
    path: usize,
}

/// Why a text is not the id of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpiffeIdError {
    /// It is too long.
    #[error("a SPIFFE id has at most {LONGEST} bytes")]
    TooLong,
    /// It does not begin as one.
    #[error("a SPIFFE id begins with spiffe:// in lower case")]
    Scheme,
    /// Its trust domain cannot be one.
    #[error(
        "the trust domain of a SPIFFE id has 1 to {LONGEST_TRUST_DOMAIN} of a-z, 0-9, '.', '-' and '_': no user, no port"
    )]
    TrustDomain,
    /// It names a trust domain, and nobody in it (X509-SVID, section 3.1).
    #[error("a SPIFFE id names a workload by a path, as in spiffe://trust-domain/path")]
    NoPath,
    /// Its path cannot be one.
    #[error(
        "the path of a SPIFFE id is of segments that are not empty, '.' or '..', of a-z, A-Z, 0-9, '.', '-' and '_', without '/' at its end"
    )]
    Path,
}

impl SpiffeId {
    /// Reads an id.
    ///
    /// # Errors
    /// Says which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, SpiffeIdError> {
        if text.len() > LONGEST {
            return Err(SpiffeIdError::TooLong);
        }
        let rest = text.strip_prefix(SCHEME).ok_or(SpiffeIdError::Scheme)?;
        let (trust_domain, path) =
            rest.split_once('/').map_or((rest, None), |(domain, path)| (domain, Some(path)));
        let is_fitting = (1..=LONGEST_TRUST_DOMAIN).contains(&trust_domain.len());
        if !is_fitting || !trust_domain.bytes().all(is_of_trust_domain) {
            return Err(SpiffeIdError::TrustDomain);
        }
        let path = path.filter(|path| !path.is_empty()).ok_or(SpiffeIdError::NoPath)?;
        if !path.split('/').all(is_segment) {
            return Err(SpiffeIdError::Path);
        }
        Ok(Self { text: text.into(), path: SCHEME.len() + trust_domain.len() })
    }

    /// Returns the id as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns in whose realm the workload is.
    #[must_use]
    pub fn trust_domain(&self) -> &str {
        self.text.get(SCHEME.len()..self.path).unwrap_or_default()
    }

    /// Returns the path of the workload, beginning with `/`.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text.get(self.path..).unwrap_or_default()
    }
}

const fn is_of_trust_domain(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_')
}

fn is_segment(segment: &str) -> bool {
    let is_of_path = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(is_of_path)
}

impl FromStr for SpiffeId {
    type Err = SpiffeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_id_is_a_trust_domain_and_a_path() {
        let id = SpiffeId::parse("spiffe://example.org/ns/prod/sa/Audit-1_x.y").unwrap();
        assert_eq!((id.trust_domain(), id.path()), ("example.org", "/ns/prod/sa/Audit-1_x.y"));
        assert_eq!(id.to_string(), id.as_str());
    }

    #[test]
    fn what_is_wrong_is_said() {
        use SpiffeIdError as E;
        for (text, error) in [
            ("", E::Scheme),
            ("https://example.org/a", E::Scheme),
            ("SPIFFE://example.org/a", E::Scheme),
            ("spiffe:/example.org/a", E::Scheme),
            (" spiffe://example.org/a", E::Scheme),
            ("spiffe:///a", E::TrustDomain),
            ("spiffe://Example.org/a", E::TrustDomain),
            ("spiffe://me@example.org/a", E::TrustDomain),
            ("spiffe://example.org:443/a", E::TrustDomain),
            ("spiffe://[::1]/a", E::TrustDomain),
            ("spiffe://example%2eorg/a", E::TrustDomain),
            ("spiffe://example.org?a=/b", E::TrustDomain),
            ("spiffe://bücher.example/a", E::TrustDomain),
            ("spiffe://example.org\0/a", E::TrustDomain),
            ("spiffe://example.org", E::NoPath),
            ("spiffe://example.org/", E::NoPath),
            ("spiffe://example.org/a/", E::Path),
            ("spiffe://example.org//a", E::Path),
            ("spiffe://example.org/a//b", E::Path),
            ("spiffe://example.org/a/./b", E::Path),
            ("spiffe://example.org/a/..", E::Path),
            ("spiffe://example.org/a%2fb", E::Path),
            ("spiffe://example.org/a?b", E::Path),
            ("spiffe://example.org/a#b", E::Path),
            ("spiffe://example.org/a b", E::Path),
            ("spiffe://example.org/ä", E::Path),
            ("spiffe://example.org/a\n", E::Path),
        ] {
            assert_eq!(SpiffeId::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn limits_are_those_of_the_standard() {
        let with_path = |length: usize| format!("spiffe://a/{}", "b".repeat(length - 11));
        assert!(SpiffeId::parse(&with_path(2_048)).is_ok());
        assert_eq!(SpiffeId::parse(&with_path(2_049)), Err(SpiffeIdError::TooLong));
        let with_domain = |length: usize| format!("spiffe://{}/b", "a".repeat(length));
        assert!(SpiffeId::parse(&with_domain(255)).is_ok());
        assert_eq!(SpiffeId::parse(&with_domain(256)), Err(SpiffeIdError::TrustDomain));
    }

    proptest! {
        #[test]
        fn every_id_of_allowed_parts_is_read_as_it_was_put_together(
            domain in "[a-z0-9._-]{1,255}",
            segments in prop::collection::vec("[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,20}", 1..20),
        ) {
            let path = segments.iter().map(|segment| format!("/{segment}")).collect::<String>();
            let id = SpiffeId::parse(&format!("spiffe://{domain}{path}")).unwrap();
            prop_assert_eq!(id.trust_domain(), domain);
            prop_assert_eq!(id.path(), path);
        }

        #[test]
        fn what_is_accepted_is_made_of_allowed_parts_only(text in "(spiffe://)?[a-zA-Z./:@?#% _-]{0,40}|.*") {
            if let Ok(id) = SpiffeId::parse(&text) {
                prop_assert_eq!(id.as_str(), &text);
                prop_assert_eq!(format!("spiffe://{}{}", id.trust_domain(), id.path()), text);
                prop_assert!(id.trust_domain().bytes().all(is_of_trust_domain));
                prop_assert!(id.path().starts_with('/'));
                prop_assert!(id.path().split('/').skip(1).all(is_segment));
            }
        }

        #[test]
        fn one_foreign_character_anywhere_is_refused(
            at in 0_usize..33,
            foreign in "[^a-zA-Z0-9._/-]",
        ) {
            let mut text = "spiffe://example.org/ns/prod/audit".to_owned();
            text.insert_str(at, &foreign);
            prop_assert!(SpiffeId::parse(&text).is_err(), "{}", text);
        }
    }
}
