//! How much may still happen: as much as the burst, and so much more each second.

use std::time::{Duration, Instant};

#[derive(Debug)]
pub(super) struct Allowance {
    per_second: f64,
    burst: f64,
    /// Below zero: so many are waiting.
    left: f64,
    as_of: Instant,
}

impl Allowance {
    /// Either number counts as one at least: nothing would ever happen.
    pub fn new(burst: u32, per_second: u32, now: Instant) -> Self {
        let burst = f64::from(burst.max(1));
        Self {
            per_second: f64::from(per_second.max(1)),
            burst,
            left: burst,
            as_of: now,
        }
    }

    /// One has happened.
    pub fn spend(&mut self, now: Instant) {
        self.refill(now);
        self.left -= 1.0;
    }

    /// `None`: one more may happen now; else when.
    pub fn next(&mut self, now: Instant) -> Option<Instant> {
        self.refill(now);
        (self.left < 1.0).then(|| now + Duration::from_secs_f64((1.0 - self.left) / self.per_second))
    }

    /// Takes a place in the queue: the time when one more may happen, after all that have a place already.
    ///
    /// # Errors
    /// It would be later than `patience` from now: no place is taken, and this is how long it would be.
    pub fn reserve(&mut self, now: Instant, patience: Duration) -> Result<Instant, Duration> {
        let at = self.next(now).unwrap_or(now);
        let wait = at.saturating_duration_since(now);
        if wait > patience {
            return Err(wait);
        }
        self.left -= 1.0;
        Ok(at)
    }

    /// Somebody who has reserved a place doesn't need it any more.
    pub fn give_back(&mut self) {
        self.left = (self.left + 1.0).min(self.burst);
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.as_of).as_secs_f64();
        self.left = (self.left + passed * self.per_second).min(self.burst);
        self.as_of = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Duration = Duration::from_millis(500);

    #[test]
    fn a_burst_is_read_at_once_and_then_so_many_a_second() {
        let start = Instant::now();
        let mut allowance = Allowance::new(3, 2, start);
        for _ in 0..3 {
            assert_eq!(allowance.next(start), None);
            allowance.spend(start);
        }
        assert_eq!(allowance.next(start), Some(start + HALF));
        let later = start + HALF;
        assert_eq!(allowance.next(later), None);
        allowance.spend(later);
        assert!(allowance.next(later).is_some());
        // Rest does not add up to more than the burst.
        let much_later = start + Duration::from_secs(3600);
        for _ in 0..3 {
            assert_eq!(allowance.next(much_later), None);
            allowance.spend(much_later);
        }
        assert!(allowance.next(much_later).is_some());
    }

    #[test]
    fn places_are_given_one_after_the_other_up_to_the_patience_and_can_be_given_back() {
        let start = Instant::now();
        let mut allowance = Allowance::new(2, 2, start);
        let mut reserve = |after| allowance.reserve(start + after, Duration::from_secs(1));
        assert_eq!(reserve(Duration::ZERO), Ok(start));
        assert_eq!(reserve(Duration::ZERO), Ok(start));
        assert_eq!(reserve(Duration::ZERO), Ok(start + HALF));
        assert_eq!(reserve(Duration::ZERO), Ok(start + 2 * HALF));
        assert_eq!(reserve(Duration::ZERO), Err(3 * HALF));
        assert_eq!(reserve(HALF), Ok(start + 3 * HALF), "who was refused has no place");
        assert!(reserve(HALF).is_err());
        allowance.give_back();
        assert!(allowance.reserve(start + HALF, Duration::from_secs(1)).is_ok());
    }
}
