//! What is global to one plugin: who reports, and (stand-alone) policies for routes that carry none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::route_config::check_name;
use super::RouteConfig;
use crate::canary::Destination;
use crate::retry::BudgetConfig;
use crate::{document, Violation};

const MAX_ROUTES: usize = 1_000;
const MAX_PLACE: usize = 2_048;
const FLUSH_MILLIS: std::ops::RangeInclusive<u64> = 10..=600_000;

/// A plugin's configuration: the same for all modules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PluginConfig {
    /// The mesh, a label of all metrics.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = super::route_config::MAX_NAME)))]
    pub mesh: String,
    /// The virtual node or virtual gateway that this Envoy is.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = super::route_config::MAX_NAME)))]
    pub node: String,
    /// Where on the way of a request this Envoy is.
    pub reporter: Reporter,
    /// Milliseconds between writes of metrics to the host, 10 to 600,000.
    #[serde(default = "PluginConfig::default_flush_millis")]
    #[cfg_attr(feature = "schema", schemars(range(min = *FLUSH_MILLIS.start(), max = *FLUSH_MILLIS.end())))]
    pub flush_millis: u64,
    /// Stand-alone: the policy of routes that carry none and are not in `routes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<RouteConfig>,
    /// Stand-alone: policies by the Envoy route's name, for routes that carry none; at most 1000.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if, extend("maxProperties" = MAX_ROUTES)))]
    pub routes: BTreeMap<String, RouteConfig>,
    /// Whether `default` is the policy of every stream. Nothing is read to find it then, but policies that
    /// routes carry are not in effect.
    #[serde(default, skip_serializing_if = "is_no")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if))]
    pub single: bool,
    /// What the plugin does as an upstream filter, which sees every attempt. It has no policies then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<UpstreamConfig>,
    /// Where counts of canaries are posted every 5 seconds, for the comparison over all proxies: an Envoy cluster and a
    /// path, as in `cluster/path`, at most 2,048 visible ASCII characters. Where Envoy has no such cluster nothing is
    /// sent. The control plane writes this itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_PLACE)))]
    pub reports: Option<String>,
}

/// What a plugin does as an upstream filter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UpstreamConfig {
    /// What the budget belongs to, 1 to 255 bytes: filters of one name and equal budgets share it.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = super::route_config::MAX_NAME)))]
    pub name: String,
    /// The budget of all retries, exact across workers. The attempt's number comes from the request header
    /// `x-envoy-attempt-count`, so the virtual host must include it.
    pub budget: BudgetConfig,
}

fn is_no(value: &bool) -> bool {
    !*value
}

/// Where on the way of a request an Envoy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub enum Reporter {
    /// At the edge of the mesh; the gateway counts as the source node.
    Gateway,
    /// Beside the node that sends.
    Source,
    /// Beside the node that answers; who sends is not known.
    Destination,
}

impl Reporter {
    /// The label's value.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

impl PluginConfig {
    fn default_flush_millis() -> u64 {
        1_000
    }

    /// A configuration without policies of its own.
    #[must_use]
    pub fn new(mesh: impl Into<String>, node: impl Into<String>, reporter: Reporter) -> Self {
        Self {
            mesh: mesh.into(),
            node: node.into(),
            reporter,
            flush_millis: Self::default_flush_millis(),
            default: None,
            routes: BTreeMap::new(),
            single: false,
            upstream: None,
            reports: None,
        }
    }

    /// Parses a configuration.
    ///
    /// # Errors
    /// Anything that is no JSON of this form; the violation names the field.
    pub fn parse(json: &[u8]) -> Result<Self, Violation> {
        document::parse(json)
    }

    /// All mistakes, those of its policies included; empty: valid.
    #[must_use]
    pub fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        found.extend(check_name("mesh", &self.mesh));
        found.extend(check_name("node", &self.node));
        if !FLUSH_MILLIS.contains(&self.flush_millis) {
            let (least, most) = (FLUSH_MILLIS.start(), FLUSH_MILLIS.end());
            let message = format!("{} ms must be {least} to {most} ms", self.flush_millis);
            found.push(Violation::new("flushMillis", message));
        }
        if self.routes.len() > MAX_ROUTES {
            let message = format!("{} routes; at most {MAX_ROUTES}", self.routes.len());
            found.push(Violation::new("routes", message));
        }
        if let Some(reports) = &self.reports {
            let is_visible = reports.bytes().all(|byte| byte.is_ascii_graphic());
            let is_place = Destination::new(reports).is_some();
            if !is_place || reports.len() > MAX_PLACE || !is_visible {
                let message = format!("must be cluster/path in at most {MAX_PLACE} visible ASCII characters");
                found.push(Violation::new("reports", message));
            }
        }
        if self.single && (self.default.is_none() || !self.routes.is_empty()) {
            let message = "a single policy is `default`, and there are no others";
            found.push(Violation::new("single", message));
        }
        if let Some(upstream) = &self.upstream {
            found.extend(check_name("upstream.name", &upstream.name));
            let budget = upstream.budget.check().into_iter();
            found.extend(budget.map(|violation| violation.within("upstream.budget")));
            if self.default.is_some() || !self.routes.is_empty() {
                let message = "an upstream filter has no policies of routes";
                found.push(Violation::new("upstream", message));
            }
        }
        let default = self.default.iter().map(|config| ("default".to_owned(), config));
        let routes = self
            .routes
            .iter()
            .map(|(name, config)| (format!("routes.{name}"), config));
        for (path, config) in default.chain(routes) {
            if let Err(violations) = config.compile() {
                found.extend(violations.into_iter().map(|violation| violation.within(&path)));
            }
        }
        found
    }
}
