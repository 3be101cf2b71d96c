//! Rollouts of changes to proxies, what proxies report of themselves, and events: who knows of them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use tokio::sync::broadcast;

use crate::rollback::{ReportRefused, Reporter};

/// What an operator can do to a mesh's rollouts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Nothing is tried any more; what is on trial stays where it is.
    Pause,
    /// It goes on.
    Resume,
    /// A candidate that was rejected is tried again.
    Retry(String),
    /// A candidate goes to everybody at once, without a trial.
    Skip(String),
    /// A candidate that removes much may be tried.
    Approve(String),
}

/// What one Envoy has counted since it started, as its agent reports it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProxyReport {
    /// Which run of an agent: `node.metadata.ferromesh.instance`, or the node's id.
    pub instance: String,
    /// Requests that its listeners have answered.
    pub requests: u64,
    /// Those answered with 5xx.
    pub errors: u64,
    /// Wasm VMs that died.
    pub vm_failures: u64,
    /// Worker threads that stood still for a second.
    #[serde(default)]
    pub stalls: u64,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// Whether it has been told to drain.
    pub is_draining: bool,
    /// How long ago it was counted, in milliseconds.
    #[serde(default)]
    pub age_millis: u64,
}

/// Rolls changes out.
pub trait Rollouts: Send + Sync {
    /// Every mesh of which there are proxies, each a JSON object with `mesh`.
    fn list(&self) -> Vec<Value>;

    /// One mesh.
    fn get(&self, mesh: &str) -> Option<Value>;

    /// Does what an operator wants; gives the mesh as it is then. Blocks on the store.
    ///
    /// # Errors
    /// There is no such mesh or candidate here, or the store does not take it: the text says which.
    fn turn(&self, mesh: &str, turn: &Turn) -> Result<Value, TurnRefused>;

    /// Takes a proxy's report.
    ///
    /// # Errors
    /// Nothing was taken.
    fn take(&self, reporter: &Reporter, report: &ProxyReport) -> Result<(), ReportRefused>;
}

/// Why a turn was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnRefused {
    /// There is no such mesh or candidate.
    Unknown(String),
    /// The store does not take it.
    Unavailable(String),
}

/// Something that has happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// Counts up from 1 in each life of the control plane.
    pub id: u64,
    /// `connected`, `disconnected`, `rejected`, `silent`, `answered`, `stage` or `verdict`.
    pub kind: &'static str,
    /// The mesh that it is of.
    pub mesh: String,
    /// A JSON object with `atSeconds`, `mesh`, and what the kind brings.
    pub body: Value,
}

/// What has happened, and what will.
#[derive(Debug)]
pub struct Followed {
    /// What is remembered of the past, the oldest first.
    pub past: Vec<Arc<Happening>>,
    /// What comes next.
    pub future: broadcast::Receiver<Arc<Happening>>,
}

/// Tells what happens.
pub trait Events: Send + Sync {
    /// What happens from now on, and what has happened after the event `after`, as far as it is remembered; without `after`
    /// only the future. A number that this life of the control plane has not given yet is of another life: everything
    /// that is remembered comes.
    fn follow(&self, after: Option<u64>) -> Followed;
}

/// Nothing is rolled out, and nothing happens.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRollouts;

impl Rollouts for NoRollouts {
    fn list(&self) -> Vec<Value> {
        Vec::new()
    }

    fn get(&self, _: &str) -> Option<Value> {
        None
    }

    fn turn(&self, mesh: &str, _: &Turn) -> Result<Value, TurnRefused> {
        Err(TurnRefused::Unknown(format!("no proxy of mesh {mesh:?} is known")))
    }

    fn take(&self, _: &Reporter, _: &ProxyReport) -> Result<(), ReportRefused> {
        Err(ReportRefused::NoComparisons)
    }
}

impl Events for NoRollouts {
    fn follow(&self, _: Option<u64>) -> Followed {
        Followed {
            past: Vec::new(),
            future: broadcast::Sender::new(1).subscribe(),
        }
    }
}
