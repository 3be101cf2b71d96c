//! The response header `server-timing`: how long the mesh and what is behind it took, for browsers and for people.
//!
//! Source: W3C Server Timing, section 3: metrics with parameters `dur` (milliseconds) and `desc`. An upstream's own
//! metrics stay, so the header is added to them and replaces nothing.

use std::time::Duration;

use super::text::Text;

/// The response header.
pub const HEADER: &str = "server-timing";
/// The longest value, in bytes.
pub const CAPACITY: usize = 80;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerTiming {
    /// From the request headers to the response headers.
    pub duration: Duration,
    /// Attempts, the first included, where they were read.
    pub attempts: Option<u32>,
}

impl ServerTiming {
    /// The value: `ferromesh;dur=12.345, attempts;desc=2`.
    #[must_use]
    pub fn render<'b>(&self, buffer: &'b mut [u8; CAPACITY]) -> &'b [u8] {
        let micros = u64::try_from(self.duration.as_micros()).unwrap_or(u64::MAX);
        let mut text = Text::new(buffer);
        text.push(b"ferromesh;dur=");
        text.push_decimal(micros / 1_000);
        text.push(b".");
        for unit in [100, 10, 1] {
            text.push_decimal(micros / unit % 10);
        }
        if let Some(attempts) = self.attempts {
            text.push(b", attempts;desc=");
            text.push_decimal(u64::from(attempts));
        }
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(duration: Duration, attempts: Option<u32>) -> String {
        let timing = ServerTiming { duration, attempts };
        String::from_utf8(timing.render(&mut [0; CAPACITY]).to_vec()).unwrap()
    }

    #[test]
    fn tells_milliseconds_and_attempts() {
        assert_eq!(
            text(Duration::from_micros(12_045), Some(2)),
            "ferromesh;dur=12.045, attempts;desc=2"
        );
        assert_eq!(text(Duration::ZERO, None), "ferromesh;dur=0.000");
    }

    #[test]
    fn the_longest_value_fits() {
        let longest = text(Duration::MAX, Some(u32::MAX));
        assert_eq!(longest, "ferromesh;dur=18446744073709551.615, attempts;desc=4294967295");
        assert!(longest.len() <= CAPACITY);
    }
}
