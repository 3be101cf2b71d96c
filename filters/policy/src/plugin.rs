//! A configured plugin: who it reports as, and the policies of the routes it has met.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::breaker::{Breakers, Per};
use crate::canary::{Destination, Report, Watch};
use crate::mesh::{Features, PluginConfig, Reporter, RouteConfig, RoutePolicy};
use crate::observability::{AppMesh, Block, Scope};
use crate::retry::{Budget, ExactBudget};
use crate::vm::SharedState;
use crate::{Property, View, Violation, Vm};

/// Routes in one generation of the cache; two generations are kept.
const GENERATION: usize = 512;
/// Bytes of names and policies, as they travel, in one generation. Measured: compiled they take about twice that.
const GENERATION_BYTES: usize = 1 << 20;
const UNKNOWN_NODE: &str = "unknown";

/// One plugin in effect.
#[derive(Debug)]
pub struct Plugin {
    names: Rc<Names>,
    reporter: Reporter,
    upstream: Option<ExactBudget>,
    is_single: bool,
    features: Features,
    flush: Duration,
    reports: Option<Destination>,
    default: Option<Rc<Route>>,
    routes: BTreeMap<String, Rc<Route>>,
    cache: Cache,
}

/// A route's policy with what it shares with others of its VM.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) policy: RoutePolicy,
    pub(crate) names: Rc<Names>,
    pub(crate) budget: Option<SharedState<Budget>>,
    pub(crate) watch: Option<SharedState<Watch>>,
    pub(crate) breakers: Option<SharedState<Breakers>>,
    pub(crate) block: Option<Block>,
}

/// Who this Envoy is.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) mesh: String,
    pub(crate) node: String,
    /// Whether the host tells of responses before the stream ends. Else there was one only if the end shows it.
    pub(crate) sees_responses: bool,
}

/// Policies by route name, bounded: a full generation becomes the old one and replaces the old one before.
/// A route without a policy is remembered as such.
#[derive(Debug, Default)]
struct Cache {
    young: BTreeMap<Box<[u8]>, Entry>,
    young_bytes: usize,
    old: BTreeMap<Box<[u8]>, Entry>,
}

#[derive(Debug)]
struct Entry {
    route: Option<Rc<Route>>,
    bytes: usize,
}

impl Cache {
    fn get(&mut self, name: &[u8]) -> Option<Option<Rc<Route>>> {
        if let Some(entry) = self.young.get(name) {
            return Some(entry.route.clone());
        }
        let (name, entry) = self.old.remove_entry(name)?;
        let route = entry.route.clone();
        self.put(name, entry);
        Some(route)
    }

    fn put(&mut self, name: Box<[u8]>, entry: Entry) {
        let bytes = name.len() + entry.bytes;
        if self.young.len() >= GENERATION || self.young_bytes + bytes > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += bytes;
        self.young.insert(name, entry);
    }
}

impl Plugin {
    /// Parses and compiles a plugin configuration. Budgets and counters whose keys are equal go on in `vm`.
    ///
    /// # Errors
    /// All mistakes with their paths; the plugin before then stays in effect.
    pub fn configure(json: &[u8], features: Features, vm: &mut Vm) -> Result<Self, Vec<Violation>> {
        let config = PluginConfig::parse(json).map_err(|violation| vec![violation])?;
        let violations = config.check();
        if !violations.is_empty() {
            return Err(violations);
        }
        let mut plugin = Self {
            upstream: config
                .upstream
                .as_ref()
                .map(|upstream| ExactBudget::new(&config.mesh, &upstream.name, upstream.budget)),
            is_single: config.single,
            names: Rc::new(Names {
                mesh: config.mesh,
                node: config.node,
                sees_responses: features.sees_responses(),
            }),
            reporter: config.reporter,
            features,
            flush: Duration::from_millis(config.flush_millis),
            reports: config.reports.as_deref().and_then(Destination::new),
            default: None,
            routes: BTreeMap::new(),
            cache: Cache::default(),
        };
        if let Some(default) = config.default {
            plugin.default = Some(plugin.bind(plugin.checked("default", default.compile()?)?, vm));
        }
        for (name, config) in config.routes {
            let policy = plugin.checked(&["routes.", &name].concat(), config.compile()?)?;
            let route = plugin.bind(policy, vm);
            plugin.routes.insert(name, route);
        }
        Ok(plugin)
    }

