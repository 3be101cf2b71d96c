//! Marks in resources that say when a change was asked for: whoever receives the resource knows how long it took,
//! whatever the type and the server.

use std::time::{SystemTime, UNIX_EPOCH};

use memchr::memmem;

const PREFIX: &str = "ferromesh-stamp-";
/// Nanoseconds since 1970 have 19 digits until the year 2286.
const DIGITS: usize = 19;

/// A moment, in nanoseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(u64);

impl Stamp {
    /// What a resource holds that no change was made to.
    pub const NONE: Self = Self(0);

    /// This moment.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
    }

    /// Milliseconds from then to `self`.
    pub fn millis_since(self, then: Self) -> f64 {
        self.0.saturating_sub(then.0) as f64 / 1e6
    }

    /// Reads what [`std::fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?.get(..DIGITS)?;
        digits.parse().ok().map(Self)
    }

    /// The marks in an encoded resource, those of unchanged ones left out.
    pub fn find_all(bytes: &[u8]) -> impl Iterator<Item = Self> + '_ {
        memmem::find_iter(bytes, PREFIX)
            .filter_map(|at| bytes.get(at..at + PREFIX.len() + DIGITS))
            .filter_map(|mark| Self::parse(std::str::from_utf8(mark).ok()?))
            .filter(|stamp| *stamp != Self::NONE)
    }
}

impl std::fmt::Display for Stamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{PREFIX}{:0DIGITS$}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_in_the_middle_of_bytes_and_read_back() {
        let stamp = Stamp::now();
        let mut bytes = b"\x00\xff".to_vec();
        bytes.extend(stamp.to_string().into_bytes());
        bytes.extend(Stamp::NONE.to_string().into_bytes());
        assert_eq!(Stamp::find_all(&bytes).collect::<Vec<_>>(), [stamp]);
        assert_eq!(Stamp::find_all(b"ferromesh-stamp-12").count(), 0);
    }
}
