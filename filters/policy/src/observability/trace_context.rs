//! W3C Trace Context: `traceparent`, read and written.
//!
//! Source: W3C Trace Context, Recommendation of 23 November 2021, section 3.2.

use super::text::{parse_hex, Text};
use super::trace::{Sampling, Trace};

const LENGTH: usize = 55; // 00-<32>-<16>-<2>
const SAMPLED: u64 = 1; // the flags' lowest bit

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

/// The trace of a valid value.
pub(super) fn parse(value: &[u8]) -> Option<Trace> {
    let number = |from: usize, to: usize| value.get(from..to).and_then(parse_hex);
    if !is_valid(value) {
        return None;
    }
    let sampled = number(53, LENGTH)? & SAMPLED != 0;
    Some(Trace {
        high: number(3, 19)?,
        low: number(19, 35)?,
        span: Some(number(36, 52)?),
        parent: None,
        sampling: if sampled { Sampling::Accepted } else { Sampling::Denied },
    })
}

/// A value of version 00 for this trace.
pub(super) fn render(trace: &Trace, text: &mut Text<'_>) {
    text.push(b"00-");
    text.push_hex(trace.high, 16);
    text.push_hex(trace.low, 16);
    text.push(b"-");
    text.push_hex(trace.span.unwrap_or_default(), 16);
    let flags: &[u8] = match trace.sampling {
        Sampling::Denied => b"-00",
        Sampling::Deferred | Sampling::Accepted | Sampling::Debug => b"-01",
    };
    text.push(flags);
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
