//! Codes: 65 random bits as people can copy them from paper.

use countersign_core::{Rng, SecretString};
use zeroize::Zeroizing;

/// Crockford's base 32 (<https://www.crockford.com/base32.html>): no I, L, O or U, so that nothing is mistaken for 1
/// or 0 and no word is spelled by accident.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// 13 symbols of 5 bits: the first length that holds the 64 bits that NIST SP 800-63B-4 section 4.2.1.1 asks for.
const LEN: usize = 13;

/// Where the hyphens stand when a code is shown.
const GROUPS: [usize; 3] = [4, 5, 4];

/// The symbols of one code, in upper case and without hyphens.
#[derive(PartialEq, Eq)]
pub(super) struct Code(Zeroizing<Vec<u8>>);

impl Code {
    /// Draws a code.
    pub(super) fn generate(rng: &dyn Rng) -> Self {
        let mut symbols = Zeroizing::new(vec![0; LEN]);
        rng.fill(&mut symbols);
        for symbol in symbols.iter_mut() {
            // 32 divides 256, so that every symbol is as likely as any other.
            *symbol = ALPHABET.get(usize::from(*symbol & 31)).copied().unwrap_or_default();
        }
        Self(symbols)
    }

    /// Reads a code, passing over case, spaces and hyphens, and taking O for 0 and I and L for 1.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut symbols = Zeroizing::new(Vec::with_capacity(LEN));
        for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let symbol = match c.to_ascii_uppercase() {
                'O' => b'0',
                'I' | 'L' => b'1',
                c => u8::try_from(c).ok().filter(|byte| ALPHABET.contains(byte))?,
            };
            if symbols.len() == LEN {
                return None;
            }
            symbols.push(symbol);
        }
        (symbols.len() == LEN).then_some(Self(symbols))
    }

    /// Returns the code as it is shown.
    pub(super) fn shown(&self) -> SecretString {
        let mut text = String::with_capacity(LEN + GROUPS.len());
        let mut symbols = self.0.iter().copied().map(char::from);
        for (index, len) in GROUPS.into_iter().enumerate() {
            if index > 0 {
                text.push('-');
            }
            text.extend(symbols.by_ref().take(len));
        }
        SecretString::new(text)
    }

    /// Returns the symbols.
    pub(super) fn symbols(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::Seeded;

    fn read(text: &str) -> Option<String> {
        Code::parse(text).map(|code| String::from_utf8(code.symbols().to_vec()).unwrap())
    }

    #[test]
    fn a_code_is_shown_in_groups_and_read_as_people_copy_it() {
        let code = Code::parse("0123456789ABC").unwrap();
        assert_eq!(code.shown().expose(), "0123-45678-9ABC");
        let copied =
            ["0123-45678-9ABC", "oi23 45678 9abc", "Ol2345678-9aBc", " O L 2-3-456789ABC\n"];
        for copied in copied {
            assert_eq!(read(copied).as_deref(), Some("0123456789ABC"), "{copied}");
        }
    }

    #[test]
    fn what_is_not_thirteen_symbols_is_no_code() {
        let not_codes = [
            "",
            "123456",
            "0123-45678-9AB",
            "0123-45678-9ABCD",
            "0123-45678-9ABU",
            "0123_45678_9ABC",
            "０123-45678-9ABC",
        ];
        for text in not_codes {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(read(&"A".repeat(1_000_000)), None);
    }

    #[test]
    fn every_symbol_occurs_in_every_place() {
        let rng = Seeded::new(1);
        let mut seen = vec![[false; 32]; LEN];
        for _ in 0..1_000 {
            for (place, symbol) in Code::generate(&rng).symbols().iter().enumerate() {
                let value = ALPHABET.iter().position(|known| known == symbol).unwrap();
                seen[place][value] = true;
            }
        }
        assert!(seen.iter().flatten().all(|seen| *seen));
        assert_eq!(GROUPS.iter().sum::<usize>(), LEN);
    }
}
