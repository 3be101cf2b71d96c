//! What the filter decides on a route: our own policies as the filter's own configuration.

use ferromesh_model::policy::BudgetMode;
use ferromesh_model::resource::PortMapping;
use ferromesh_policy::mesh::{Labels, PluginConfig, RouteConfig, RoutePolicy};
use ferromesh_policy::{mesh, observability, retry};

use super::settings::Settings;
use super::Lowering;
use crate::cluster::ClusterId;
use crate::lint::Code;
use crate::route::{Label, Policy, Retry, Target};
use crate::Reporter;

/// Most retries that the filter's configuration takes.
const MAX_RETRIES: u32 = 1000;

/// The filter would refuse its configuration, which protects: requests must not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused;

/// What the filter decides; `None` where it has nothing to decide.
pub type Decided = Result<Option<Policy>, Refused>;

impl Settings<'_> {
    /// The filter's configuration where requests are sent, without what does not depend on the targets.
    fn route(&self, label: &Label, reporter: Reporter, targets: &[Target], retries: Option<&Retry>) -> RouteConfig {
        // A target of weight 0 has an empty interval of numbers, so leaving it out moves no other one. A ramp's steps have
        // a weight for each target, so there they stay.
        let has_ramp = self.canary.ramp.is_some();
        let live: Vec<&Target> = targets.iter().filter(|target| target.weight > 0 || has_ramp).collect();
        let weights = live.iter().map(|target| target.weight).collect();
        RouteConfig {
            targets: names(&live),
            canary: (live.len() > 1).then(|| self.canary.release(weights)),
            retry: retries
                .filter(|_| self.budget_mode() == BudgetMode::Filter)
                .map(|retries| retry::Config::native(retries.max_retries.min(MAX_RETRIES), self.window())),
            observability: self.observability(reporter == Reporter::Source),
            ..self.filtered(Labels {
                virtual_service: label.virtual_service.clone().unwrap_or_else(|| "-".into()),
                route: label.route.clone().unwrap_or_else(|| "-".into()),
            })
        }
    }

    /// The filter's configuration where a virtual node's requests arrive.
    fn arrival(&self, node: &str, mapping: PortMapping) -> RouteConfig {
        RouteConfig {
            targets: vec![node.to_owned()],
            observability: self.observability(false),
            ..self.filtered(Labels {
                // Which service a caller meant is not known here.
                virtual_service: "-".into(),
                route: format!("ingress-{}", mapping.port),
            })
        }
    }

    /// The members that are the user's word for word.
    fn filtered(&self, labels: Labels) -> RouteConfig {
        RouteConfig {
            labels,
            targets: Vec::new(),
            clusters: Vec::new(),
            canary: None,
            retry: None,
            observability: None,
            rate_limit: self.rate_limit.and_then(|(_, limits)| limits.local.clone()),
            circuit_breaker: self.circuit_breaker.cloned(),
            fault: self.fault.cloned(),
            headers: self.headers.cloned(),
        }
    }

    fn observability(&self, response_headers: bool) -> Option<observability::Config> {
        let told = &self.observability;
        let by_default = observability::Config::default();
        let traces = told.trace_context.unwrap_or_default().0;
        let config = observability::Config {
            metrics: told.enabled.unwrap_or(true),
            trace_context: traces.is_some(),
            trace_formats: traces.unwrap_or(by_default.trace_formats),
            request_id: told.request_id.unwrap_or(by_default.request_id),
            keep_request_id: told.keep_request_id.unwrap_or(by_default.keep_request_id),
            response_headers: told.response_headers.unwrap_or(response_headers),
            server_timing: told.server_timing.unwrap_or(by_default.server_timing),
            grpc: told.grpc.unwrap_or(by_default.grpc),
            app_mesh: told.app_mesh.unwrap_or(by_default.app_mesh),
            attempts: told.attempts,
            access_log: told.access_log.unwrap_or(by_default.access_log),
        };
        let tells = config.metrics
            || config.trace_context
            || config.response_headers
            || config.request_id
            || config.server_timing
            || config.access_log;
        tells.then_some(config)
    }

    /// The budget over a window, where one counts.
    pub fn window(&self) -> retry::BudgetConfig {
        let budget = self.retry.budget.unwrap_or_default();
        let by_default = retry::BudgetConfig::default();
        retry::BudgetConfig {
            ratio: budget.ratio.unwrap_or(by_default.ratio),
            min_per_second: budget.min_per_second.unwrap_or(by_default.min_per_second),
            window_seconds: budget.window_seconds.unwrap_or(by_default.window_seconds),
        }
    }
}

