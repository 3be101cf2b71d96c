//! SipHash-2-4 with a tag of 128 bits (Aumasson and Bernstein 2012): what signs our cookies, and what places the keys
//! of rate limits, so that a client that chooses its own cannot aim at the place of another's.
//!
//! Chosen over HMAC-SHA-256: it is a keyed function made for short messages, a forger without the key has
//! nothing better than guessing 2^128 tags, and these lines are a tenth of what SHA-256 adds to a module.

/// A secret key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    low: u64,
    high: u64,
}

struct State {
    v: [u64; 4],
    /// Bytes of the message's last, unfinished word.
    word: u64,
    length: u64,
}

impl Key {
    pub(crate) fn new(bytes: [u8; 16]) -> Self {
        let whole = u128::from_le_bytes(bytes);
        // Truncation is the point: the two halves of the key.
        #[allow(clippy::cast_possible_truncation)]
        let (low, high) = (whole as u64, (whole >> 64) as u64);
        Self { low, high }
    }

    pub(crate) fn of_words([low, high]: [u64; 2]) -> Self {
        Self { low, high }
    }

    /// The first 64 bits of a message's tag.
    pub(crate) fn hash(&self, message: &[u8]) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.tag(&[message]);
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// The tag of a message, given in parts.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut state = State {
            v: [
                self.low ^ 0x736f_6d65_7073_6575,
                // 0xee marks the long tag.
                self.high ^ 0x646f_7261_6e64_6f6d ^ 0xee,
                self.low ^ 0x6c79_6765_6e65_7261,
                self.high ^ 0x7465_6462_7974_6573,
            ],
            word: 0,
            length: 0,
        };
        for byte in parts.iter().copied().flatten() {
            state.push(*byte);
        }
        state.finish()
    }
}

impl State {
    fn push(&mut self, byte: u8) {
        self.word |= u64::from(byte) << (8 * (self.length % 8));
        self.length = self.length.wrapping_add(1);
        if self.length % 8 == 0 {
            self.compress(self.word);
            self.word = 0;
        }
    }

    fn compress(&mut self, word: u64) {
        self.v[3] ^= word;
        self.rounds(2);
        self.v[0] ^= word;
    }

    fn finish(mut self) -> [u8; 16] {
        self.compress(self.word | (self.length << 56));
        self.v[2] ^= 0xee;
        self.rounds(4);
        let first = self.folded();
        self.v[1] ^= 0xdd;
        self.rounds(4);
        (u128::from(first) | (u128::from(self.folded()) << 64)).to_le_bytes()
    }

    fn folded(&self) -> u64 {
        let [a, b, c, d] = self.v;
        a ^ b ^ c ^ d
    }

    fn rounds(&mut self, count: u32) {
        let [mut a, mut b, mut c, mut d] = self.v;
        for _ in 0..count {
            a = a.wrapping_add(b);
            b = b.rotate_left(13) ^ a;
            a = a.rotate_left(32);
            c = c.wrapping_add(d);
            d = d.rotate_left(16) ^ c;
            a = a.wrapping_add(d);
            d = d.rotate_left(21) ^ a;
            c = c.wrapping_add(b);
            b = b.rotate_left(17) ^ c;
            c = c.rotate_left(32);
        }
        self.v = [a, b, c, d];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(message: &[u8]) -> String {
        let key = Key::new(std::array::from_fn(|index| index as u8));
        key.tag(&[message]).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn gives_the_reference_tags() {
        // The key 00 01 … 0f and messages 00 01 …, as in the algorithm's published vectors.
        assert_eq!(tag(b""), "a3817f04ba25a8e66df67214c7550293");
        assert_eq!(tag(&[0]), "da87c1d86b99af44347659119b22fc45");
    }

    #[test]
    fn parts_are_one_message() {
        let key = Key::new([7; 16]);
        assert_eq!(key.tag(&[b"name", b"=", b"0123456789"]), key.tag(&[b"name=0123456789"]));
    }
}