    /// The time between two flushes of the VM's counters.
    #[must_use]
    pub fn flush_period(&self) -> Duration {
        self.flush
    }

    /// The report to the control plane that is due, if any is. At most one is under way:
    /// [`Vm::report_ended`] says that it has ended.
    pub fn report<'a>(&'a self, vm: &'a mut Vm, now: Duration) -> Option<Report<'a>> {
        vm.report(now, self.reports.as_ref()?)
    }

    /// The budget that this plugin is for, where it runs as an upstream filter.
    pub(crate) fn upstream(&self) -> Option<&ExactBudget> {
        self.upstream.as_ref()
    }

    /// The policy of the stream's route, from the cache by the route's name, else from the route's metadata.
    /// Mistakes in a policy that is met for the first time come back once.
    pub(crate) fn route<V: View>(&mut self, view: &V, vm: &mut Vm) -> (Option<Rc<Route>>, Vec<Violation>) {
        if self.is_single {
            return (self.default.clone(), Vec::new());
        }
        let name = view.property(Property::RouteName);
        let name = name.as_ref().map(AsRef::as_ref).unwrap_or_default();
        if name.is_empty() {
            // Nothing to remember a policy by.
            return (self.default.clone(), Vec::new());
        }
        if let Some(route) = self.cache.get(name) {
            return (route, Vec::new());
        }
        let json = view.property(Property::RoutePolicy);
        let bytes = json.as_ref().map_or(0, |json| json.as_ref().len());
        let (route, violations) = match json {
            Some(json) => match self.compile(json.as_ref()) {
                Ok(policy) => (Some(self.bind(policy, vm)), Vec::new()),
                Err(violations) => (None, violations),
            },
            None => {
                let named = std::str::from_utf8(name).ok().and_then(|name| self.routes.get(name));
                (named.or(self.default.as_ref()).cloned(), Vec::new())
            }
        };
        let entry = Entry {
            route: route.clone(),
            bytes,
        };
        self.cache.put(name.into(), entry);
        (route, violations)
    }

    fn compile(&self, json: &[u8]) -> Result<RoutePolicy, Vec<Violation>> {
        let config = RouteConfig::parse(json).map_err(|violation| vec![violation])?;
        self.checked("", config.compile()?)
    }

    fn checked(&self, path: &str, policy: RoutePolicy) -> Result<RoutePolicy, Vec<Violation>> {
        match self.features.misses(&policy) {
            Some(violation) => Err(vec![violation.within(path)]),
            None => Ok(policy),
        }
    }

    fn bind(&self, policy: RoutePolicy, vm: &mut Vm) -> Rc<Route> {
        let policy = self.features.of(policy);
        let (mesh, service) = (self.names.mesh.as_str(), policy.labels.virtual_service.as_str());
        let budget = policy
            .retry
            .as_ref()
            .map(|retry| vm.budget(mesh, service, retry.budget));
        let canary = policy.canary.as_ref();
        let rules = canary.and_then(|canary| canary.rollback());
        let watch = rules.map(|rules| {
            let overall = canary.and_then(|canary| canary.overall_key()).map(str::to_owned);
            let settings = (policy.labels.route.clone(), policy.targets.clone(), rules, overall);
            vm.watch(mesh, service, settings)
        });
        let breakers = policy.breaker.as_ref().map(|breaker| {
            let settings = if breaker.per == Per::Target {
                (policy.labels.route.clone(), policy.targets.clone(), *breaker)
            } else {
                (String::new(), Vec::new(), *breaker)
            };
            vm.breakers(mesh, service, settings)
        });
        let counts = policy.observability.is_some_and(|config| config.metrics);
        let scope = Scope {
            mesh,
            reporter: self.reporter.label(),
            source_node: match self.reporter {
                Reporter::Gateway | Reporter::Source => &self.names.node,
                Reporter::Destination => UNKNOWN_NODE,
            },
            virtual_service: service,
            route: &policy.labels.route,
        };
        let app_mesh = policy.observability.filter(|config| config.app_mesh).map(|_| AppMesh {
            mesh,
            node: &self.names.node,
            reporter: self.reporter,
        });
        let block = if counts {
            vm.ledger.block_with(&scope, &policy.targets, app_mesh.as_ref())
        } else {
            None
        };
        Rc::new(Route {
            policy,
            names: Rc::clone(&self.names),
            budget,
            watch,
            breakers,
            block,
        })
    }
}
