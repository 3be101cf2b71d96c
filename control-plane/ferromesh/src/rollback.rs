//! Canaries and their baselines, compared over all proxies.
//!
//! Proxies report counts; a comparison that finds a canary guilty beyond doubt stores a verdict beside the policy,
//! and the publisher puts it into the configuration of every proxy that has the route. What is known of canaries that are
//! not guilty is in memory only: a restart begins it anew, and a verdict outlives it.

mod comparison;
mod senders;

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, Mutex, MutexGuard, PoisonError,
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ferromesh_api::{CanaryReport, Comparisons, MetricsSource, ReportRefused, Reporter};
use ferromesh_ir::rollback;
use ferromesh_model::rollback::{Rollbacks, Verdict};
use ferromesh_store::{catalog, key, AccountStore, Compare, Store, StoreError, Transaction};
use serde_json::Value;

use crate::{
    identity::{name_and_owner, Identity, ProxyKey},
    publisher::Publisher,
};
use comparison::Comparison;
use senders::{Place, Senders};

/// A comparison that nobody has reported to for this long is forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Comparisons in memory, of a few hundred bytes for each proxy that takes part.
const MAX_COMPARISONS: usize = 100_000;

/// Attempts at storing a verdict before the next report has to try again.
const ATTEMPTS: usize = 8;

/// Where it is known which canaries a proxy has.
pub trait Configured: Send + Sync {
    /// Comparisons that a proxy's configuration takes part in; `None`: it has none from here yet.
    fn comparisons(&self, proxy: &ProxyKey) -> Option<Vec<rollback::Comparison>>;
}

impl Configured for Publisher {
    fn comparisons(&self, proxy: &ProxyKey) -> Option<Vec<rollback::Comparison>> {
        self.comparisons(proxy)
    }
}

/// All comparisons of one control plane.
pub struct Court {
    store: Arc<dyn Store>,
    configured: Arc<dyn Configured>,
    account: String,
    known: Mutex<Known>,
    taken: AtomicU64,
    repeated: AtomicU64,
    refused: AtomicU64,
    verdicts: AtomicU64,
}

#[derive(Default)]
struct Known {
    /// By the mesh, as proxies' keys name it, and their own key, which does not say whose mesh it is.
    comparisons: BTreeMap<(String, String), Comparison>,
    senders: Senders,
}

impl Court {
    /// Comparisons for the meshes of all accounts, over the store of a server whose own account is `account`.
    pub fn new(store: Arc<dyn Store>, configured: Arc<dyn Configured>, account: impl Into<String>) -> Self {
        Self {
            store,
            configured,
            account: account.into(),
            known: Mutex::default(),
            taken: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            verdicts: AtomicU64::new(0),
        }
    }

