//! The token bucket. Pure: the time is an argument, and the same arithmetic in the same order stands in `take.lua`, so that
//! both give the same bits.
//!
//! What is kept is what is used of a bucket, in requests, and when that was so. It falls by `requests` evenly over each
//! window. Kept in requests, a count goes on when the limit's numbers change.

use ferromesh_model::policy::Limit;

const MICROS: f64 = 1e6;
/// What rounding may add up to: a billionth of a request.
const TOLERANCE: f64 = 1e-9;

/// A limit's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Requests that an idle bucket admits at once, at least 1.
    pub capacity: u32,
    /// Requests that come back in each window, at least 1.
    pub requests: u32,
    /// The window in seconds, at least 1.
    pub window_seconds: u32,
}

/// What is kept of a bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Requests that are used.
    pub used: f64,
    /// When: microseconds since the clock's epoch.
    pub at_micros: u64,
}

impl From<&Limit> for Bucket {
    fn from(limit: &Limit) -> Self {
        Self {
            capacity: limit.capacity(),
            requests: limit.requests,
            window_seconds: limit.window_seconds,
        }
    }
}

impl Bucket {
    /// The window in microseconds.
    #[must_use]
    pub fn window_micros(&self) -> f64 {
        f64::from(self.window_seconds) * MICROS
    }

    /// Requests that are used now. A bucket that nothing is known of is unused. A clock that went back lets no time pass.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // Microseconds since 1970 have 51 bits.
    pub fn used(&self, level: Option<Level>, now_micros: u64) -> f64 {
        let Some(level) = level else { return 0.0 };
        let elapsed = now_micros.saturating_sub(level.at_micros) as f64;
        let used = level.used.min(f64::from(self.capacity));
        (used - elapsed * f64::from(self.requests) / self.window_micros()).max(0.0)
    }

    /// Whether as many hits more are admitted. None ask whether one would be; fewer than none always are, they give back.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // At most 32 bits.
    pub fn fits(&self, used: f64, hits: i64) -> bool {
        let asked = if hits == 0 { 1 } else { hits };
        hits < 0 || used + asked as f64 <= f64::from(self.capacity) + TOLERANCE
    }

    /// What is used after admitted hits.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // At most 32 bits.
    pub fn after(&self, used: f64, hits: i64) -> f64 {
        (used + hits as f64).max(0.0)
    }

    /// Whole requests that are left.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Between 0 and the capacity.
    pub fn remaining(&self, used: f64) -> u32 {
        (f64::from(self.capacity) - used + TOLERANCE).floor().max(0.0) as u32
    }

    /// Microseconds until nothing is used.
    #[must_use]
    pub fn until_unused(&self, used: f64) -> u64 {
        self.until_less(used)
    }

