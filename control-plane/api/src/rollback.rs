//! Reports of proxies on their canaries, as they arrive, and who compares them.

use ferromesh_model::rollback::Counts;
use serde::Deserialize;
use serde_json::Value;

/// Who sends a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reporter {
    /// Name of the mesh; of one that another account than the server's own owns, with `@` and the account.
    pub mesh: String,
    /// `virtualNode` or `virtualGateway`.
    pub kind: String,
    /// Name of the virtual node or gateway.
    pub name: String,
}

impl Reporter {
    /// Its name as in node ids: `mesh/M/virtualNode/N`.
    pub fn id(&self) -> String {
        let Self { mesh, kind, name } = self;
        format!("mesh/{mesh}/{kind}/{name}")
    }
}

/// What one worker of a proxy counted since its last report.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CanaryReport {
    /// Which worker: a random number.
    pub sender: u64,
    /// Its how-manieth report. One that comes again has the number of the first time.
    pub number: u64,
    /// The requests.
    pub canaries: Vec<CanaryCounts>,
}

/// Requests of one canary and its baseline.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CanaryCounts {
    /// The comparison that they belong to.
    pub key: String,
    /// Requests of the canary.
    pub canary: Counts,
    /// Requests of the baseline.
    pub baseline: Counts,
}

/// Why a report was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportRefused {
    /// Nobody compares canaries here.
    NoComparisons,
    /// The proxy's configuration has none of these canaries; the text says more.
    NotYours(String),
    /// The report is to come again later; the text says why.
    NotNow(String),
}

/// Compares canaries with their baselines over all proxies.
pub trait Comparisons: Send + Sync {
    /// Takes a report; the number of canaries in it that were counted, which is 0 if it came before.
    ///
    /// # Errors
    /// Nothing was counted.
    fn take(&self, reporter: &Reporter, report: &CanaryReport) -> Result<usize, ReportRefused>;

    /// What is being compared for a policy in a mesh of account `owner`, each a JSON object.
    fn running(&self, owner: &str, mesh: &str, policy: &str) -> Vec<Value>;
}

/// Nobody compares.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoComparisons;

impl Comparisons for NoComparisons {
    fn take(&self, _: &Reporter, _: &CanaryReport) -> Result<usize, ReportRefused> {
        Err(ReportRefused::NoComparisons)
    }

    fn running(&self, _: &str, _: &str, _: &str) -> Vec<Value> {
        Vec::new()
    }
}
