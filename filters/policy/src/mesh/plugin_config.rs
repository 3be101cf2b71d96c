//! What is global to one plugin: who reports, and (stand-alone) policies for routes that carry none.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::route_config::check_name;
use super::RouteConfig;
use crate::{field_path, Violation};

const MAX_ROUTES: usize = 1_000;
const FLUSH_MILLIS: std::ops::RangeInclusive<u64> = 10..=600_000;

/// A plugin's configuration: the same for all modules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PluginConfig {
    /// The mesh, a label of all metrics.
    pub mesh: String,
    /// The virtual node or virtual gateway that this Envoy is.
    pub node: String,
    /// Where on the way of a request this Envoy is.
    pub reporter: Reporter,
    /// Milliseconds between writes of metrics to the host, 10 to 600,000.
    #[serde(default = "PluginConfig::default_flush_millis")]
    pub flush_millis: u64,
    /// Stand-alone: the policy of routes that carry none and are not in `routes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<RouteConfig>,
    /// Stand-alone: policies by the Envoy route's name, for routes that carry none; at most 1000.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub routes: BTreeMap<String, RouteConfig>,
}

/// Where on the way of a request an Envoy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
        }
    }

    /// Parses a configuration.
    ///
    /// # Errors
    /// Anything that is no JSON of this form; the violation names the field.
    pub fn parse(json: &[u8]) -> Result<Self, Violation> {
        field_path::parse(json)
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
