//! What outlives a configuration: random numbers, retry budgets, limits, rollbacks and counters of one VM (one worker).

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use crate::breaker::{self, Breakers};
use crate::canary::{Delivery, Destination, Outbox, Report, RollbackRules, Watch};
use crate::headers::Rendered;
use crate::observability::Ledger;
use crate::rate_limit::Limiter;
use crate::retry::{Budget, BudgetConfig};
use crate::Draws;

/// States of one kind in one VM before those that no route uses any more are dropped.
const MAX_STATES: usize = 1_000;

/// The state of one VM, shared by its plugins and by their successive configurations.
#[derive(Debug)]
pub struct Vm {
    /// The VM's random numbers.
    pub draws: Draws,
    /// The VM's counters.
    pub ledger: Ledger,
    /// The VM's side of all rate limits.
    pub(crate) limiter: Limiter,
    /// Header values of the stream that is decided.
    pub(crate) rendered: Rendered,
    budgets: Registry<BudgetConfig, Budget>,
    watches: Registry<WatchKey, Watch>,
    outbox: Outbox,
    breakers: Registry<(String, Vec<String>, breaker::Policy), Breakers>,
}

/// A route, its targets, its rules, and which of the control plane's comparisons it takes part in.
pub(crate) type WatchKey = (String, Vec<String>, RollbackRules, Option<String>);

/// A state that routes share and that outlives them.
pub(crate) type SharedState<T> = Rc<RefCell<T>>;

/// What a state belongs to. Other settings are another state.
#[derive(Debug, PartialEq)]
struct Key<S> {
    mesh: String,
    virtual_service: String,
    settings: S,
}

/// States by what they belong to.
#[derive(Debug)]
struct Registry<S, T>(Vec<(Key<S>, SharedState<T>)>);

impl<S: PartialEq, T> Registry<S, T> {
    fn new() -> Self {
        Self(Vec::new())
    }

    /// The state that was there before, or a new one.
    fn get(&mut self, key: Key<S>, new: impl FnOnce(&S) -> T) -> SharedState<T> {
        if let Some((_, state)) = self.0.iter().find(|(known, _)| *known == key) {
            return Rc::clone(state);
        }
        if self.0.len() >= MAX_STATES {
            self.0.retain(|(_, state)| Rc::strong_count(state) > 1);
        }
        let state = Rc::new(RefCell::new(new(&key.settings)));
        self.0.push((key, Rc::clone(&state)));
        state
    }
}

impl Vm {
    /// A VM without history. `seed` determines its random numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            draws: Draws::from_seed(seed),
            ledger: Ledger::default(),
            limiter: Limiter::default(),
            rendered: Rendered::default(),
            budgets: Registry::new(),
            watches: Registry::new(),
            outbox: Outbox::default(),
            breakers: Registry::new(),
        }
    }

    /// The budget of a virtual service: the one it had before, if its settings are the same.
    pub(crate) fn budget(&mut self, mesh: &str, virtual_service: &str, settings: BudgetConfig) -> SharedState<Budget> {
        self.budgets.get(key(mesh, virtual_service, settings), Budget::new)
    }

    /// What is known of a route's canary: what was known before, if its targets and rules are the same.
    pub(crate) fn watch(&mut self, mesh: &str, virtual_service: &str, settings: WatchKey) -> SharedState<Watch> {
        self.watches
            .get(key(mesh, virtual_service, settings), |(_, _, rules, _)| {
                Watch::new(*rules)
            })
    }

    /// The report that is due, if any is.
    pub(crate) fn report<'a>(&'a mut self, now: Duration, to: &'a Destination) -> Option<Report<'a>> {
        let Self {
            watches, outbox, draws, ..
        } = self;
        if !outbox.is_due(now, draws) {
            return None;
        }
        let watches = watches.0.iter();
        outbox.take(
            now,
            to,
            watches.filter_map(|(key, watch)| Some((key.settings.3.as_deref()?, watch))),
        )
    }

    /// The report that was given out last has ended.
    pub fn report_ended(&mut self, delivery: Delivery) {
        self.outbox.ended(delivery);
    }

    /// The breakers of a route, or of a virtual service: those it had before, if targets and settings are the same.
    pub(crate) fn breakers(
        &mut self,
        mesh: &str,
        virtual_service: &str,
        settings: (String, Vec<String>, breaker::Policy),
    ) -> SharedState<Breakers> {
        self.breakers
            .get(key(mesh, virtual_service, settings), |(_, targets, policy)| {
                Breakers::new(policy, targets.len())
            })
    }
}

fn key<S>(mesh: &str, virtual_service: &str, settings: S) -> Key<S> {
    Key {
        mesh: mesh.to_owned(),
        virtual_service: virtual_service.to_owned(),
        settings,
    }
}
