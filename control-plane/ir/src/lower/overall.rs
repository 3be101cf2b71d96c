//! The control plane's part of a rollback: which comparison a route's requests belong to, and its verdict.

use ferromesh_model::url::component;
use ferromesh_policy::canary::{OverallConfig, RollbackConfig};
use ferromesh_policy::mesh::{Labels, RouteConfig};
use sha2::{Digest, Sha256};

use super::settings::Settings;
use super::Lowering;
use crate::rollback::Comparison;
use crate::ProxyKind;

/// Bytes of a comparison's key: 128 bits are never the same by chance.
const KEY_BYTES: usize = 16;

impl Lowering<'_> {
    /// Adds the control plane's part to a canary that is compared over all proxies.
    pub(super) fn compare_overall(&mut self, settings: &Settings<'_>, config: &mut RouteConfig) {
        let (Some(policy), Some(_)) = (settings.rollback_of, &self.options.reports_to) else {
            return;
        };
        let Some(canary) = &mut config.canary else { return };
        let Some(rollback) = canary.rollback.clone().filter(|rollback| rollback.across_proxies) else {
            return;
        };
        let known = self.mesh.rollbacks(policy);
        let generation = known.map_or(0, |known| known.generation);
        let key = key(self.mesh.name(), policy, generation, &config.labels, &rollback);
        let verdict = known.and_then(|known| known.verdicts.get(&key));
        canary.overall = Some(OverallConfig {
            key: key.clone(),
            rolled_back_unix_millis: verdict.map(|verdict| verdict.at_unix_millis),
        });
        let Labels { virtual_service, route } = config.labels.clone();
        let comparison = Comparison {
            key: key.clone(),
            policy: policy.to_owned(),
            generation,
            virtual_service,
            route,
            rollback,
        };
        self.comparisons.insert(key, comparison);
    }

    /// Where this proxy reports to, if it takes part in a comparison.
    pub(super) fn reports(&self) -> Option<String> {
        let cluster = self
            .options
            .reports_to
            .as_ref()
            .filter(|_| !self.comparisons.is_empty())?;
        let kind = match self.kind {
            ProxyKind::VirtualGateway => "virtualGateway",
            ProxyKind::VirtualNode => "virtualNode",
        };
        let mesh = match &self.options.mesh_owner {
            Some(owner) => component(&format!("{}@{owner}", self.mesh.name())),
            None => component(self.mesh.name()),
        };
        let name = component(self.name);
        Some(format!("{cluster}/v1/reports/canary/mesh/{mesh}/{kind}/{name}"))
    }
}

/// Not of the targets: one more of them beside the two changes nothing between these.
fn key(mesh: &str, policy: &str, generation: u64, labels: &Labels, rollback: &RollbackConfig) -> String {
    // Strings and numbers only: it cannot fail.
    let text = serde_json::to_string(&(mesh, policy, generation, labels, rollback)).unwrap_or_default();
    let digest = Sha256::digest(text);
    digest
        .iter()
        .take(KEY_BYTES)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
