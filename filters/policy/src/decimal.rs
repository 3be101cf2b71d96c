//! Numbers as header bytes without a heap allocation.

use std::fmt;

const DIGITS: usize = 20; // u64::MAX has 20 digits

/// A `u64` rendered in decimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    digits: [u8; DIGITS],
    start: usize,
}

impl Decimal {
    /// Renders `value`.
    #[must_use]
    pub fn new(value: u64) -> Self {
        let mut digits = [b'0'; DIGITS];
        let mut start = DIGITS;
        let mut rest = value;
        for (at, digit) in digits.iter_mut().enumerate().rev() {
            // A remainder of 10 fits a byte.
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
            start = at;
            if rest == 0 {
                break;
            }
        }
        Self { digits, start }
    }

    /// The digits, without leading zeros.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.digits.get(self.start..).unwrap_or_default()
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.as_bytes().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_as_the_standard_library_does() {
        for value in [0, 1, 9, 10, 99, 100, 12_345, u64::from(u32::MAX), u64::MAX] {
            assert_eq!(Decimal::new(value).as_bytes(), value.to_string().as_bytes());
        }
    }
}
