//! Canary: which of a route's weighted targets gets a request.
//!
//! The choice is a number in a header that Envoy's `weighted_clusters.header_name` reads, so it stays among
//! the route's own targets; without the filter Envoy draws by the same weights itself.
//! In this order: a tester's override, the sticky choice, a draw by weight. The weights are the native ones
//! or a ramp's; a rollback hands the canary's users to the baseline and moves nobody else; targets that admit
//! no requests are avoided as long as there is another.

mod conditions;
mod config;
mod cookie;
mod issued_cookie;
mod overall;
mod ramp;
mod rendezvous;
mod report;
mod rollback;
mod sequential;
mod sticky;

pub use conditions::{Admitting, Conditions};
pub use config::{Config, Tester, MAX_WEIGHT};
pub use issued_cookie::{CookieConfig, CookieId, SameSite, SetCookie, SetCookieValue};
pub use overall::OverallConfig;
pub use ramp::{Pause, RampConfig, RampStep, Shape};
pub use report::{Delivery, Report, MAX_AGE, MAX_CANARIES};
pub(crate) use report::{Destination, Outbox, Watch};
pub use rollback::{Cause, Confidence, Counts, LatencyMargin, Rollback, RollbackConfig, RollbackRules};
pub use sticky::{PathKey, SourceAddress, Sticky};

use std::time::Duration;

use crate::decimal::Decimal;
use crate::{Draws, Property, View, Violation};
use issued_cookie::{Held, IssuedCookie};
use overall::Overall;
use ramp::{Position, Ramp};
use rendezvous::Seed;
use sticky::Source;

/// The request header that carries the number to Envoy's router.
pub const PICK_HEADER: &str = "x-ferromesh-pick";

/// A compiled canary: everything that does not depend on the request is done.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    targets: Vec<Target>,
    sources: Vec<Source>,
    tester: Tester,
    ramp: Option<Ramp>,
    rollback: Option<RollbackRules>,
    overall: Option<Overall>,
}

#[derive(Clone, Debug, PartialEq)]
struct Target {
    name: String,
    seed: Seed,
    weight: u64,
    /// The middle of the target's interval of numbers, rendered; `None` for a weight of 0, which no number
    /// selects.
    number: Option<Decimal>,
}

/// A choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The target's index.
    pub target: usize,
    /// What it was made by.
    pub by: ChosenBy,
    /// The id to be set as a cookie on the response ([`Policy::set_cookie`]).
    pub cookie: Option<CookieId>,
}

/// What a choice was made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChosenBy {
    /// A tester's override. Such requests say little about a target's health.
    Tester,
    /// A key that keeps a user with their target.
    Key,
    /// A draw by weight.
    Draw,
}

impl ChosenBy {
    /// Its name in access logs.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Tester => "override",
            Self::Key => "sticky",
            Self::Draw => "weight",
        }
    }
}

/// The weights at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Weights<'p> {
    native: &'p [Target],
    ramped: Option<Position<'p>>,
}

impl Weights<'_> {
    /// A target's weight; 0 for an unknown target. On a ramp the weights are billionths, else native ones.
    #[must_use]
    pub fn of(&self, target: usize) -> u64 {
        match &self.ramped {
            Some(position) => position.share(target),
            None => self.native.get(target).map_or(0, |target| target.weight),
        }
    }
}

