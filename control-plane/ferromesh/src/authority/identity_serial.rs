//! Serial numbers of proxies' certificates: each says when its certificate was made.
//!
//! The beginning of a certificate's life is no witness of that, since clocks of peers may go slow and it is set a little
//! earlier. Whoever revokes all certificates of a proxy up to a moment must not hit those that are made after it.

use std::time::{SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};

/// First byte, so that the number is positive and as long as it was made.
const MARK: u8 = 1;
/// Of 20 that are allowed (RFC 5280 4.1.2.2).
const LENGTH: usize = 16;

/// A number that was not given before: the time in milliseconds, and 72 random bits.
pub(super) fn new(now: SystemTime) -> Result<Vec<u8>, ring::error::Unspecified> {
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX).to_be_bytes();
    let mut serial = [0; LENGTH];
    SystemRandom::new().fill(&mut serial)?;
    serial[0] = MARK;
    serial[1..7].copy_from_slice(&millis[2..]);
    Ok(serial.to_vec())
}

/// When the certificate with this number was made, in seconds since 1970; `None` for numbers of other certificates.
pub fn made_at(serial: &str) -> Option<f64> {
    if serial.len() != 2 * LENGTH || !serial.starts_with("01") {
        return None;
    }
    let millis = u64::from_str_radix(serial.get(2..14)?, 16).ok()?;
    Some(millis as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_number_says_when_it_was_made_and_is_no_other() {
        let at = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let (one, other) = (new(at).unwrap(), new(at).unwrap());
        assert_ne!(one, other);
        let hex: String = one.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(made_at(&hex), Some(1_700_000_000.123));
        assert_eq!(made_at("00"), None);
        assert_eq!(made_at(&"ff".repeat(16)), None);
    }
}
