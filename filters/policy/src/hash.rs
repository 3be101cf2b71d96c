//! A 64-bit hash that gives the same number on every platform and in every release.
//!
//! Sticky choices are made from it, so a change here moves users: the constants are part of the behaviour
//! and the tests pin values. It is not meant against adversaries.

/// FNV-1a over the bytes, then a finaliser, so that all 64 bits depend on every byte.
pub(crate) fn hash64(bytes: &[u8]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in bytes {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    mix64(state)
}

/// SplitMix64's finaliser (Steele, Lea, Flood 2014): a bijection whose output bits each depend on all input bits.
pub(crate) fn mix64(mut state: u64) -> u64 {
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_the_same_numbers_for_ever() {
        // Computed apart from this code, from the definitions of FNV-1a and SplitMix64.
        assert_eq!(hash64(b""), 0xf52a_15e9_a9b5_e89b);
        assert_eq!(hash64(b"blue"), 0xd6ac_a0b0_b9ba_62b1);
    }
}
