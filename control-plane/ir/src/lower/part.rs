//! Parts that the lowerings of many proxies have in common: what a call to a service becomes.
//!
//! A thousand nodes that call the same hundred services would lower each of these a thousand times. What comes out depends
//! on who calls only by the caller's TLS policy and by policies for the caller's own requests; without the latter, the
//! first that calls has it lowered and the others take the same [`Backend`], by pointer, so that what is made of it
//! later is known to be the same too.
//!
//! A part is lowered in a lowering of its own. What that leaves behind, [`Lowering::absorb`] adds as if it had happened in
//! the caller's.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ferromesh_model::resource::{ClientPolicyTls, PortMapping};
use ferromesh_policy::mesh::UpstreamConfig;

use super::inputs::{Changes, Inputs};
use super::{port, Lowering};
use crate::cluster::{Cluster, ClusterId, RetryBudget};
use crate::rollback::Comparison;
use crate::route::{Domain, VirtualHost};
use crate::{Lint, Options, ProxyKind};

/// Parts of a mesh's lowerings, kept from one lowering to the next, also while the mesh changes: whoever changes it says so
/// ([`Memo::forget`]).
#[derive(Debug, Default)]
pub struct Memo {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// What they were lowered with.
    options: Option<Options>,
    by_service: HashMap<String, Parts>,
    /// How many were lowered since the beginning.
    made: u64,
}

#[derive(Debug, Default)]
struct Parts {
    ports: Option<Arc<Ports>>,
    backends: Vec<Arc<Backend>>,
}

/// The ports on which a service is called.
#[derive(Debug)]
pub(super) struct Ports {
    pub mappings: Vec<PortMapping>,
    inputs: Arc<Inputs>,
}

/// A service on one of its ports, as those call it who have the same TLS policy.
#[derive(Debug)]
pub(super) struct Backend {
    policy: Option<ClientPolicyTls>,
    dialled: PortMapping,
    pub host: Arc<VirtualHost>,
    clusters: Vec<Arc<Cluster>>,
    retry_budgets: BTreeMap<ClusterId, RetryBudget>,
    exact_budgets: Vec<Exact>,
    comparisons: BTreeMap<String, Comparison>,
    lints: Vec<Lint>,
    inputs: Arc<Inputs>,
}

/// A route that wants an exact budget at a target.
#[derive(Debug)]
pub(super) struct Exact {
    pub cluster: ClusterId,
    pub config: UpstreamConfig,
    /// The route.
    pub resource: String,
}

impl Memo {
    /// Forgets what changes of the mesh touch, and what no lowering's [`Inputs`] hold any more.
    pub fn forget(&self, changes: &Changes) {
        let is_kept = |inputs: &Arc<Inputs>| Arc::strong_count(inputs) > 1 && !inputs.are_touched_by(changes);
        self.lock().by_service.retain(|_, parts| {
            parts.ports.take_if(|ports| !is_kept(&ports.inputs));
            parts.backends.retain(|backend| is_kept(&backend.inputs));
            parts.ports.is_some() || !parts.backends.is_empty()
        });
    }

    /// How many services were lowered since the beginning, each for as many ports and TLS policies as it is called with.
    pub fn made(&self) -> u64 {
        self.lock().made
    }

    /// Before a lowering: with other options, everything is another.
    pub(super) fn prepare(&self, options: &Options) {
        let mut known = self.lock();
        if known.options.as_ref() != Some(options) {
            known.options = Some(options.clone());
            known.by_service.clear();
        }
    }

    fn ports(&self, service: &str) -> Option<Arc<Ports>> {
        self.lock().by_service.get(service)?.ports.clone()
    }

    fn backend(&self, service: &str, dialled: PortMapping, policy: Option<&ClientPolicyTls>) -> Option<Arc<Backend>> {
        let known = self.lock();
        let mut backends = known.by_service.get(service)?.backends.iter();
        let found = backends.find(|known| known.dialled == dialled && known.policy.as_ref() == policy);
        found.cloned()
    }

