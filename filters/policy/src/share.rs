//! Shares of traffic: per cent as they are written, parts of a million as they are decided with.

use serde::{Deserialize, Serialize};

use crate::Draws;

const MILLION: u32 = 1_000_000;

/// A share in per cent, 0 to 100; what is finer than 0.0001 is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Percent(#[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))] pub f64);

/// A share in parts of a million, at most all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u32);

impl Percent {
    /// The share; `None` outside 0 to 100.
    #[must_use]
    pub fn share(self) -> Option<Share> {
        // Within the range the product fits; outside it nothing is cast.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (0.0..=100.0)
            .contains(&self.0)
            .then_some(Share((self.0 * 10_000.0 + 0.5) as u32))
    }
}

impl Share {
    /// Everything.
    pub const ALL: Self = Self(MILLION);

    /// Draws whether one request belongs to the share. A share of nothing or of everything draws nothing.
    pub fn draw(self, draws: &mut Draws) -> bool {
        match self.0 {
            0 => false,
            MILLION => true,
            share => draws.below(u64::from(MILLION)) < u64::from(share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_between_nothing_and_everything() {
        assert_eq!(Percent(100.0).share(), Some(Share::ALL));
        assert_eq!(Percent(0.0001).share(), Some(Share(1)));
        for wrong in [-0.1, 100.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Percent(wrong).share(), None);
        }
    }

    #[test]
    fn draws_its_share() {
        let mut draws = Draws::from_seed(1);
        let share = Percent(10.0).share().unwrap();
        let hits = (0..100_000).filter(|_| share.draw(&mut draws)).count();
        // Three standard deviations of 10 % of 100,000.
        assert!((9_715..=10_285).contains(&hits), "{hits}");
        assert!((0..1_000).all(|_| Share::ALL.draw(&mut draws)));
    }
}
