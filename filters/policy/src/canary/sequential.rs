//! A test that may be looked at after every observation: is one error rate worse than another by a margin?
//!
//! For a hypothesis p <= q + margin (p: canary, q: baseline) the product
//! `(1 + s (X - p0))` over canary requests X times `(1 - r (Y - q0))` over baseline requests Y, with
//! `q0 = p0 - margin` and `r = s * canary requests / baseline requests`, has an expectation of at most 1 over a
//! block of requests with constant rates: with `u = q - q0` it is at most `(1 + us)^n (1 - ur)^m`, whose
//! logarithm is concave in u with slope `ns - mr = 0` at 0. Products of such blocks are a supermartingale, a
//! weighted mean of supermartingales (here over `p0`, `s` and the moment to start) is one too, and one that
//! begins at 1 ever reaches 1/a with a probability of at most a (Ville 1939).
//! Rates may differ from block to block, so what makes both versions fail is no evidence against one.

/// The mixture: baseline rates at the border of the hypothesis, and what the canary has on top of it. With
/// these, simulations of rates from 0 to 70 % find a canary within twice the least possible number of requests.
/// The second numbers are weights, of sum 1: most services fail rarely, and little harm is the hardest to see.
const BASELINES: [(f64, f64); 5] = [(0.0, 0.4), (0.01, 0.25), (0.04, 0.15), (0.15, 0.1), (0.45, 0.1)];
const EFFECTS: [(f64, f64); 3] = [(0.04, 0.5), (0.12, 0.3), (0.45, 0.2)];
const MEMBERS: usize = BASELINES.len() * EFFECTS.len();
/// No observation takes more than nine tenths of what was gained.
const MOST_AT_STAKE: f64 = 0.9;
/// e^60 is far above every threshold and far below infinity.
const LOG_LIMIT: f64 = 60.0;

/// Requests of one version and how many of them count against it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) requests: u64,
    pub(super) bad: u64,
}

/// The evidence against a hypothesis.
#[derive(Clone, Debug)]
pub(super) struct Test {
    margin: f64,
    /// The members of the mixture, times their weights.
    members: [f64; MEMBERS],
    /// Moments to start that have passed.
    starts: u32,
}

impl Test {
    /// `margin` in thousandths, at most 500.
    pub(super) fn new(margin_per_mille: u32) -> Self {
        Self {
            margin: f64::from(margin_per_mille) / 1000.0,
            members: [0.0; MEMBERS],
            starts: 0,
        }
    }

    /// A moment to start: start `k` has the weight `1 / (k (k + 1))`, all of them together 1. Evidence of
    /// what begins late is so not drowned by what was before.
    pub(super) fn start(&mut self) {
        self.starts = self.starts.saturating_add(1);
        let number = f64::from(self.starts);
        let weight = 1.0 / (number * (number + 1.0));
        for (member, setting) in self.members.iter_mut().zip(settings()) {
            *member += weight * setting.weight;
        }
    }

    /// One block of requests; both versions have some in it.
    pub(super) fn observe(&mut self, canary: Tally, baseline: Tally) {
        if canary.requests == 0 || baseline.requests == 0 {
            return;
        }
        let (canary_bad, canary_good) = split(canary);
        let (baseline_bad, baseline_good) = split(baseline);
        let ratio = (canary_bad + canary_good) / (baseline_bad + baseline_good);
        // A rate of exactly 0 at the border would leave no room for s.
        let least = if self.margin < 0.001 { 0.001 } else { 0.0 };
        for (member, setting) in self.members.iter_mut().zip(settings()) {
            let q = setting.baseline.max(least);
            let p = q + self.margin;
            let s = (setting.effect / (p * (1.0 - p)))
                .min(MOST_AT_STAKE / p)
                .min(MOST_AT_STAKE / (ratio * (1.0 - q)));
            let r = s * ratio;
            // libm and not f64::ln: the same bits on every platform.
            let gain = canary_bad * libm::log(1.0 + s * (1.0 - p))
                + canary_good * libm::log(1.0 - s * p)
                + baseline_bad * libm::log(1.0 - r * (1.0 - q))
                + baseline_good * libm::log(1.0 + r * q);
            *member *= libm::exp(gain.clamp(-LOG_LIMIT, LOG_LIMIT));
        }
    }

    /// The value of the supermartingale, with the starts that are still to come: 1 at first.
    pub(super) fn evidence(&self) -> f64 {
        let sum: f64 = self.members.iter().sum();
        sum + 1.0 / (f64::from(self.starts) + 1.0)
    }
}

struct Setting {
    baseline: f64,
    effect: f64,
    weight: f64,
}

/// The members of the mixture, in the order of [`Test::members`].
fn settings() -> impl Iterator<Item = Setting> {
    BASELINES.iter().flat_map(|(baseline, weight)| {
        EFFECTS.iter().map(move |(effect, share)| Setting {
            baseline: *baseline,
            effect: *effect,
            weight: weight * share,
        })
    })
}

fn split(tally: Tally) -> (f64, f64) {
    let bad = tally.bad.min(tally.requests);
    // Counts of requests are far below 2^52.
    #[allow(clippy::cast_precision_loss)]
    (bad as f64, (tally.requests - bad) as f64)
}
