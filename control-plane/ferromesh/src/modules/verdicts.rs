//! What a rollout finds of a module: a set that did harm is left, so that neither a change of the mesh nor a restart tries it
//! again.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use ferromesh_api::{recorded_as, ApiError, Author};
use ferromesh_store::{AccountStore, Store};
use tokio::sync::broadcast::{error::RecvError, Receiver};
use tokio_util::sync::CancellationToken;

use super::{
    catalogue::Catalogue,
    keep::attempted,
    record::{Choice, BUILT_IN},
};
use crate::{
    identity::name_and_owner,
    rollout::{Outcome, Verdict},
};

/// Name under which the control plane's own changes are recorded.
const PRINCIPAL: &str = "(control plane)";

impl Catalogue {
    /// Gives a mesh the set that it had before, if the one that it has now is the one with these modules. Gives what it has
    /// then; `None`: nothing was to be done.
    ///
    /// Blocks on the disk.
    ///
    /// # Errors
    /// The store failed.
    pub fn take_back(
        &self,
        mesh: &str,
        harmful: &BTreeSet<&str>,
        reason: &str,
        at: f64,
    ) -> Result<Option<Choice>, ApiError> {
        let (mesh, owner) = name_and_owner(mesh);
        recorded_as(
            PRINCIPAL,
            self.store.as_ref(),
            "RollBackMeshModule",
            Some(mesh),
            at,
            |store| {
                let theirs = owner.map(|owner| AccountStore::new(store, owner));
                let store: &dyn Store = match &theirs {
                    Some(theirs) => theirs,
                    None => store,
                };
                let choice = Choice::read(store, mesh)?;
                if choice.version == BUILT_IN || choice.previous.is_none() || !self.has(&choice.version, harmful)? {
                    return Ok(None);
                }
                let by = Author {
                    principal: PRINCIPAL.to_owned(),
                    at,
                };
                attempted(|| self.try_to_roll_back(store, &by, mesh, Some(&choice.version), Some(reason)))
            },
        )
    }

    /// Whether a set has one of these modules.
    fn has(&self, version: &str, hashes: &BTreeSet<&str>) -> Result<bool, ApiError> {
        let sets = self.sets()?;
        let set = sets.iter().find(|set| set.version == version);
        let mut modules = set.into_iter().flat_map(|set| set.modules.values());
        Ok(modules.any(|module| hashes.contains(module.sha256.as_str())))
    }
}

/// Follows the verdicts of rollouts until `shutdown`.
pub async fn follow(catalogue: Arc<Catalogue>, mut verdicts: Receiver<Verdict>, shutdown: CancellationToken) {
    loop {
        let verdict = tokio::select! {
            () = shutdown.cancelled() => return,
            verdict = verdicts.recv() => match verdict {
                Ok(verdict) => verdict,
                Err(RecvError::Closed) => return,
                Err(RecvError::Lagged(missed)) => {
                    tracing::error!(missed, "verdicts of rollouts were missed: sets that did harm may still be chosen");
                    continue;
                }
            },
        };
        if verdict.outcome != Outcome::RolledBack || verdict.modules.is_empty() {
            continue;
        }
        let catalogue = Arc::clone(&catalogue);
        let taken_back = tokio::task::spawn_blocking(move || settle(&catalogue, &verdict));
        if let Err(error) = taken_back.await {
            tracing::error!(%error, "a mesh could not be given the modules that it had before");
        }
    }
}

fn settle(catalogue: &Catalogue, verdict: &Verdict) {
    let harmful = verdict
        .modules
        .iter()
        .filter_map(|module| module.after.as_deref())
        .collect();
    let reason = verdict.reason.as_deref().unwrap_or("the rollout was taken back");
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs_f64();
    match catalogue.take_back(&verdict.mesh, &harmful, reason, now) {
        Ok(Some(choice)) => {
            tracing::warn!(
                mesh = verdict.mesh,
                version = choice.version,
                reason,
                "module set taken back"
            );
        }
        Ok(None) => {}
        Err(error) => {
            tracing::error!(
                mesh = verdict.mesh,
                error = error.message,
                "the module set that did harm is still chosen"
            );
        }
    }
}
