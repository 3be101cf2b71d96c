//! What outlives a configuration: random numbers, retry budgets and counters of one VM (one worker).

use std::cell::RefCell;
use std::rc::Rc;

use crate::observability::Ledger;
use crate::retry::{Budget, BudgetConfig};
use crate::Draws;

/// Budgets in one VM before those that no route uses any more are dropped.
const MAX_BUDGETS: usize = 1_000;

/// The state of one VM, shared by its plugins and by their successive configurations.
#[derive(Debug)]
pub struct Vm {
    /// The VM's random numbers.
    pub draws: Draws,
    /// The VM's counters.
    pub ledger: Ledger,
    budgets: Vec<(BudgetKey, SharedBudget)>,
}

pub(crate) type SharedBudget = Rc<RefCell<Budget>>;

/// A budget belongs to a virtual service; other settings are another budget.
#[derive(Debug, PartialEq)]
struct BudgetKey {
    mesh: String,
    virtual_service: String,
    settings: BudgetConfig,
}

impl Vm {
    /// A VM without history. `seed` determines its random numbers.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            draws: Draws::from_seed(seed),
            ledger: Ledger::default(),
            budgets: Vec::new(),
        }
    }

    /// The budget of a virtual service: the one it had before, if its settings are the same.
    pub(crate) fn budget(&mut self, mesh: &str, virtual_service: &str, settings: BudgetConfig) -> SharedBudget {
        let known = self
            .budgets
            .iter()
            .find(|(key, _)| key.mesh == mesh && key.virtual_service == virtual_service && key.settings == settings);
        if let Some((_, budget)) = known {
            return Rc::clone(budget);
        }
        if self.budgets.len() >= MAX_BUDGETS {
            self.budgets.retain(|(_, budget)| Rc::strong_count(budget) > 1);
        }
        let key = BudgetKey {
            mesh: mesh.to_owned(),
            virtual_service: virtual_service.to_owned(),
            settings,
        };
        let budget = Rc::new(RefCell::new(Budget::new(&settings)));
        self.budgets.push((key, Rc::clone(&budget)));
        budget
    }
}
