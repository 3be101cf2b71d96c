//! Changes reach one proxy, then a share, then all; what does harm is taken back.
//!
//! A [`Rollout`] stands between the publisher and the streams: it is a [`SnapshotSource`] around another, and is told
//! what happens on the streams. Each stream has a channel of its own, in which there is either what its proxy has proven to
//! take (the *accepted* snapshot) or what is being tried (the *candidate*).
//!
//! ```text
//! Published ──► Rollout ──► streams
//!   newest        │ validate  what Envoy itself says of a candidate
//!                 │ wave      which stream holds what, and until when: pure
//!                 │ evidence  what proxies report of their requests: pure
//!                 │ record    what was rejected or is on trial, in the store
//!                 ▼
//!              Verdict, Happening (events)
//! ```
//!
//! Endpoints and secrets are not tried: they reach everybody at once. See decision 0043.

mod accepted;
pub(crate) mod engine;
pub mod events;
pub mod evidence;
mod observe;
mod older;
mod operate;
pub mod record;
mod shown;
mod validate;
pub mod wave;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use ferromesh_store::Store;
use ferromesh_xds::SnapshotSource;
use serde::Serialize;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

pub use evidence::Report;
pub use validate::Validation;

use crate::{identity::ProxyKey, publisher::Publisher};

/// A source that says when it has changed, so that what changed together is tried together.
pub trait Published: SnapshotSource {
    /// Counts up after every publication, once all snapshots of it can be seen.
    fn publications(&self) -> watch::Receiver<u64>;

    /// The proxy that a node id means; `None`: it means none, and is refused when it subscribes.
    fn proxy(&self, node_id: &str) -> Option<ProxyKey>;

    /// Names of the modules that a proxy's newest snapshot has, with the SHA-256 of each.
    fn modules(&self, proxy: &ProxyKey) -> BTreeMap<String, String>;
}

impl Published for Publisher {
    fn publications(&self) -> watch::Receiver<u64> {
        self.publications()
    }

    fn proxy(&self, node_id: &str) -> Option<ProxyKey> {
        let identity = crate::identity::Identity::parse(node_id).ok()?;
        Some(self.key(&identity))
    }

    fn modules(&self, proxy: &ProxyKey) -> BTreeMap<String, String> {
        self.modules(proxy)
    }
}

/// How changes are rolled out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether there are stages at all; without them every change reaches everybody at once and is never taken back.
    pub is_staged: bool,
    /// How long a stage is watched after its proxies have acknowledged everything, until their agents have reported on all
    /// of it; 0 is acknowledgement only.
    pub observe: Duration,
    /// Whether other control planes work over the same store: then they take turns.
    pub is_shared: bool,
    /// The second stage, in percent of the streams that the change concerns, 1 to 100; at least one stream.
    pub share_percent: u8,
    /// The Envoy that judges every candidate before a proxy is given it, if there is one.
    pub validation: Option<Validation>,
    /// The file that remembers what was served, so that a store that has gone back is noticed; `None`: it is not.
    pub served: Option<PathBuf>,
}

impl Default for Settings {
    /// Staged; 3 s, in which a proxy reports three times and which leaves most of the 15 s in which harm is to be undone;
    /// 10 %; no validation.
    fn default() -> Self {
        Self {
            is_staged: true,
            observe: Duration::from_secs(3),
            is_shared: false,
            share_percent: 10,
            validation: None,
            served: None,
        }
    }
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Every proxy that it concerns has it.
    Accepted,
    /// It did harm, or could not be used: every proxy has what it had before.
    RolledBack,
    /// The resources were changed back while it was on trial.
    Withdrawn,
    /// Nobody has it: an operator has to approve it, because it removes too much.
    HeldBack,
}

impl Outcome {
    /// As in metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::RolledBack => "rolledBack",
            Self::Withdrawn => "withdrawn",
            Self::HeldBack => "heldBack",
        }
    }
}

/// A module that a candidate has and the accepted configuration does not, or the other way round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModuleChange {
    /// Its name: `mesh`, `lean`, or as it was added.
    pub name: String,
    /// SHA-256 that was accepted.
    pub before: Option<String>,
    /// SHA-256 in the candidate.
    pub after: Option<String>,
}

/// What was decided about a candidate.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The candidate: a hash over the proxies that it concerns and what they would have been given.
    pub id: String,
    /// Its mesh.
    pub mesh: String,
    /// The proxies that it concerns, in their order.
    pub proxies: Vec<String>,
    /// The resource types that it changes: `Cluster`, `Listener`, …
    pub types: Vec<String>,
    /// The modules that it changes.
    pub modules: Vec<ModuleChange>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, when it was not accepted.
    pub reason: Option<String>,
    /// How many streams had been given it when this was decided.
    pub reached: usize,
    /// When, in seconds since 1970.
    pub at_seconds: f64,
}

/// Changes in stages. Clones share everything.
#[derive(Clone)]
pub struct Rollout {
    shared: Arc<engine::Shared>,
}

impl Rollout {
    /// A rollout of what `inner` publishes. `store` remembers what was rejected. Nothing changes hands before [`Rollout::run`].
    pub fn new(
        inner: Arc<dyn Published>,
        store: Arc<dyn Store>,
        settings: Settings,
        events: Arc<events::Events>,
    ) -> Self {
        Self {
            shared: Arc::new(engine::Shared::new(inner, store, settings, events)),
        }
    }

    /// Decides, until `shutdown`.
    pub async fn run(self, shutdown: CancellationToken) {
        self.shared.run(shutdown).await;
    }

    /// Writes down what proxies have accepted, so that whoever they go to next knows it.
    pub async fn write_down(&self) {
        self.shared.write_all_accepted().await;
    }

    /// Everything that is decided from now on. Who is more than 256 verdicts behind misses some.
    pub fn verdicts(&self) -> broadcast::Receiver<Verdict> {
        self.shared.verdicts()
    }
}

#[cfg(test)]
mod tests;
