//! Retries: how many attempts beyond the first a request may cost, bounded by a budget.
//!
//! Envoy's router executes retries; the policy on the route is native. The filter only lowers the number
//! (`x-envoy-max-retries`) when the budget of the virtual service has fewer left, so that failing hops do
//! not multiply attempts. Stand-alone (`native: false`) it states the whole policy in request headers.

mod budget;
mod config;
mod exact;
mod headers;

pub use budget::{Budget, Grant};
pub use config::{BudgetConfig, Config, NonIdempotent};
pub use exact::{Attempt, ExactBudget};
pub use headers::{RequestHeaders, IDEMPOTENT_METHODS, NEVER_PROCESSED};

use crate::{View, Violation};
use headers::Methods;

/// The request header that lowers (or raises) the route's number of retries; 0 means none.
pub const MAX_RETRIES_HEADER: &str = "x-envoy-max-retries";

/// A compiled retry policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Retries that a request may cost when the budget allows.
    pub max_retries: u32,
    /// The settings of the budget that these come out of.
    pub budget: BudgetConfig,
    headers: Option<Headers>,
}

#[derive(Clone, Debug, PartialEq)]
struct Headers {
    idempotent: RequestHeaders,
    other: RequestHeaders,
    reads_method: bool,
}

impl Policy {
    /// Compiles.
    ///
    /// # Errors
    /// Numbers over their limits, unknown retry conditions, stand-alone fields on a native policy.
    pub fn compile(config: &Config) -> Result<Self, Vec<Violation>> {
        let violations = config.check();
        if !violations.is_empty() {
            return Err(violations);
        }
        let headers = (!config.native).then(|| Headers {
            idempotent: RequestHeaders::of(config, Methods::All),
            other: RequestHeaders::of(config, Methods::NotIdempotent),
            reads_method: config.non_idempotent == NonIdempotent::Safe,
        });
        Ok(Self {
            max_retries: config.max_retries,
            budget: config.budget.unwrap_or_default(),
            headers,
        })
    }

    /// Stand-alone: the headers that state this request's policy to Envoy; `None` where the route states it.
    pub fn headers<V: View>(&self, view: &V) -> Option<&RequestHeaders> {
        let headers = self.headers.as_ref()?;
        if !headers.reads_method {
            return Some(&headers.idempotent);
        }
        let method = view.request_header(":method");
        let idempotent =
            method.is_some_and(|method| IDEMPOTENT_METHODS.iter().any(|name| name.as_bytes() == method.as_ref()));
        Some(if idempotent {
            &headers.idempotent
        } else {
            &headers.other
        })
    }
}

#[cfg(test)]
mod tests;
