//! Codes: random bits as people can copy them from paper or tell them over the telephone.

use countersign_core::{Rng, SecretString};
use zeroize::Zeroizing;

/// Crockford's base 32 (<https://www.crockford.com/base32.html>): no I, L, O or U, so that nothing is mistaken for 1
/// or 0 and no word is spelled by accident.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// How long the codes of a kind are, and where the hyphens stand when one is shown. A symbol holds 5 bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Form {
    groups: &'static [usize],
}

/// The symbols of one code, in upper case and without hyphens.
#[derive(PartialEq, Eq)]
pub(crate) struct Code(Zeroizing<Vec<u8>>);

impl Form {
    /// Codes whose symbols are shown in groups of these lengths.
    pub(crate) const fn in_groups(groups: &'static [usize]) -> Self {
        Self { groups }
    }

    fn len(self) -> usize {
        self.groups.iter().sum()
    }

    /// Draws a code.
    pub(crate) fn generate(self, rng: &dyn Rng) -> Code {
        let mut symbols = Zeroizing::new(vec![0; self.len()]);
        rng.fill(&mut symbols);
        for symbol in symbols.iter_mut() {
            // 32 divides 256, so that every symbol is as likely as any other.
            *symbol = ALPHABET.get(usize::from(*symbol & 31)).copied().unwrap_or_default();
        }
        Code(symbols)
    }

    /// Reads a code, passing over case, spaces and hyphens, and taking O for 0 and I and L for 1.
    pub(crate) fn parse(self, text: &str) -> Option<Code> {
        let len = self.len();
        let mut symbols = Zeroizing::new(Vec::with_capacity(len));
        for c in text.chars().filter(|c| !c.is_whitespace() && *c != '-') {
            let symbol = match c.to_ascii_uppercase() {
                'O' => b'0',
                'I' | 'L' => b'1',
                c => u8::try_from(c).ok().filter(|byte| ALPHABET.contains(byte))?,
            };
            if symbols.len() == len {
                return None;
            }
            symbols.push(symbol);
        }
        (symbols.len() == len).then_some(Code(symbols))
    }

    /// Returns a code as it is shown.
    pub(crate) fn show(self, code: &Code) -> SecretString {
        let mut text = String::with_capacity(self.len() + self.groups.len());
        let mut symbols = code.0.iter().copied().map(char::from);
        for (index, len) in self.groups.iter().enumerate() {
            if index > 0 {
                text.push('-');
            }
            text.extend(symbols.by_ref().take(*len));
        }
        SecretString::new(text)
    }
}

impl Code {
    /// Returns the symbols.
    pub(crate) fn symbols(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::Seeded;

    const FORM: Form = Form::in_groups(&[4, 5, 4]);

    fn read(text: &str) -> Option<String> {
        FORM.parse(text).map(|code| String::from_utf8(code.symbols().to_vec()).unwrap())
    }

    #[test]
    fn a_code_is_shown_in_groups_and_read_as_people_copy_it() {
        let code = FORM.parse("0123456789ABC").unwrap();
        assert_eq!(FORM.show(&code).expose(), "0123-45678-9ABC");
        let copied =
            ["0123-45678-9ABC", "oi23 45678 9abc", "Ol2345678-9aBc", " O L 2-3-456789ABC\n"];
        for copied in copied {
            assert_eq!(read(copied).as_deref(), Some("0123456789ABC"), "{copied}");
        }
        let halves = Form::in_groups(&[2, 2]);
        assert_eq!(halves.show(&halves.parse("a-bcd").unwrap()).expose(), "AB-CD");
    }

    #[test]
    fn what_does_not_have_the_length_is_no_code() {
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
        let mut seen = vec![[false; 32]; FORM.len()];
        for _ in 0..1_000 {
            for (place, symbol) in FORM.generate(&rng).symbols().iter().enumerate() {
                let value = ALPHABET.iter().position(|known| known == symbol).unwrap();
                seen[place][value] = true;
            }
        }
        assert!(seen.iter().flatten().all(|seen| *seen));
    }
}
