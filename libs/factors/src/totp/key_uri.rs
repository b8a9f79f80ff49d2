//! The key URI, by which authenticator apps take a secret over: `otpauth://totp/Issuer:account?secret=...`.
//!
//! The format was published with Google Authenticator ("Key Uri Format") and has no RFC. All parameters are always
//! said, since apps differ in what they take for granted.

use countersign_core::SecretString;
use data_encoding::BASE32_NOPAD;

use super::record::Record;
use crate::Provisioning;

/// Shows what the user needs to set the authenticator up.
pub(super) fn provisioning(record: &Record<'_>) -> Provisioning {
    let secret_base32 = SecretString::new(BASE32_NOPAD.encode(record.secret));
    let uri = SecretString::new(key_uri(record, secret_base32.expose()));
    Provisioning::KeyUri { uri, secret_base32 }
}

fn key_uri(record: &Record<'_>, secret_base32: &str) -> String {
    let issuer = escaped_name(record.issuer);
    let account = escaped_name(record.account_name);
    // Issuer in both places: old versions of the apps read the label, new ones the parameter.
    let (label, issuer) = if issuer.is_empty() {
        (account, issuer)
    } else {
        (format!("{issuer}:{account}"), format!("&issuer={issuer}"))
    };
    let (algorithm, digits) = (record.algorithm.as_str(), record.digits);
    let period = record.period_seconds;
    let rest = format!("{issuer}&algorithm={algorithm}&digits={digits}&period={period}");
    // Allocated once at its full length, so that no copy of the secret is left behind by growing.
    ["otpauth://totp/", &label, "?secret=", secret_base32, &rest].concat()
}

/// Escapes a name for the label and for the query, the same way in both: apps compare the two.
///
/// - A colon separates issuer and account, and apps look for it after unescaping, so an escaped one would cut a name
///   in two: the format forbids colons in names, and a hyphen takes its place. It is for show only.
/// - All but the unreserved characters of RFC 3986 section 2.3 are escaped, byte by byte of UTF-8. A space becomes
///   `%20`, never `+`, which apps would show.
fn escaped_name(name: &str) -> String {
    let mut escaped = String::with_capacity(3 * name.len());
    for byte in name.trim().bytes() {
        match byte {
            b':' => escaped.push('-'),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            _ => {
                escaped.push('%');
                for nibble in [byte >> 4, byte & 0xf] {
                    escaped.extend(
                        char::from_digit(nibble.into(), 16).map(|c| c.to_ascii_uppercase()),
                    );
                }
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{qr, totp::parameters::Algorithm};

    const SECRET: &[u8] = b"12345678901234567890";

    fn record<'a>(issuer: &'a str, account_name: &'a str) -> Record<'a> {
        let algorithm = Algorithm::Sha1;
        Record { algorithm, digits: 6, period_seconds: 30, secret: SECRET, issuer, account_name }
    }

    fn uri(record: &Record<'_>) -> String {
        let Provisioning::KeyUri { uri, secret_base32 } = provisioning(record) else {
            panic!("no key URI");
        };
        assert!(uri.expose().contains(&format!("?secret={}&", secret_base32.expose())));
        uri.expose().to_owned()
    }

    #[test]
    fn all_parameters_are_said_even_those_that_apps_take_for_granted() {
        assert_eq!(
            uri(&record("Example", "jo@example.com")),
            "otpauth://totp/Example:jo%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=Example&algorithm=SHA1&digits=6&period=30"
        );
        let mut other = record("Example", "jo");
        (other.algorithm, other.digits, other.period_seconds) = (Algorithm::Sha512, 8, 60);
        assert!(uri(&other).ends_with("&issuer=Example&algorithm=SHA512&digits=8&period=60"));
    }

    #[test]
    fn names_are_escaped_the_same_way_in_the_label_and_in_the_query() {
        let escaped = uri(&record("Käse & Co #1", "jo smith+50%/?=ö"));
        assert!(escaped.starts_with(
            "otpauth://totp/K%C3%A4se%20%26%20Co%20%231:jo%20smith%2B50%25%2F%3F%3D%C3%B6?secret="
        ));
        assert!(escaped.contains("&issuer=K%C3%A4se%20%26%20Co%20%231&"));
    }

    #[test]
    fn a_colon_never_cuts_a_name_in_two() {
        let escaped = uri(&record("Acme: Prod", "urn:user:42"));
        assert!(escaped.starts_with("otpauth://totp/Acme-%20Prod:urn-user-42?"), "{escaped}");
        assert!(!escaped.contains("%3A"));
    }

    #[test]
    fn without_an_issuer_the_label_is_the_account_alone() {
        let escaped = uri(&record("  ", "jo"));
        assert!(escaped.starts_with("otpauth://totp/jo?secret="), "{escaped}");
        assert!(!escaped.contains("issuer"));
    }

    #[test]
    fn another_reader_of_key_uris_finds_what_was_written() {
        for (issuer, account) in
            [("Example", "jo"), ("Käse & Co #1", "ö 50%+/?@=&#"), ("日本", "%41")]
        {
            let mut record = record(issuer, account);
            (record.algorithm, record.digits, record.period_seconds) = (Algorithm::Sha256, 8, 45);
            let read = totp_rs::Totp::from_url(uri(&record)).unwrap();
            assert_eq!((read.issuer(), read.account_name()), (Some(issuer), account));
            assert_eq!(read.secret().as_bytes(), SECRET);
            assert_eq!(read.algorithm(), totp_rs::Algorithm::SHA256);
            assert_eq!((read.digits(), read.step()), (8, 45));
        }
    }

    #[test]
    fn the_longest_names_and_secret_fit_into_a_qr_code() {
        let (issuer, account_name) = ("ß".repeat(64), "ß".repeat(128));
        let mut longest = record(&issuer, &account_name);
        (longest.algorithm, longest.secret) = (Algorithm::Sha512, &[0xff; 64]);
        assert!(qr::Symbol::encode(&uri(&longest)).is_ok());
    }
}
