//! Chance that a seed decides.

/// A source of choices: SplitMix64, so that a seed means the same for ever, whatever crates do.
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// Choices that follow from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number of `low..=high`.
    pub fn between(&mut self, low: usize, high: usize) -> usize {
        let span = (high.saturating_sub(low) as u64).saturating_add(1);
        low + usize::try_from(self.bits() % span).unwrap_or_default()
    }

    /// True `percent` times in a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.bits() % 100 < percent
    }

    /// One of several.
    ///
    /// # Panics
    /// There is none.
    pub fn of<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.between(0, among.len() - 1)]
    }

    /// One of several texts.
    ///
    /// # Panics
    /// There is none.
    pub fn text(&mut self, among: &[&str]) -> String {
        (*self.of(among)).to_owned()
    }

    /// Something `percent` times in a hundred.
    pub fn maybe<T>(&mut self, percent: u64, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance(percent).then(|| make(self))
    }

    /// Between `low` and `high` things.
    pub fn several<T>(&mut self, low: usize, high: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.between(low, high)).map(|_| make(self)).collect()
    }
}
