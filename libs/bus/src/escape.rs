//! Any text as a header's value or a subject's token, so that it comes back exactly: `%` and two hexadecimal digits stand
//! for a byte that has no place there (RFC 3986 section 2.1).

use std::fmt::Write as _;

/// Escapes what a header's value cannot hold: line ends, spaces that would be trimmed, everything but ASCII.
pub(crate) fn value(text: &str) -> String {
    escape(text, |byte| byte.is_ascii_graphic())
}

/// Escapes what has a meaning in a subject.
pub(crate) fn token(text: &str) -> String {
    let token = escape(text, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    // No token may be empty. A single percent sign stands for nothing else.
    if token.is_empty() { "%".to_owned() } else { token }
}

fn escape(text: &str, is_plain: impl Fn(u8) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte != b'%' && is_plain(byte) {
            escaped.push(char::from(byte));
        } else if write!(escaped, "%{byte:02X}").is_err() {
            return escaped;
        }
    }
    escaped
}

/// Reads what [`value`] wrote; `None` if that cannot have been.
pub(crate) fn read(escaped: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            u8::try_from(digit()? * 16 + digit()?).ok()?
        } else {
            byte
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_comes_back_exactly() {
        for text in ["", " a ", "a%2Eb", "line\r\nNats-Rollup: all", "Schlüssel", "%", "\0"] {
            let escaped = value(text);
            assert!(escaped.bytes().all(|byte| byte.is_ascii_graphic()), "{escaped:?}");
            assert_eq!(read(&escaped).as_deref(), Some(text));
        }
    }

    #[test]
    fn a_token_has_no_character_with_a_meaning() {
        assert_eq!(token("EnrollmentConfirmed"), "EnrollmentConfirmed");
        assert_eq!(token("a.b *>"), "a%2Eb%20%2A%3E");
        assert_eq!(token(""), "%");
    }

    #[test]
    fn what_was_never_escaped_is_refused() {
        for broken in ["%", "%2", "%zz", "%ff"] {
            assert_eq!(read(broken), None, "{broken}");
        }
    }
}