impl Policy {
    /// Compiles for targets in the order of Envoy's weighted clusters.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn compile(config: &Config, targets: &[String]) -> Result<Self, Vec<Violation>> {
        let violations = config.check(targets);
        if !violations.is_empty() {
            return Err(violations);
        }
        let mut start = 0;
        let compiled = targets.iter().zip(&config.weights).map(|(name, weight)| {
            let (begin, weight) = (start, u64::from(*weight));
            start += weight;
            Target {
                name: name.clone(),
                seed: Seed::new(name),
                weight,
                number: (weight > 0).then(|| Decimal::new(begin + weight / 2)),
            }
        });
        let tester = config.tester.clone().unwrap_or_default();
        let rollback = config.rollback.as_ref();
        let rollback = rollback.and_then(|rollback| RollbackRules::new(rollback, targets));
        let hold = rollback.and_then(|rules| rules.hold());
        Ok(Self {
            targets: compiled.collect(),
            sources: config.sticky.as_ref().map(Sticky::sources).unwrap_or_default(),
            tester: Tester {
                // Hosts look names up as they are stored: in lower case. Cookies keep their case.
                header: tester.header.map(|name| name.to_ascii_lowercase()),
                cookie: tester.cookie,
            },
            ramp: config.ramp.as_ref().map(Ramp::new),
            rollback,
            overall: config.overall.as_ref().map(|overall| Overall::new(overall, hold)),
        })
    }

    /// The target of this request under [`Conditions::default`]: its index.
    pub fn choose<V: View>(&self, view: &V, draws: &mut Draws) -> usize {
        self.decide(view, draws, &Conditions::default()).target
    }

    /// The target of this request. Reads only what the policy names.
    pub fn decide<V: View>(&self, view: &V, draws: &mut Draws, conditions: &Conditions) -> Choice {
        if let Some(target) = self.wish(view) {
            return Choice {
                target,
                by: ChosenBy::Tester,
                cookie: None,
            };
        }
        for source in &self.sources {
            if let Some(choice) = self.by_source(source, view, conditions) {
                return choice;
            }
        }
        if self.issued().is_some() {
            let cookie = CookieId::new(draws.number());
            if let Some(target) = self.by_key(&cookie.key(), conditions) {
                return Choice {
                    target,
                    by: ChosenBy::Key,
                    cookie: Some(cookie),
                };
            }
        }
        Choice {
            target: self.by_draw(draws, conditions),
            by: ChosenBy::Draw,
            cookie: None,
        }
    }

    /// Whether weights depend on the time, so that [`Conditions::unix`] is worth a read of the clock.
    #[must_use]
    pub fn is_ramped(&self) -> bool {
        self.ramp.is_some()
    }

    /// Whether responses may need a cookie.
    #[must_use]
    pub fn sets_cookies(&self) -> bool {
        self.issued().is_some()
    }

    /// The rules of this policy's rollback, to make a [`Rollback`] of.
    #[must_use]
    pub fn rollback(&self) -> Option<RollbackRules> {
        self.rollback
    }

    /// What requests are reported to the control plane under, where it compares over all proxies.
    #[must_use]
    pub fn overall_key(&self) -> Option<&str> {
        self.overall.as_ref().map(|overall| overall.key.as_str())
    }

    /// Whether the control plane has rolled the canary back, at a moment of the wall clock.
    #[must_use]
    pub fn is_rolled_back(&self, unix: Duration) -> bool {
        self.overall
            .as_ref()
            .is_some_and(|overall| overall.is_rolled_back(unix))
    }

    /// The `set-cookie` value that a response needs: to be added to the upstream's own, not to replace them.
    #[must_use]
    pub fn set_cookie(&self, id: CookieId) -> Option<SetCookieValue> {
        self.issued()?.render(id)
    }

    /// The weights at a moment of the wall clock: a ramp's from its start on, else the native ones.
    #[must_use]
    pub fn weights_at(&self, unix: Duration) -> Weights<'_> {
        Weights {
            native: &self.targets,
            ramped: self.ramp.as_ref().and_then(|ramp| ramp.at(unix)),
        }
    }

    /// The target of everybody with this key under [`Conditions::default`]; `None` for an empty key.
    #[must_use]
    pub fn sticky_choice(&self, key: &[u8]) -> Option<usize> {
        self.by_key(key, &Conditions::default())
    }

    /// A draw by weight under [`Conditions::default`].
    pub fn weighted_choice(&self, draws: &mut Draws) -> usize {
        self.by_draw(draws, &Conditions::default())
    }

    /// The header value that selects a target; `None` for an unknown one or one of weight 0.
    #[must_use]
    pub fn number(&self, target: usize) -> Option<&[u8]> {
        self.targets.get(target)?.number.as_ref().map(Decimal::as_bytes)
    }

    /// The target that a tester asks for, if Envoy can select it.
    fn wish<V: View>(&self, view: &V) -> Option<usize> {
        let header = self.tester.header.as_ref();
        let by_header = header
            .and_then(|name| view.request_header(name))
            .and_then(|wish| self.selectable(wish.as_ref()));
        by_header.or_else(|| {
            let name = self.tester.cookie.as_ref()?;
            let cookies = view.request_header("cookie")?;
            self.selectable(cookie::value(cookies.as_ref(), name.as_bytes())?)
        })
    }

    fn selectable(&self, name: &[u8]) -> Option<usize> {
        self.targets
            .iter()
            .position(|target| target.name.as_bytes() == name && target.number.is_some())
    }

    fn by_source<V: View>(&self, source: &Source, view: &V, conditions: &Conditions) -> Option<Choice> {
        let mut renewed = None;
        let target = match source {
            Source::Header(name) => self.by_key(view.request_header(name)?.as_ref(), conditions),
            Source::Cookie(name) => {
                let cookies = view.request_header("cookie")?;
                self.by_key(cookie::value(cookies.as_ref(), name.as_bytes())?, conditions)
            }
            Source::Managed(issued) => {
                let cookies = view.request_header("cookie")?;
                match issued.read(cookie::value(cookies.as_ref(), issued.name().as_bytes())?)? {
                    Held::Unsigned(value) => self.by_key(value, conditions),
                    Held::Current(id) => self.by_key(&id.key(), conditions),
                    Held::Outdated(id) => {
                        renewed = issued.is_set().then_some(id);
                        self.by_key(&id.key(), conditions)
                    }
                }
            }
            Source::Address => {
                let address = view.property(Property::SourceAddress)?;
                self.by_key(sticky::without_port(address.as_ref()), conditions)
            }
            Source::Query(name) => {
                let target = view.request_header(":path")?;
                self.by_key(sticky::query_value(target.as_ref(), name.as_bytes())?, conditions)
            }
            Source::Path => self.by_key(sticky::path_of(view.request_header(":path")?.as_ref()), conditions),
        };
        Some(Choice {
            target: target?,
            by: ChosenBy::Key,
            cookie: renewed,
        })
    }

    /// The cookie that this policy sets.
    fn issued(&self) -> Option<&IssuedCookie> {
        self.sources.iter().find_map(|source| match source {
            Source::Managed(issued) if issued.is_set() => Some(issued),
            _ => None,
        })
    }

    fn by_key(&self, key: &[u8], conditions: &Conditions) -> Option<usize> {
        if key.is_empty() {
            return None;
        }
        let weights = self.weights_at(conditions.unix);
        let choose = |conditions: &Conditions| {
            let candidates = self.targets.iter().enumerate();
            let candidates = candidates.map(|(index, target)| (target.seed, self.weight(&weights, index, conditions)));
            rendezvous::choose(key, candidates)
        };
        let chosen = choose(conditions).or_else(|| choose(&nobody_ejected(conditions)))?;
        Some(self.instead_of(chosen, conditions))
    }

    fn by_draw(&self, draws: &mut Draws, conditions: &Conditions) -> usize {
        let weights = self.weights_at(conditions.unix);
        let total = |conditions: &Conditions| -> u64 {
            let indexes = 0..self.targets.len();
            indexes.map(|index| self.weight(&weights, index, conditions)).sum()
        };
        let mut conditions = *conditions;
        let mut sum = total(&conditions);
        if sum == 0 {
            conditions = nobody_ejected(&conditions);
            sum = total(&conditions);
        }
        let mut left = draws.below(sum);
        let chosen = (0..self.targets.len()).find(|index| {
            let weight = self.weight(&weights, *index, &conditions);
            let is_here = left < weight;
            left = left.saturating_sub(weight);
            is_here
        });
        self.instead_of(chosen.unwrap_or(0), &conditions)
    }

    /// A target's weight in a choice: none if who is chosen in its place admits no requests.
    fn weight(&self, weights: &Weights<'_>, target: usize, conditions: &Conditions) -> u64 {
        if conditions.admitting.admits(self.instead_of(target, conditions)) {
            weights.of(target)
        } else {
            0
        }
    }

    /// The baseline for a canary that is rolled back; anyone else for themselves. After the choice and not by
    /// weight, because a baseline of more weight would win users of others too.
    fn instead_of(&self, target: usize, conditions: &Conditions) -> usize {
        match self.rollback {
            Some(rules) if conditions.rolled_back && target == rules.canary => rules.baseline,
            _ => target,
        }
    }
}

/// Where nobody admits requests, choosing goes on as if all did: the breaker or Envoy then answers.
fn nobody_ejected(conditions: &Conditions) -> Conditions {
    Conditions {
        admitting: Admitting::ALL,
        ..*conditions
    }
}

#[cfg(test)]
mod tests;
