//! Chance that is the same in every run.

/// Bytes from a seed: its own 8 bytes (little endian) first, so that a test chooses what a guest that
/// seeds itself once gets, then those of SplitMix64 (Steele, Lea, Flood 2014) started with it.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
    pending: Vec<u8>,
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut pending = seed.to_le_bytes().to_vec();
        pending.reverse();
        Self { state: seed, pending }
    }

    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.byte();
        }
    }

    fn byte(&mut self) -> u8 {
        loop {
            if let Some(byte) = self.pending.pop() {
                return byte;
            }
            self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            self.pending = word.to_be_bytes().to_vec();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_seed_first_and_then_something_else_however_it_is_cut() {
        let (mut whole, mut cut) = ([0; 24], [0; 24]);
        Random::new(7).fill(&mut whole);
        let mut random = Random::new(7);
        for piece in cut.chunks_mut(5) {
            random.fill(piece);
        }
        assert_eq!(whole, cut);
        assert_eq!(whole[..8], 7u64.to_le_bytes());
        assert_ne!(whole[8..16], whole[16..]);
        assert_ne!(whole[..8], whole[8..16]);
    }
}
