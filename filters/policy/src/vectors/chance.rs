//! Where random cases come from: a seed, or the bytes of a fuzzer, which then chooses by changing bytes.

use crate::Draws;

/// A source of choices.
pub trait Chance {
    /// A number below `bound`; 0 when `bound` is 0.
    fn below(&mut self, bound: u64) -> u64;

    /// An index into something of this length.
    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// One of several.
    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.index(choices.len())]
    }

    /// `true` once in `times`.
    fn once_in(&mut self, times: u64) -> bool {
        // Not 0: a fuzzer's input that is used up gives zeros, and then the common case shall come.
        self.below(times) + 1 == times
    }

    /// Any bytes, fewer than `bound`.
    fn bytes(&mut self, bound: u64) -> Vec<u8> {
        let length = self.below(bound);
        (0..length)
            .map(|_| u8::try_from(self.below(256)).unwrap_or(0))
            .collect()
    }
}

impl Chance for Draws {
    fn below(&mut self, bound: u64) -> u64 {
        Draws::below(self, bound)
    }
}

/// Choices read from bytes; zeros when they are used up.
#[derive(Clone, Debug)]
pub struct Choices<'b> {
    bytes: &'b [u8],
}

impl<'b> Choices<'b> {
    /// The choices that these bytes are.
    #[must_use]
    pub fn new(bytes: &'b [u8]) -> Self {
        Self { bytes }
    }

    /// Whether only zeros are left.
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What is left.
    #[must_use]
    pub fn rest(&self) -> &'b [u8] {
        self.bytes
    }
}

impl Chance for Choices<'_> {
    fn below(&mut self, bound: u64) -> u64 {
        if bound <= 1 {
            return 0;
        }
        // As few bytes as can name every choice.
        let width = ((u64::BITS - (bound - 1).leading_zeros()).div_ceil(8)) as usize;
        let mut number = [0; 8];
        let (taken, rest) = self.bytes.split_at(width.min(self.bytes.len()));
        number[..taken.len()].copy_from_slice(taken);
        self.bytes = rest;
        u64::from_le_bytes(number) % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_name_every_choice_and_then_the_first_one() {
        let mut choices = Choices::new(&[3, 255, 1, 1]);
        assert_eq!(choices.below(1), 0);
        assert_eq!(choices.below(4), 3);
        assert_eq!(choices.below(1000), 0x01ff);
        assert_eq!(choices.below(1 << 40), 1);
        assert!(choices.is_used_up());
        assert_eq!((choices.below(9), choices.once_in(2)), (0, false));
    }
}