    /// A panic while the lock was held leaves counts that were added or not: both are evidence.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_at(&self, now: Duration, reporter: &Reporter, report: &CanaryReport) -> Result<usize, ReportRefused> {
        let proxy = self.identify(reporter)?;
        // After a restart reports may be faster than discovery: they are to come again.
        let configured = self
            .configured
            .comparisons(&proxy)
            .ok_or_else(|| ReportRefused::NotNow(format!("{proxy} has no configuration from here yet")))?;
        let own = |key: &str| configured.iter().find(|comparison| comparison.key == key);
        let counts: Vec<_> = report
            .canaries
            .iter()
            .filter_map(|counts| Some((own(&counts.key)?, counts)))
            .collect();
        if counts.is_empty() {
            return Err(ReportRefused::NotYours(format!(
                "canaries: none of these keys is in the configuration of {proxy}"
            )));
        }
        let mut known = self.lock();
        if known.senders.place(now, &proxy, report.sender, report.number) == Place::Before {
            self.repeated.fetch_add(1, Ordering::Relaxed);
            return Ok(0);
        }
        let mut undelivered = None;
        for (of, counts) in &counts {
            if let Err(error) = self.observe(&mut known, now, &proxy, of, counts) {
                undelivered = Some(error);
            }
        }
        known.forget(now);
        self.taken.fetch_add(1, Ordering::Relaxed);
        if let Some(error) = undelivered {
            // The counts are taken, and the verdict stands: the next report stores it.
            tracing::error!(%error, "a verdict cannot be stored yet");
        }
        Ok(counts.len())
    }

    fn identify(&self, reporter: &Reporter) -> Result<ProxyKey, ReportRefused> {
        let Reporter { mesh, kind, name } = reporter;
        let identity = Identity::parse(&format!("mesh/{mesh}/{kind}/{name}"))
            .map_err(|error| ReportRefused::NotYours(error.to_string()))?;
        Ok(identity.key_at(&self.account))
    }

    fn observe(
        &self,
        known: &mut Known,
        now: Duration,
        proxy: &ProxyKey,
        of: &rollback::Comparison,
        counts: &ferromesh_api::CanaryCounts,
    ) -> Result<(), StoreError> {
        let place = (proxy.mesh.clone(), of.key.clone());
        let stored = known.comparisons.get(&place);
        // What a comparison was told, or has decided, may have been taken back since: the policy deleted and made again.
        if stored.is_none_or(Comparison::has_decided) {
            let (mesh, _) = name_and_owner(&proxy.mesh);
            let before = self.in_part_of(&proxy.mesh, |store| catalog::rollback(store, mesh, &of.policy))?;
            let before = before.and_then(|(before, _)| before.verdicts.get(&of.key).cloned());
            let is_same = stored.is_some_and(|comparison| comparison.follows(before.as_ref()));
            if !is_same {
                if stored.is_none() && known.comparisons.len() >= MAX_COMPARISONS {
                    return Ok(());
                }
                let fresh = Comparison::new(&proxy.mesh, of, before.as_ref());
                known.comparisons.insert(place.clone(), fresh);
            }
        }
        let Some(comparison) = known.comparisons.get_mut(&place) else {
            return Ok(());
        };
        comparison.observe(now, proxy, counts.canary, counts.baseline);
        let Some(verdict) = comparison.undelivered() else {
            return Ok(());
        };
        let (mesh, _) = name_and_owner(&proxy.mesh);
        let is_stored = self.in_part_of(&proxy.mesh, |store| deliver(store, mesh, of, verdict))?;
        if is_stored {
            self.verdicts.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(
                mesh = proxy.mesh,
                policy = of.policy,
                virtual_service = of.virtual_service,
                route = of.route,
                canary = verdict.canary,
                baseline = verdict.baseline,
                cause = verdict.cause.as_str(),
                canary_requests = verdict.counts.canary.requests,
                canary_errors = verdict.counts.canary.errors,
                canary_slow = verdict.counts.canary.slow,
                baseline_requests = verdict.counts.baseline.requests,
                baseline_errors = verdict.counts.baseline.errors,
                baseline_slow = verdict.counts.baseline.slow,
                "canary rolled back"
            );
        }
        comparison.delivered();
        Ok(())
    }

    /// Does something in the part of the store that a mesh, as proxies' keys name it, stands in.
    fn in_part_of<T>(&self, mesh: &str, act: impl FnOnce(&dyn Store) -> T) -> T {
        match name_and_owner(mesh) {
            (_, Some(owner)) => act(&AccountStore::new(self.store.as_ref(), owner)),
            (_, None) => act(self.store.as_ref()),
        }
    }

    /// What is known of the rollbacks of all accounts, each with the name of its mesh as proxies' keys have it.
    fn stored(&self) -> Result<Vec<(String, Rollbacks)>, StoreError> {
        let own = catalog::rollbacks(self.store.as_ref())?.into_iter();
        let mut all: Vec<_> = own.map(|known| (known.mesh.clone(), known)).collect();
        for account in catalog::accounts(self.store.as_ref())? {
            let theirs = AccountStore::new(self.store.as_ref(), &account);
            let theirs = catalog::rollbacks(&theirs)?.into_iter();
            all.extend(theirs.map(|known| (format!("{}@{account}", known.mesh), known)));
        }
        Ok(all)
    }
}

