//! W3C Trace Context: whether an incoming `traceparent` is valid, and a new one.
//!
//! Source: W3C Trace Context, Recommendation of 23 November 2021, section 3.2.

use crate::Draws;

const LENGTH: usize = 55; // 00-<32>-<16>-<2>

/// A `traceparent` header's value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Traceparent([u8; LENGTH]);

impl Traceparent {
    /// A new trace: random ids, sampled.
    pub fn draw(draws: &mut Draws) -> Self {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-01";
        let ids = [draws.non_zero(), draws.non_zero(), draws.non_zero()];
        for (start, id) in [3, 19, 36].into_iter().zip(ids) {
            write_hex(text.iter_mut().skip(start).take(16), id);
        }
        Self(text)
    }

    /// The header's value.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Traceparent {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.0.escape_ascii())
    }
}

/// Whether a receiver must continue this trace. A later version than 00 is read as far as 00 goes.
#[must_use]
pub fn is_valid(value: &[u8]) -> bool {
    let Some((known, rest)) = value.split_at_checked(LENGTH) else {
        return false;
    };
    let mut fields = known.split(|byte| *byte == b'-');
    let (Some(version), Some(trace), Some(span), Some(flags), None) = (
        fields.next(),
        fields.next(),
        fields.next(),
        fields.next(),
        fields.next(),
    ) else {
        return false;
    };
    let lengths = [(version, 2), (trace, 32), (span, 16), (flags, 2)];
    let is_hex = |field: &[u8]| field.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let is_zero = |field: &[u8]| field.iter().all(|byte| *byte == b'0');
    lengths
        .iter()
        .all(|(field, length)| field.len() == *length && is_hex(field))
        && version != b"ff"
        && !is_zero(trace)
        && !is_zero(span)
        && (rest.is_empty() || (version != b"00" && rest.first() == Some(&b'-')))
}

/// Writes 16 lower-case hexadecimal digits, highest first.
pub(super) fn write_hex<'t>(into: impl Iterator<Item = &'t mut u8>, number: u64) {
    for (at, digit) in into.take(16).enumerate() {
        let nibble = (number >> (60 - 4 * at)) & 0xf;
        // A nibble has one hexadecimal digit.
        *digit = char::from_digit(u32::try_from(nibble).unwrap_or(0), 16).map_or(b'0', |c| c as u8);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn keeps_the_example_of_the_recommendation() {
        assert!(is_valid(SAMPLE.as_bytes()));
    }

    #[test]
    fn reads_a_later_version_as_far_as_it_knows_it() {
        assert!(is_valid(SAMPLE.replacen("00", "cc", 1).as_bytes()));
        assert!(is_valid(
            format!("{}-what-the-future", SAMPLE.replacen("00", "cc", 1)).as_bytes()
        ));
        assert!(!is_valid(format!("{}.what", SAMPLE.replacen("00", "cc", 1)).as_bytes()));
    }

    #[test]
    fn refuses_what_the_recommendation_calls_invalid() {
        for value in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-extra",
            "00-4bf92f3577b34da6a3ce929d0e0e47360-0f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        ] {
            assert!(!is_valid(value.as_bytes()), "{value}");
        }
    }

    proptest! {
        #[test]
        fn a_new_one_is_always_valid(seed: u64) {
            let made = Traceparent::draw(&mut Draws::from_seed(seed));
            prop_assert!(is_valid(made.as_bytes()));
        }

        #[test]
        fn any_valid_one_of_version_0_is_kept(trace in 1_u128.., span in 1_u64.., flags: u8) {
            let text = format!("00-{trace:032x}-{span:016x}-{flags:02x}");
            prop_assert!(is_valid(text.as_bytes()));
        }

        #[test]
        fn any_bytes_are_valid_or_not(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let _ = is_valid(&bytes);
        }

        #[test]
        fn any_flipped_byte_is_decided(at in 0_usize..55, with: u8) {
            let mut bytes = SAMPLE.as_bytes().to_vec();
            bytes[at] = with;
            let same_kind = match at {
                2 | 35 | 52 => with == b'-',
                _ => with.is_ascii_digit() || (b'a'..=b'f').contains(&with),
            };
            // One changed digit cannot make an id all zeros here, nor the version ff.
            prop_assert_eq!(is_valid(&bytes), same_kind);
        }
    }
}
