//! Time that moves only when a test moves it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;
use std::time::Duration;

/// Wall time at which a virtual clock starts, in nanoseconds since 1970: 2025-01-01T00:00:00Z.
const EPOCH: u64 = 1_735_689_600_000_000_000;

/// A clock that stands still until it is moved. Copies show the same time, so several VMs can share one.
#[derive(Clone, Debug)]
pub struct Clock {
    nanoseconds: Arc<AtomicU64>,
    wall_start: u64,
}

impl Default for Clock {
    fn default() -> Self {
        Self::starting_at(Duration::from_nanos(EPOCH))
    }
}

impl Clock {
    /// A clock at its start.
    pub fn new() -> Self {
        Self::default()
    }

    /// A clock at its start, where the wall clock shows this time since 1970-01-01 UTC.
    pub fn starting_at(unix: Duration) -> Self {
        Self {
            nanoseconds: Arc::default(),
            wall_start: u64::try_from(unix.as_nanos()).unwrap_or(u64::MAX),
        }
    }

    /// Moves the clock on. It stops at about 584 years.
    pub fn advance(&self, by: Duration) {
        self.set(self.elapsed().saturating_add(by));
    }

    /// Sets the time since the start; also backwards, as a wall clock may do.
    pub fn set(&self, elapsed: Duration) {
        let nanoseconds = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX - EPOCH);
        self.nanoseconds
            .store(nanoseconds.min(u64::MAX - EPOCH), Ordering::Relaxed);
    }

    /// Time since the start: what the guest's monotonic clock shows.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }

    /// Wall time in nanoseconds since 1970. A [`new`](Self::new) clock starts on 2025-01-01T00:00:00Z.
    pub fn wall_nanoseconds(&self) -> u64 {
        self.wall_start.saturating_add(self.nanoseconds.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_show_the_same_time() {
        let clock = Clock::new();
        let copy = clock.clone();
        clock.advance(Duration::from_millis(1500));
        assert_eq!(copy.elapsed(), Duration::from_millis(1500));
        assert_eq!(copy.wall_nanoseconds(), EPOCH + 1_500_000_000);
    }

    #[test]
    fn stops_instead_of_overflowing() {
        let clock = Clock::new();
        clock.set(Duration::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.wall_nanoseconds(), u64::MAX);
    }
}