/// Stores a verdict; `false`: the policy is gone or its rollbacks were cleared meanwhile, so it is about nothing.
fn deliver(store: &dyn Store, mesh: &str, of: &rollback::Comparison, verdict: &Verdict) -> Result<bool, StoreError> {
    let mut attempt = 1;
    loop {
        let policy_key = key::policy(mesh, &of.policy);
        let Some(policy) = store.get(&policy_key)? else {
            return Ok(false);
        };
        let before = catalog::rollback(store, mesh, &of.policy)?;
        let (mut known, modified) = match before {
            Some((known, modified)) => (known, Some(modified)),
            None => (Rollbacks::of(mesh, &of.policy), None),
        };
        if known.generation != of.generation {
            return Ok(false);
        }
        known.verdicts.insert(of.key.clone(), verdict.clone());
        let compares = vec![
            Compare::Unchanged {
                key: policy_key,
                modified: Some(policy.modified),
            },
            Compare::Unchanged {
                key: key::rollback(mesh, &of.policy),
                modified,
            },
        ];
        let changes = vec![catalog::put_rollback(&known)?];
        match store.commit(Transaction { compares, changes }) {
            Ok(_) => return Ok(true),
            Err(StoreError::Conflict(_)) if attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error),
        }
    }
}

impl Known {
    /// Comparisons end without a word, when a policy or a route changes.
    fn forget(&mut self, now: Duration) {
        self.comparisons
            .retain(|_, comparison| now.saturating_sub(comparison.reported_at()) < FORGET_AFTER);
    }
}

impl Comparisons for Court {
    fn take(&self, reporter: &Reporter, report: &CanaryReport) -> Result<usize, ReportRefused> {
        let taken = self.take_at(unix(), reporter, report);
        if let Err(refused) = &taken {
            self.refused.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(?reporter, ?refused, "report of canaries refused");
        }
        taken
    }

    fn running(&self, owner: &str, mesh: &str, policy: &str) -> Vec<Value> {
        let mesh = match owner == self.account {
            true => mesh.to_owned(),
            false => format!("{mesh}@{owner}"),
        };
        let known = self.lock();
        let of_policy = known
            .comparisons
            .values()
            .filter(|comparison| comparison.is_of(&mesh, policy));
        of_policy.map(Comparison::shown).collect()
    }
}

impl MetricsSource for Court {
    fn write(&self, text: &mut String) {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "# HELP ferromesh_canary_reports_total Reports of proxies on their canaries."
        );
        let _ = writeln!(text, "# TYPE ferromesh_canary_reports_total counter");
        for (result, number) in [
            ("taken", count(&self.taken)),
            ("repeated", count(&self.repeated)),
            ("refused", count(&self.refused)),
        ] {
            let _ = writeln!(text, "ferromesh_canary_reports_total{{result=\"{result}\"}} {number}");
        }
        let _ = writeln!(
            text,
            "# HELP ferromesh_canary_rollbacks_total Canaries rolled back over all proxies since the start."
        );
        let _ = writeln!(text, "# TYPE ferromesh_canary_rollbacks_total counter");
        let _ = writeln!(text, "ferromesh_canary_rollbacks_total {}", count(&self.verdicts));
        let Ok(stored) = self.stored() else {
            return;
        };
        let _ = writeln!(
            text,
            "# HELP ferromesh_canary_rolled_back Canaries whose requests go to the baseline."
        );
        let _ = writeln!(text, "# TYPE ferromesh_canary_rolled_back gauge");
        let now = u64::try_from(unix().as_millis()).unwrap_or(u64::MAX);
        for (mesh, known) in &stored {
            for verdict in known.verdicts.values().filter(|verdict| verdict.holds_at(now)) {
                let _ = writeln!(
                    text,
                    "ferromesh_canary_rolled_back{{mesh=\"{}\",policy=\"{}\",virtual_service=\"{}\",route=\"{}\",canary=\"{}\",cause=\"{}\"}} 1",
                    label(mesh),
                    label(&known.policy),
                    label(&verdict.virtual_service),
                    label(&verdict.route),
                    label(&verdict.canary),
                    verdict.cause.as_str(),
                );
            }
        }
    }
}

/// A label's value in Prometheus' text format.
fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn unix() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests;