/// Whether requests must not pass without the filter.
fn protects(config: &RouteConfig) -> bool {
    config.rate_limit.is_some() || config.circuit_breaker.is_some()
}

/// Names of targets: the virtual node's, with the port where two targets are the same node.
fn names(targets: &[&Target]) -> Vec<String> {
    let node = |target: &Target| match &target.cluster {
        ClusterId::Node { node, port, .. } => (node.clone(), *port),
        ClusterId::Application { port, .. } => ("application".to_owned(), *port),
        ClusterId::Service { host, port, .. } => (host.clone(), *port),
        ClusterId::Keys { .. } | ClusterId::AmazonAws | ClusterId::AllowAll => ("elsewhere".to_owned(), 0),
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
    /// What the filter decides where requests are sent.
    pub fn route_policy(
        &mut self,
        settings: &Settings<'_>,
        label: &Label,
        targets: &[Target],
        retry: Option<&Retry>,
        resource: &str,
    ) -> Decided {
        let config = settings.route(label, self.sender(), targets, retry);
        let mut decided = self.decided(config, resource)?;
        if let Some(policy) = &mut decided {
            self.compare_overall(settings, &mut policy.config);
        }
        Ok(decided)
    }

    /// What the filter decides at a virtual node's ingress.
    pub fn ingress_policy(&mut self, settings: &Settings<'_>, mapping: PortMapping) -> Decided {
        let resource = format!("virtualNode/{}", self.name);
        self.decided(settings.arrival(self.name, mapping), &resource)
    }

    /// Compiles with the filter's own code. Policies are compiled before they are stored, so what is left are canaries for
    /// several routes, of which this one has other targets.
    fn decided(&mut self, mut config: RouteConfig, resource: &str) -> Decided {
        let mut compiled = compile(&config);
        if let (Some(canary), Err(problem)) = (&mut config.canary, &compiled) {
            if canary.ramp.is_some() || canary.rollback.is_some() {
                canary.ramp = None;
                canary.rollback = None;
                self.lint(
                    Code::NoRamp,
                    resource,
                    format!("it has no ramp and no rollback: {problem}"),
                );
                compiled = compile(&config);
            }
        }
        match compiled {
            Ok(compiled) => Ok(decides(&config).then(|| Policy {
                protects: protects(&config),
                writes_responses: compiled.writes_responses().is_some(),
                config,
            })),
            Err(problem) if protects(&config) => {
                let message = format!("the filter refuses its policy, which protects: answered with 503: {problem}");
                self.lint(Code::Refused, resource, message);
                Err(Refused)
            }
            Err(problem) => {
                self.lint(Code::FilterOff, resource, format!("the filter is off on it: {problem}"));
                Ok(None)
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
            reports: self.reports().filter(|_| reporter != mesh::Reporter::Destination),
            ..PluginConfig::new(self.mesh.name(), self.name, reporter)
        }
    }
}

fn decides(config: &RouteConfig) -> bool {
    config.canary.is_some()
        || config.retry.is_some()
        || config.observability.is_some()
        || config.fault.is_some()
        || config.headers.is_some()
        || protects(config)
}

fn compile(config: &RouteConfig) -> Result<RoutePolicy, String> {
    config.compile().map_err(|violations| {
        let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
        texts.join("; ")
    })
}
