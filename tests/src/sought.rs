//! Looking for what must not be there: secrets and personal data in texts and in files, raw and as they are written down.

use std::{
    fs,
    path::{Path, PathBuf},
};

use data_encoding::{BASE32_NOPAD, BASE64_NOPAD, BASE64URL_NOPAD, Encoding, HEXLOWER, HEXUPPER};

/// What must not be found, by what it is.
#[derive(Debug, Default)]
pub struct Sought(Vec<(String, String)>);

impl Sought {
    /// Adds a text, as it is and as it is written down where texts cannot stand as they are.
    ///
    /// # Panics
    /// If it is so short that it may stand anywhere by chance.
    pub fn add(&mut self, what: &str, secret: &str) {
        self.add_form(what, latin(secret.as_bytes()));
        for form in forms(secret.as_bytes()).chain([percent_encoded(secret)]) {
            self.add_form(what, form);
        }
    }

    fn add_form(&mut self, what: &str, secret: String) {
        assert!(
            secret.len() >= 8,
            "{what} is too short to be told from what stands there by chance"
        );
        let form = (what.to_owned(), secret);
        if !self.0.contains(&form) {
            self.0.push(form);
        }
    }

    /// Adds bytes, raw and as they are written down.
    pub fn add_bytes(&mut self, what: &str, secret: &[u8]) {
        self.add_form(&format!("{what}, raw"), latin(secret));
        for form in forms(secret).chain([BASE32_NOPAD.encode(secret)]) {
            self.add_form(&format!("{what}, encoded"), form);
        }
    }

    /// Returns what of it is in `haystack`, which is [`latin`].
    #[must_use]
    pub fn found_in(&self, haystack: &str) -> Vec<&str> {
        let found = self.0.iter().filter(|(_, secret)| haystack.contains(secret));
        let mut found: Vec<_> = found.map(|(what, _)| what.as_str()).collect();
        found.dedup();
        found
    }

    /// Makes sure that none of it is in the files below `directory`, and returns in how many of them `marker` is, which
    /// proves that the search finds what is there.
    ///
    /// # Panics
    /// Names what is where.
    #[must_use]
    pub fn not_below(&self, directory: &Path, marker: &str) -> usize {
        let mut marked = 0;
        for path in files(directory) {
            // Whoever runs may clear away what was listed a moment ago.
            let Ok(content) = fs::read(&path) else { continue };
            let content = latin(&content);
            marked += usize::from(content.contains(marker));
            assert_eq!(self.found_in(&content), [""; 0], "in {}", path.display());
        }
        marked
    }
}

/// Returns what `secret` looks like in hexadecimal digits and in base 64, of which it may be the middle of something.
fn forms(secret: &[u8]) -> impl Iterator<Item = String> {
    let hex = [HEXLOWER, HEXUPPER].map(|encoding| encoding.encode(secret));
    let base64 = [BASE64_NOPAD, BASE64URL_NOPAD].map(|encoding| in_the_middle(&encoding, secret));
    hex.into_iter().chain(base64.into_iter().flatten())
}

/// Returns what is the same of `secret` in base 64 whatever stands before and behind it: three bytes are four characters,
/// so there are three ways.
fn in_the_middle(base64: &Encoding, secret: &[u8]) -> [String; 3] {
    [0, 1, 2].map(|before| {
        let bytes = [&*vec![0; before], secret].concat();
        let (first, last) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        base64.encode(&bytes)[first..last].to_owned()
    })
}

/// Escapes all but the unreserved characters of RFC 3986 section 2.3.
fn percent_encoded(text: &str) -> String {
    let escaped = text.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    escaped.collect()
}

/// Returns bytes as a text of as many characters, in which texts and bytes can be searched alike.
#[must_use]
pub fn latin(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Returns the files below `directory`.
#[must_use]
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_down_is_found_in_every_form_and_place() {
        let mut sought = Sought::default();
        sought.add("a user", "ann+x@example.org");
        sought.add_bytes("a key", &[0xfb, 0xff, 3, 4, 5, 6, 7, 8, 9, 10]);
        for (before, behind) in [("", ""), ("a", "zz"), ("ab", "z"), ("abc", "")] {
            let whole = format!("{before}ann+x@example.org{behind}");
            for text in [BASE64_NOPAD.encode(whole.as_bytes()), HEXUPPER.encode(whole.as_bytes())] {
                assert_eq!(sought.found_in(&text), ["a user"], "{text}");
            }
            let whole = [before.as_bytes(), &[0xfb, 0xff, 3, 4, 5, 6, 7, 8, 9, 10]].concat();
            assert_eq!(sought.found_in(&BASE64URL_NOPAD.encode(&whole)), ["a key, encoded"]);
            assert_eq!(sought.found_in(&latin(&whole)), ["a key, raw"]);
        }
        assert_eq!(sought.found_in("?user=ann%2Bx%40example.org&x"), ["a user"]);
        assert_eq!(sought.found_in("bob+x@example.org"), [""; 0]);
    }
}
