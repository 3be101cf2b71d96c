//! Streams that wait for their delay to pass.

use std::time::Duration;

/// Streams that one VM holds at the same time. Beyond them requests go on at once: a fault that is not
/// injected harms nobody, memory that runs out everybody.
pub(super) const MAX_DELAYED: usize = 4_096;

/// When which stream goes on.
#[derive(Debug, Default)]
pub(super) struct Delays(Vec<(Duration, u32)>);

impl Delays {
    /// Holds a stream; `false`: too many wait already.
    pub(super) fn hold(&mut self, context: u32, until: Duration) -> bool {
        let has_room = self.0.len() < MAX_DELAYED && self.0.try_reserve(1).is_ok();
        if has_room {
            self.0.push((until, context));
        }
        has_room
    }

    /// A stream that waits no more.
    pub(super) fn due(&mut self, now: Duration) -> Option<u32> {
        let index = self.0.iter().position(|(until, _)| *until <= now)?;
        Some(self.0.swap_remove(index).1)
    }

    /// A stream is gone.
    pub(super) fn forget(&mut self, context: u32) {
        self.0.retain(|(_, held)| *held != context);
    }

    /// When the next stream goes on.
    pub(super) fn next(&self) -> Option<Duration> {
        self.0.iter().map(|(until, _)| *until).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_come_out_when_their_time_is_over() {
        let mut delays = Delays::default();
        let at = Duration::from_millis;
        assert!(delays.hold(1, at(30)) && delays.hold(2, at(10)) && delays.hold(3, at(20)));
        assert_eq!(delays.next(), Some(at(10)));
        delays.forget(3);
        assert_eq!(
            (delays.due(at(9)), delays.due(at(10)), delays.due(at(29))),
            (None, Some(2), None)
        );
        assert_eq!((delays.due(at(31)), delays.next()), (Some(1), None));
    }

    #[test]
    fn only_so_many_wait() {
        let mut delays = Delays::default();
        assert!((0..MAX_DELAYED as u32).all(|context| delays.hold(context, Duration::ZERO)));
        assert!(!delays.hold(9_999, Duration::ZERO));
    }
}
