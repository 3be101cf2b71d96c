//! A canary and its baseline on one route, as all proxies' requests are compared.

use ferromesh_policy::canary::RollbackConfig;

/// One comparison. Proxies with the same key take part in the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// What proxies report under.
    pub key: String,
    /// The policy that asks for it.
    pub policy: String,
    /// How often the policy's rollbacks were cleared.
    pub generation: u64,
    /// The virtual service of the route, as metrics name it.
    pub virtual_service: String,
    /// The route, as metrics name it.
    pub route: String,
    /// By which rules.
    pub rollback: RollbackConfig,
}
