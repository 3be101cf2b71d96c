//! What responses tell of a limit: the `ratelimit` and `ratelimit-policy` fields of draft-ietf-httpapi-ratelimit-headers-10,
//! and `retry-after` (RFC 9110, 10.2.3).
//!
//! Versions of the draft up to 6 had `ratelimit-limit`, `-remaining` and `-reset`, Envoy's own filters emit version 3 of
//! them with an `x-` before. Version 7 replaced the three by one field and 8 named the policies; only this form can
//! tell which of several limits is meant, and it is what the draft has kept since.

use crate::Decimal;

/// The response header that tells what is left.
pub const RATE_LIMIT_HEADER: &str = "ratelimit";
/// The response header that tells the limits.
pub const RATE_LIMIT_POLICY_HEADER: &str = "ratelimit-policy";
/// The response header that tells when to try again.
pub const RETRY_AFTER_HEADER: &str = "retry-after";

/// A name of 64 bytes in quotes and two numbers of 10 digits with their parameters are 92 bytes.
const CAPACITY: usize = 96;

/// What is left of the limit that has least left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub(super) limit: u8,
    /// Requests that are left, as far as this worker knows.
    pub remaining: u32,
    /// Seconds until all of them have come back; after a denial: until the next is admitted.
    pub reset_seconds: u32,
}

/// The response headers, rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields<'p> {
    /// The value of `ratelimit`.
    pub rate_limit: Field,
    /// The value of `ratelimit-policy`.
    pub policy: &'p [u8],
}

/// A field's value in place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Field {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Fields<'_> {
    /// The header writes in order; each replaces all values of the name.
    pub fn for_each_write(&self, mut write: impl FnMut(&'static str, Option<&[u8]>)) {
        write(RATE_LIMIT_POLICY_HEADER, Some(self.policy));
        write(RATE_LIMIT_HEADER, Some(self.rate_limit.as_bytes()));
    }
}

impl Field {
    pub(super) fn render(name: &str, told: &Told) -> Self {
        let mut field = Self {
            bytes: [0; CAPACITY],
            length: 0,
        };
        field.push(b"\"");
        field.push(name.as_bytes());
        field.push(b"\";r=");
        field.push(Decimal::new(u64::from(told.remaining)).as_bytes());
        field.push(b";t=");
        field.push(Decimal::new(u64::from(told.reset_seconds)).as_bytes());
        field
    }

    /// The value.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, bytes: &[u8]) {
        let room = self.bytes.get_mut(self.length..).unwrap_or_default();
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
            self.length += 1;
        }
    }
}

impl std::fmt::Debug for Field {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.as_bytes().escape_ascii())
    }
}
