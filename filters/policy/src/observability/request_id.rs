//! Request ids: what Envoy makes itself, for listeners that tell it not to.

use super::{Config, Text};
use crate::{Draws, View};

/// The request header.
pub const HEADER: &str = "x-request-id";

/// A random UUID (version 4, RFC 9562) in its text form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 36]);

impl RequestId {
    /// A new one.
    pub fn draw(draws: &mut Draws) -> Self {
        let high = (draws.number() & 0xffff_ffff_ffff_0fff) | 0x4000; // version 4
        let low = (draws.number() & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000; // variant 10
        let mut digits = [0; 32];
        let mut hex = Text::new(&mut digits);
        hex.push_hex(high, 16);
        hex.push_hex(low, 16);
        let mut text = *b"00000000-0000-0000-0000-000000000000";
        for (place, digit) in text.iter_mut().filter(|place| **place != b'-').zip(digits) {
            *place = digit;
        }
        Self(text)
    }

    /// The header's value.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The id to write; `None`: the request goes on with the one it has, or without. Only a request that may keep its
/// id is looked at.
pub fn decide<V: View>(config: &Config, view: &V, draws: &mut Draws) -> Option<RequestId> {
    let is_kept = || {
        let incoming = view.request_header(HEADER);
        incoming.is_some_and(|value| !value.as_ref().is_empty())
    };
    let is_made = config.request_id && !(config.keep_request_id && is_kept());
    is_made.then(|| RequestId::draw(draws))
}

impl std::fmt::Debug for RequestId {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_uuid_of_version_4() {
        for seed in 0..1000 {
            let id = RequestId::draw(&mut Draws::from_seed(seed));
            let text = std::str::from_utf8(id.as_bytes()).unwrap();
            let parts: Vec<usize> = text.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12]);
            assert_eq!(&text[14..15], "4");
            assert!("89ab".contains(&text[19..20]), "{text}");
            assert!(text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit()));
        }
    }
}
