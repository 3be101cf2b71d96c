//! Text in a fixed buffer: values of headers and properties are rendered without the heap.
//!
//! Also the one place that escapes: what came from a peer and reaches a log must not begin another line, end a
//! string or move a terminal's cursor.

use crate::Decimal;

/// Text that grows in a buffer of its caller's. What does not fit is left out whole.
#[derive(Debug)]
pub struct Text<'b> {
    buffer: &'b mut [u8],
    length: usize,
}

impl<'b> Text<'b> {
    /// Empty text that may become as long as `buffer`.
    #[must_use]
    pub fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, length: 0 }
    }

    /// Appends bytes as they are; whether they fit.
    pub fn push(&mut self, bytes: &[u8]) -> bool {
        let place = self.buffer.get_mut(self.length..self.length + bytes.len());
        let fits = place.map(|place| place.copy_from_slice(bytes)).is_some();
        if fits {
            self.length += bytes.len();
        }
        fits
    }

    /// Appends a number in decimal digits.
    pub fn push_decimal(&mut self, number: u64) {
        self.push(Decimal::new(number).as_bytes());
    }

    /// Appends the lowest `digits` hexadecimal digits of a number, in lower case, highest first.
    pub fn push_hex(&mut self, number: u64, digits: u32) {
        for at in (0..digits).rev() {
            self.push(&[hex_digit(number.checked_shr(4 * at).unwrap_or(0))]);
        }
    }

    /// Appends what may stand between the quotes of a JSON string, at most `limit` bytes of it, cut between
    /// characters. Quotes, backslashes, control characters (C1 too), line separators and bytes that are no
    /// UTF-8 become `\u00XX` and their like.
    pub fn push_escaped(&mut self, text: &[u8], limit: usize) {
        let end = self.length.saturating_add(limit);
        for chunk in text.utf8_chunks() {
            for character in chunk.valid().chars() {
                let harmful = character.is_control() || matches!(character, '"' | '\\' | '\u{2028}' | '\u{2029}');
                let fits = if harmful {
                    self.push_code(u64::from(u32::from(character)), end)
                } else {
                    let bytes = &mut [0; 4];
                    let bytes = character.encode_utf8(bytes).as_bytes();
                    self.length + bytes.len() <= end && self.push(bytes)
                };
                if !fits {
                    return;
                }
            }
            for byte in chunk.invalid() {
                if !self.push_code(u64::from(*byte), end) {
                    return;
                }
            }
        }
    }

    /// The text so far.
    #[must_use]
    pub fn into_bytes(self) -> &'b [u8] {
        self.buffer.get(..self.length).unwrap_or_default()
    }

    /// `\uXXXX`: JSON's own short forms would be one more way to write each of them.
    fn push_code(&mut self, code: u64, end: usize) -> bool {
        let fits = self.length + 6 <= end.min(self.buffer.len());
        if fits {
            self.push(b"\\u");
            self.push_hex(code, 4);
        }
        fits
    }
}

/// The lower-case hexadecimal digit of a number's lowest four bits.
fn hex_digit(number: u64) -> u8 {
    let nibble = u32::try_from(number & 0xf).unwrap_or(0);
    char::from_digit(nibble, 16).map_or(b'0', |digit| digit as u8)
}

/// The number that 1 to 16 hexadecimal digits of either case are.
pub(super) fn parse_hex(digits: &[u8]) -> Option<u64> {
    if !(1..=16).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |number: u64, digit| {
        let digit = char::from(*digit).to_digit(16)?;
        Some(number << 4 | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &[u8], limit: usize) -> String {
        let mut buffer = [0; 256];
        let mut out = Text::new(&mut buffer);
        out.push_escaped(text, limit);
        String::from_utf8(out.into_bytes().to_vec()).unwrap()
    }

    #[test]
    fn escapes_what_could_end_a_string_or_a_line() {
        assert_eq!(escaped(b"plain text/1.0", 100), "plain text/1.0");
        assert_eq!(
            escaped(b"a\"b\\c\r\n\x1b[0m", 100),
            r"a\u0022b\u005cc\u000d\u000a\u001b[0m"
        );
        assert_eq!(escaped("é\u{85}\u{2028}🦀".as_bytes(), 100), "é\\u0085\\u2028🦀");
        assert_eq!(escaped(b"a\xff\xc3", 100), r"a\u00ff\u00c3");
    }

    #[test]
    fn cuts_between_characters_and_never_within_an_escape() {
        assert_eq!(escaped("éé".as_bytes(), 3), "é");
        assert_eq!(escaped(b"ab\n", 7), "ab");
        assert_eq!(escaped(b"ab\n", 8), r"ab\u000a");
    }

    #[test]
    fn what_does_not_fit_the_buffer_is_left_out() {
        let mut buffer = [0; 3];
        let mut text = Text::new(&mut buffer);
        assert!(text.push(b"ab"));
        assert!(!text.push(b"cd"));
        text.push_hex(0xc, 1);
        assert_eq!(text.into_bytes(), b"abc");
    }

    proptest! {
        #[test]
        fn any_bytes_become_the_inside_of_one_json_string(text: Vec<u8>, limit in 0_usize..300) {
            let escaped = escaped(&text, limit);
            prop_assert!(escaped.len() <= limit.min(256));
            prop_assert!(!escaped.chars().any(char::is_control));
            let parsed: String = serde_json::from_str(&format!("\"{escaped}\"")).unwrap();
            if let Ok(valid) = std::str::from_utf8(&text) {
                prop_assert!(valid.starts_with(&parsed));
            }
        }

        #[test]
        fn hexadecimal_digits_come_back(number: u64) {
            let mut buffer = [0; 16];
            let mut text = Text::new(&mut buffer);
            text.push_hex(number, 16);
            let digits = text.into_bytes();
            let expected = format!("{number:016x}");
            prop_assert_eq!(digits, expected.as_bytes());
            prop_assert_eq!(parse_hex(digits), Some(number));
            prop_assert_eq!(parse_hex(&digits.to_ascii_uppercase()), Some(number));
        }
    }
}
