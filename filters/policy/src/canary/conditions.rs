//! What a choice depends on besides the request: the time, the health of targets, a rollback.

use std::time::Duration;

/// The circumstances of one choice. The default ones: no time, no rollback, every target admits requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The wall clock, since 1970-01-01 UTC. Only a ramp reads it ([`super::Policy::is_ramped`]).
    pub unix: Duration,
    /// What [`super::Rollback::is_rolled_back`] says.
    pub rolled_back: bool,
    /// The targets that may get requests.
    pub admitting: Admitting,
}

/// A set of targets by index. A route has at most 100; an index of 128 or more is always in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admitting {
    /// Bits of the targets that are not in the set.
    refusing: u128,
}

impl Default for Admitting {
    fn default() -> Self {
        Self::ALL
    }
}

impl Admitting {
    /// Every target.
    pub const ALL: Self = Self { refusing: 0 };

    /// The set without this target.
    #[must_use]
    pub fn without(self, target: usize) -> Self {
        let bit = u32::try_from(target).ok().and_then(|shift| 1_u128.checked_shl(shift));
        Self {
            refusing: self.refusing | bit.unwrap_or(0),
        }
    }

    /// Whether this target is in the set.
    #[must_use]
    pub fn admits(self, target: usize) -> bool {
        self.without(target) != self || target >= 128
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_in_the_set_until_it_is_taken_out() {
        let set = Admitting::ALL.without(3).without(99).without(3).without(500);
        let refusing: Vec<usize> = (0..1000).filter(|target| !set.admits(*target)).collect();
        assert_eq!(refusing, [3, 99]);
    }
}
