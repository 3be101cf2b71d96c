//! What the filter decides on a route: our own policies, merged from wide to narrow, as the filter's own configuration.

use ferromesh_model::policy::{NonIdempotent, Override, Policy, PolicySpec, PolicyTarget, Sticky};
use ferromesh_model::resource::PortMapping;
use ferromesh_policy::mesh::{Labels, PluginConfig, RouteConfig};
use ferromesh_policy::{canary, mesh, observability, retry};

use super::Lowering;
use crate::cluster::ClusterId;
use crate::route::{Label, Retry, Target};
use crate::{ProxyKind, Reporter};

/// Most retries that the filter's configuration takes.
const MAX_RETRIES: u32 = 1000;

/// What holds for one route after all policies.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    sticky: Option<canary::Sticky>,
    tester: Option<canary::Override>,
    /// Whether anything is tried again at all.
    pub retry_enabled: bool,
    /// Whether requests that are not idempotent are tried again like any other.
    pub retry_non_idempotent: bool,
    budget: retry::BudgetConfig,
    metrics: bool,
    trace_context: bool,
    response_headers: Option<bool>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            sticky: None,
            tester: None,
            retry_enabled: true,
            retry_non_idempotent: false,
            budget: retry::BudgetConfig::default(),
            metrics: true,
            trace_context: true,
            response_headers: None,
        }
    }
}

impl Settings {
    fn apply(&mut self, spec: &PolicySpec) {
        if let Some(canary) = &spec.canary {
            match &canary.sticky {
                None => {}
                Some(Sticky::Header(name)) => self.sticky = Some(canary::Sticky::Header(name.clone())),
                Some(Sticky::Cookie(name)) => self.sticky = Some(canary::Sticky::Cookie(name.clone())),
                Some(Sticky::SourceAddress {}) => {
                    self.sticky = Some(canary::Sticky::SourceAddress(canary::SourceAddress {}));
                }
            }
            if let Some(Override::Header(header)) = &canary.r#override {
                self.tester = Some(canary::Override { header: header.clone() });
            }
        }
        if let Some(retry) = &spec.retry {
            set(&mut self.retry_enabled, retry.enabled);
            set(
                &mut self.retry_non_idempotent,
                retry.non_idempotent.map(|what| what == NonIdempotent::Retry),
            );
            if let Some(budget) = retry.budget {
                set(&mut self.budget.ratio, budget.ratio);
                set(&mut self.budget.min_per_second, budget.min_per_second);
                set(&mut self.budget.window_seconds, budget.window_seconds);
            }
        }
        if let Some(observability) = &spec.observability {
            set(&mut self.metrics, observability.enabled);
            set(&mut self.trace_context, observability.trace_context);
            self.response_headers = observability.response_headers.or(self.response_headers);
        }
    }

    /// The filter's configuration where requests are sent; `None` if it has nothing to decide.
    ///
    /// # Errors
    /// The filter would refuse it.
    pub fn route(
        &self,
        label: &Label,
        reporter: Reporter,
        targets: &[Target],
        retries: Option<&Retry>,
    ) -> Result<Option<RouteConfig>, String> {
        // A target of weight 0 has an empty interval of numbers, so leaving it out moves no other one.
        let live: Vec<&Target> = targets.iter().filter(|target| target.weight > 0).collect();
        let config = RouteConfig {
            labels: Labels {
                virtual_service: label.virtual_service.clone().unwrap_or_else(|| "-".into()),
                route: label.route.clone().unwrap_or_else(|| "-".into()),
            },
            targets: names(&live),
            clusters: Vec::new(),
            canary: (live.len() > 1).then(|| canary::Config {
                weights: live.iter().map(|target| target.weight).collect(),
                sticky: self.sticky.clone(),
                tester: self.tester.clone(),
            }),
            retry: retries.map(|retries| retry::Config::native(retries.max_retries.min(MAX_RETRIES), self.budget)),
            observability: self.observability(self.response_headers.unwrap_or(reporter == Reporter::Source)),
        };
        checked(config)
    }

    fn observability(&self, response_headers: bool) -> Option<observability::Config> {
        (self.metrics || self.trace_context || response_headers).then(|| observability::Config {
            metrics: self.metrics,
            trace_context: self.trace_context,
            response_headers,
            ..observability::Config::default()
        })
    }

    /// The filter's configuration where a virtual node's requests arrive; `None` if it has nothing to decide.
    fn arrival(&self, node: &str, mapping: PortMapping) -> Result<Option<RouteConfig>, String> {
        checked(RouteConfig {
            labels: Labels {
                // Which service a caller meant is not known here.
                virtual_service: "-".into(),
                route: format!("ingress-{}", mapping.port),
            },
            targets: vec![node.to_owned()],
            clusters: Vec::new(),
            canary: None,
            retry: None,
            observability: self.observability(false),
        })
    }
}

