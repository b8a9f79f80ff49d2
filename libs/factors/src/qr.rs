//! QR codes (ISO/IEC 18004) as pictures and for terminals.
//!
//! All have the quiet zone of four modules that the standard asks for, and dark modules on a light ground whatever
//! lies behind them: not every reader takes an inverted code.

use std::fmt;

use qrcode::{Color, EcLevel, QrCode};

/// Width of the empty margin, in modules.
const QUIET_ZONE: usize = 4;

/// Width of a module in pictures, in pixels. One byte of a one-bit picture.
const MODULE_PIXELS: usize = 8;

/// White on black, of the 256-colour palette: the first sixteen colours are whatever the user's theme makes of them.
const COLORS: &str = "\u{1b}[38;5;231;48;5;16m";
/// Back to the terminal's own colours.
const RESET: &str = "\u{1b}[0m";

/// Why there is no QR code. Says nothing of the text: it is a secret as a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QrError {
    /// The text is longer than a QR code can hold.
    #[error(
        "the text has {len} bytes, which is more than a QR code holds; it must have at most 2331"
    )]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// The picture could not be written.
    #[error("the picture could not be written")]
    Picture,
}

/// A QR code symbol with its quiet zone, encoded once and drawn as often as wanted: encoding is what takes the time.
#[derive(Clone)]
pub struct Symbol {
    /// Width and height.
    width: usize,
    /// Their colours, row by row, without the quiet zone.
    colors: Vec<Color>,
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Symbol {
    /// Encodes `text` with the middling correction that screens call for: 15 % may be unreadable.
    ///
    /// # Errors
    /// Says that the text is too long.
    pub fn encode(text: &str) -> Result<Self, QrError> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M)
            .map_err(|_| QrError::TooLong { len: text.len() })?;
        let width = code.width() + 2 * QUIET_ZONE;
        Ok(Self { width, colors: code.into_colors() })
    }

    /// Draws it as a PNG of black and white.
    ///
    /// # Errors
    /// Says that the picture could not be written.
    pub fn png(&self) -> Result<Vec<u8>, QrError> {
        let mut pixels = Vec::new();
        for y in 0..self.width {
            let row = (0..self.width).map(|x| if self.is_dark(x, y) { 0 } else { 0xff });
            let row: Vec<u8> = row.collect();
            for _ in 0..MODULE_PIXELS {
                pixels.extend_from_slice(&row);
            }
        }
        let width = u32::try_from(self.width * MODULE_PIXELS).map_err(|_| QrError::Picture)?;
        let mut picture = Vec::new();
        let mut encoder = png::Encoder::new(&mut picture, width, width);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(&pixels)?;
            writer.finish()
        });
        written.map_err(|_| QrError::Picture)?;
        Ok(picture)
    }

    /// Draws it as an SVG document.
    #[must_use]
    pub fn svg(&self) -> String {
        let width = self.width;
        // One outline for every run of dark modules in a row, which takes less room than one for every module.
        let mut path = String::new();
        for y in 0..width {
            let mut x = 0;
            while x < width {
                let run = (x..width).take_while(|x| self.is_dark(*x, y)).count();
                if run > 0 {
                    path.push_str(&format!("M{x} {y}h{run}v1h-{run}z"));
                }
                x += run + 1;
            }
        }
        let pixels = width * MODULE_PIXELS;
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{pixels}" height="{pixels}" viewBox="0 0 {width} {width}" shape-rendering="crispEdges"><path fill="#fff" d="M0 0h{width}v{width}H0z"/><path fill="#000" d="{path}"/></svg>"##
        )
    }

    /// Draws it in Unicode half blocks for a terminal, two rows of modules to a line.
    ///
    /// Colours are set by escape sequences (ECMA-48 SGR), so that it can be scanned off a dark terminal and a light one.
    /// Light modules are the ones that are drawn: without the colours it can still be scanned off a dark terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut drawn = String::new();
        for y in (0..self.width).step_by(2) {
            drawn.push_str(COLORS);
            for x in 0..self.width {
                drawn.push(match (self.is_dark(x, y), self.is_dark(x, y + 1)) {
                    (true, true) => ' ',
                    (true, false) => '▄',
                    (false, true) => '▀',
                    (false, false) => '█',
                });
            }
            drawn.push_str(RESET);
            drawn.push('\n');
        }
        drawn
    }

    fn is_dark(&self, x: usize, y: usize) -> bool {
        let inner = self.width - 2 * QUIET_ZONE;
        let place = |at: usize| at.checked_sub(QUIET_ZONE).filter(|at| *at < inner);
        let index = place(x).zip(place(y)).map(|(x, y)| y * inner + x);
        index.and_then(|index| self.colors.get(index)) == Some(&Color::Dark)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "otpauth://totp/Example:jo?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&period=30";

    fn symbol() -> Symbol {
        Symbol::encode(URI).unwrap()
    }

    /// What is dark in the code, with the quiet zone around it, made without a line of what is tested.
    fn expected(text: &str) -> Vec<Vec<bool>> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).unwrap();
        let width = code.width();
        let mut rows = vec![vec![false; width + 8]; width + 8];
        for (index, color) in code.to_colors().into_iter().enumerate() {
            rows[index / width + 4][index % width + 4] = color == Color::Dark;
        }
        rows
    }

    fn dark_of_png(picture: &[u8]) -> Vec<Vec<bool>> {
        let mut reader = png::Decoder::new(std::io::Cursor::new(picture)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((frame.width, frame.width % 8), (frame.height, 0));
        let is_dark = |byte: &u8| match byte {
            0 => true,
            0xff => false,
            mixed => panic!("a module is neither dark nor light: {mixed:08b}"),
        };
        let rows = pixels.chunks_exact(frame.line_size);
        rows.step_by(8).map(|row| row.iter().map(is_dark).collect()).collect()
    }

    fn dark_of_text(drawn: &str) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in drawn.lines() {
            let line = line.strip_prefix(COLORS).unwrap().strip_suffix(RESET).unwrap();
            let halves = line.chars().map(|c| match c {
                ' ' => (true, true),
                '▄' => (true, false),
                '▀' => (false, true),
                '█' => (false, false),
                other => panic!("{other:?} is no half block"),
            });
            let (upper, lower): (Vec<_>, Vec<_>) = halves.unzip();
            rows.extend([upper, lower]);
        }
        rows
    }

    #[test]
    fn a_picture_has_every_module_where_it_belongs() {
        assert_eq!(dark_of_png(&symbol().png().unwrap()), expected(URI));
    }

    #[test]
    fn a_terminal_shows_every_module_where_it_belongs() {
        let mut shown = dark_of_text(&symbol().text());
        // A code has an odd number of rows: the last line has one row more than the quiet zone needs.
        assert!(shown.pop().unwrap().iter().all(|dark| !dark));
        assert_eq!(shown, expected(URI));
    }

    #[test]
    fn a_vector_picture_has_every_module_where_it_belongs() {
        let expected = expected(URI);
        let width = expected.len();
        let drawn = symbol().svg();
        assert!(drawn.contains(&format!("viewBox=\"0 0 {width} {width}\"")));
        let (ground, dark) = drawn.split_once("<path fill=\"#000\" d=\"").unwrap();
        assert!(ground.contains(&format!("fill=\"#fff\" d=\"M0 0h{width}v{width}H0z\"")));
        let mut shown = vec![vec![false; width]; width];
        for outline in dark.split_once("\"/></svg>").unwrap().0.split('M').skip(1) {
            let numbers = outline.split(|c: char| !c.is_ascii_digit()).filter(|n| !n.is_empty());
            let numbers: Vec<usize> = numbers.map(|n| n.parse().unwrap()).collect();
            let [x, y, run, 1, back] = numbers[..] else { panic!("no row of modules: {outline}") };
            assert_eq!(run, back);
            shown[y][x..x + run].fill(true);
        }
        assert_eq!(shown, expected);
    }

    #[test]
    fn what_fits_is_drawn_and_what_does_not_is_refused_by_its_length() {
        assert!(Symbol::encode(&"a".repeat(2331)).is_ok_and(|symbol| symbol.png().is_ok()));
        let refused = Symbol::encode(&"a".repeat(2332)).unwrap_err();
        assert_eq!(refused, QrError::TooLong { len: 2332 });
    }
}