    /// A panic elsewhere leaves whole parts behind.
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lowering<'_> {
    /// The ports on which a backend is called.
    pub(super) fn backend_ports(&mut self, service: &str) -> Vec<PortMapping> {
        let Some(memo) = self.mesh.memo() else {
            return self.service_ports(service);
        };
        let ports = memo.ports(service).unwrap_or_else(|| {
            let part = self.part();
            let ports = Arc::new(Ports {
                mappings: part.service_ports(service),
                inputs: Arc::new(part.mesh.into_inputs()),
            });
            let mut known = memo.lock();
            known.by_service.entry(service.to_owned()).or_default().ports = Some(Arc::clone(&ports));
            ports
        });
        self.mesh.include(&ports.inputs);
        ports.mappings.clone()
    }

    /// The virtual host of a backend for these domains, of all that it is called by.
    pub(super) fn backend_host(
        &mut self,
        service: &str,
        dialled: PortMapping,
        domains: Vec<Domain>,
    ) -> Arc<VirtualHost> {
        let Some(backend) = self.shared_backend(service, dialled) else {
            return Arc::new(VirtualHost {
                name: service.to_owned(),
                domains,
                routes: self.service_routes(service, dialled),
            });
        };
        self.absorb(&backend);
        if backend.host.domains == domains {
            return Arc::clone(&backend.host);
        }
        Arc::new(VirtualHost {
            domains,
            ..VirtualHost::clone(&backend.host)
        })
    }

    /// What the call becomes for all who call alike; `None` where this proxy's name has a part in it.
    fn shared_backend(&mut self, service: &str, dialled: PortMapping) -> Option<Arc<Backend>> {
        let memo = self.mesh.memo()?;
        let shows_own = |policy: &ClientPolicyTls| policy.certificate.is_some();
        let is_own = self.kind != ProxyKind::VirtualNode
            || self.client_policy.as_ref().is_some_and(shows_own)
            || !self.mesh.policies_of(self.kind, self.name).is_empty();
        if is_own {
            return None;
        }
        let known = memo.backend(service, dialled, self.client_policy.as_ref());
        Some(known.unwrap_or_else(|| {
            let backend = Arc::new(self.lowered_backend(service, dialled));
            let mut known = memo.lock();
            known.made += 1;
            let parts = known.by_service.entry(service.to_owned()).or_default();
            parts.backends.push(Arc::clone(&backend));
            backend
        }))
    }

    fn lowered_backend(&self, service: &str, dialled: PortMapping) -> Backend {
        let mut part = self.part();
        let routes = part.service_routes(service, dialled);
        let retry_budgets = part.retry_budgets.clone();
        Backend {
            policy: part.client_policy.clone(),
            dialled,
            host: Arc::new(VirtualHost {
                name: service.to_owned(),
                domains: domains(service, port(dialled.port)).into(),
                routes,
            }),
            clusters: part.take_clusters(),
            retry_budgets,
            exact_budgets: part.exact_wanted,
            comparisons: part.comparisons,
            lints: part.lints.into_iter().collect(),
            inputs: Arc::new(part.mesh.into_inputs()),
        }
    }

    fn part(&self) -> Self {
        Self {
            client_policy: self.client_policy.clone(),
            limits: self.limits,
            is_part: true,
            ..Self::new(self.mesh.afresh(), self.kind, self.name, self.options)
        }
    }

    /// Adds what the lowering of a part has left behind. In what order its routes did so does not matter: clusters of one
    /// part agree, the most generous of budgets is the same however often it is compared, and exact ones stand in order.
    fn absorb(&mut self, part: &Backend) {
        self.mesh.include(&part.inputs);
        for cluster in &part.clusters {
            self.put_cluster(Arc::clone(cluster));
        }
        for (cluster, wanted) in &part.retry_budgets {
            self.want_budget(cluster, *wanted);
        }
        for wanted in &part.exact_budgets {
            self.want_exact_budget(&wanted.cluster, &wanted.config, &wanted.resource);
        }
        let comparisons = part.comparisons.iter();
        self.comparisons
            .extend(comparisons.map(|(key, comparison)| (key.clone(), comparison.clone())));
        self.lints.extend(part.lints.iter().cloned());
    }
}

/// The hosts by which a backend is called.
pub(super) fn domains(service: &str, port: u16) -> [Domain; 2] {
    let name = service.to_ascii_lowercase();
    let with_port = Domain::Exact(format!("{name}:{port}"));
    [Domain::Exact(name), with_port]
}