fn set<T>(value: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *value = new;
    }
}

fn checked(config: RouteConfig) -> Result<Option<RouteConfig>, String> {
    if config.canary.is_none() && config.retry.is_none() && config.observability.is_none() {
        return Ok(None);
    }
    match config.compile() {
        Ok(_) => Ok(Some(config)),
        Err(violations) => {
            let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
            Err(texts.join("; "))
        }
    }
}

/// Names of targets: the virtual node's, with the port where two targets are the same node.
fn names(targets: &[&Target]) -> Vec<String> {
    let node = |target: &Target| match &target.cluster {
        ClusterId::Node { node, port, .. } => (node.clone(), *port),
        ClusterId::Application { port, .. } => ("application".to_owned(), *port),
        ClusterId::AmazonAws | ClusterId::AllowAll => ("elsewhere".to_owned(), 0),
    };
    let named: Vec<(String, u16)> = targets.iter().map(|target| node(target)).collect();
    named
        .iter()
        .map(|(name, port)| {
            let twice = named.iter().filter(|(other, _)| other == name).count() > 1;
            if twice {
                format!("{name}:{port}")
            } else {
                name.clone()
            }
        })
        .collect()
}

impl Lowering<'_> {
    /// What holds for a route of a virtual service. Narrower targets win member by member: mesh, then the node or gateway
    /// that sends, then virtual service, then route.
    pub fn settings(&self, service: Option<&str>, route: Option<(&str, &str)>) -> Settings {
        let breadth = |policy: &Policy| match &policy.target {
            PolicyTarget::Mesh {} => Some(0),
            PolicyTarget::VirtualNode(node) => {
                (self.kind == ProxyKind::VirtualNode && service.is_some() && node == self.name).then_some(1)
            }
            PolicyTarget::VirtualGateway(gateway) => {
                (self.kind == ProxyKind::VirtualGateway && gateway == self.name).then_some(1)
            }
            PolicyTarget::VirtualService(name) => (Some(name.as_str()) == service).then_some(2),
            PolicyTarget::Route { router, name } => (route == Some((router.as_str(), name.as_str()))).then_some(3),
        };
        let mut applying: Vec<(i32, &Policy)> = self
            .mesh
            .policies
            .iter()
            .filter_map(|policy| Some((breadth(policy)?, policy)))
            .collect();
        applying.sort_by(|(a, left), (b, right)| a.cmp(b).then_with(|| left.name.cmp(&right.name)));
        let mut settings = Settings::default();
        for (_, policy) in applying {
            settings.apply(&policy.spec);
        }
        settings
    }

    /// The filter's configuration at a virtual node's ingress.
    pub fn ingress_policy(&mut self, mapping: PortMapping) -> Option<RouteConfig> {
        match self.settings(None, None).arrival(self.name, mapping) {
            Ok(policy) => policy,
            Err(problem) => {
                let resource = format!("virtualNode/{}", self.name);
                self.lint(
                    resource,
                    format!("the filter is off on port {}: {problem}", mapping.port),
                );
                None
            }
        }
    }

    /// The filter's own configuration.
    pub fn plugin_config(&self, reporter: Reporter) -> PluginConfig {
        let reporter = match reporter {
            Reporter::Gateway => mesh::Reporter::Gateway,
            Reporter::Source => mesh::Reporter::Source,
            Reporter::Destination => mesh::Reporter::Destination,
        };
        PluginConfig {
            flush_millis: u64::try_from(self.options.flush_interval.as_millis()).unwrap_or(u64::MAX),
            ..PluginConfig::new(&self.mesh.name, self.name, reporter)
        }
    }
}