    /// Microseconds until as many hits fit; `None`: they never do, there are more than the bucket holds.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // At most 32 bits.
    pub fn until_fits(&self, used: f64, hits: i64) -> Option<u64> {
        let asked = hits.max(1);
        let room = i64::from(self.capacity) - asked;
        (room >= 0).then(|| self.until_less((used - room as f64).max(0.0)))
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Positive, and 7 days at most.
    fn until_less(&self, by: f64) -> u64 {
        (by * self.window_micros() / f64::from(self.requests)).ceil() as u64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bucket(capacity: u32, requests: u32, window_seconds: u32) -> Bucket {
        Bucket {
            capacity,
            requests,
            window_seconds,
        }
    }

    /// Takes one by one and keeps what is kept.
    fn take(bucket: Bucket, level: &mut Option<Level>, now_micros: u64, hits: i64) -> bool {
        let used = bucket.used(*level, now_micros);
        let fits = bucket.fits(used, hits);
        if fits {
            let used = bucket.after(used, hits);
            *level = Some(Level {
                used,
                at_micros: now_micros,
            });
        }
        fits
    }

    #[test]
    fn an_idle_bucket_admits_its_burst_and_then_its_rate() {
        let bucket = bucket(5, 10, 1);
        let mut level = None;
        let admitted = (0..8).filter(|_| take(bucket, &mut level, 1_000, 1)).count();
        assert_eq!(admitted, 5);
        let used = bucket.used(level, 1_000);
        assert_eq!(bucket.remaining(used), 0);
        assert_eq!(bucket.until_fits(used, 1), Some(100_000));
        assert_eq!(bucket.until_fits(used, 6), None);
        assert_eq!(bucket.until_unused(used), 500_000);
        assert!(!take(bucket, &mut level, 100_998, 1));
        assert!(take(bucket, &mut level, 101_000, 1));
        assert!(!take(bucket, &mut level, 101_000, 1));
    }

    #[test]
    fn no_hits_ask_whether_one_would_fit_and_negative_ones_give_back() {
        let bucket = bucket(1, 1, 60);
        let mut level = None;
        assert!(take(bucket, &mut level, 0, 0));
        assert!(take(bucket, &mut level, 0, 1));
        assert!(!take(bucket, &mut level, 0, 0));
        assert!(take(bucket, &mut level, 0, -5));
        assert_eq!(level.expect("a level").used, 0.0);
        assert!(take(bucket, &mut level, 0, 1));
    }

    #[test]
    fn a_smaller_limit_holds_at_once_and_a_clock_that_goes_back_gives_nothing() {
        let mut level = None;
        assert!(take(bucket(1_000, 1_000, 60), &mut level, 60_000_000, 900));
        let smaller = bucket(10, 10, 60);
        assert_eq!(smaller.used(level, 60_000_000), 10.0);
        assert_eq!(smaller.until_fits(10.0, 1), Some(6_000_000));
        assert_eq!(smaller.used(level, 0), 10.0);
    }

    /// A bucket in whole numbers: used times window, which falls by the requests in each microsecond.
    #[derive(Default)]
    struct Exact {
        used: u128,
        at: u64,
    }

    impl Exact {
        fn take(&mut self, bucket: Bucket, now: u64, hits: u32) -> bool {
            let window = u128::from(bucket.window_seconds) * 1_000_000;
            let back = u128::from(now - self.at) * u128::from(bucket.requests);
            self.used = self.used.saturating_sub(back);
            self.at = now;
            let after = self.used + u128::from(hits) * window;
            let fits = after <= u128::from(bucket.capacity) * window;
            if fits {
                self.used = after;
            }
            fits
        }
    }

    proptest! {
        #[test]
        fn floats_decide_as_whole_numbers_do(
            capacity in 1_u32..2_000,
            requests in 1_u32..2_000,
            window_seconds in 1_u32..100,
            steps in prop::collection::vec((0_u64..3_000_000, 1_u32..20), 1..200),
        ) {
            let bucket = bucket(capacity, requests, window_seconds);
            let (mut level, mut exact, mut now) = (None, Exact::default(), 1_800_000_000_000_000);
            exact.at = now;
            for (pause, hits) in steps {
                now += pause;
                prop_assert_eq!(take(bucket, &mut level, now, i64::from(hits)), exact.take(bucket, now, hits));
            }
        }

        #[test]
        fn what_is_admitted_is_never_more_than_burst_and_rate(
            capacity in 1_u32..100,
            requests in 1_u32..100,
            window_seconds in 1_u32..10,
            pauses in prop::collection::vec(0_u64..200_000, 1..500),
        ) {
            let bucket = bucket(capacity, requests, window_seconds);
            let (mut level, mut now, mut admitted) = (None, 0, 0_u64);
            for pause in &pauses {
                now += pause;
                admitted += u64::from(take(bucket, &mut level, now, 1));
                let back = now as f64 * f64::from(requests) / bucket.window_micros();
                prop_assert!(admitted as f64 <= f64::from(capacity) + back + 1e-3);
            }
        }

        #[test]
        fn after_the_time_that_is_told_it_fits(
            capacity in 1_u32..1_000_000,
            requests in 1_u32..1_000_000,
            window_seconds in 1_u32..86_400,
            share in 0.0..1.0_f64,
            hits in 1_i64..100,
        ) {
            let bucket = bucket(capacity, requests, window_seconds);
            let level = Level { used: f64::from(capacity) * share, at_micros: 7 };
            match bucket.until_fits(level.used, hits) {
                Some(wait) => {
                    let used = bucket.used(Some(level), 7 + wait);
                    prop_assert!(bucket.fits(used, hits));
                }
                None => prop_assert!(hits > i64::from(capacity)),
            }
        }
    }
}
