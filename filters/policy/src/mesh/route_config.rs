//! A route's policy as it travels in the route's own metadata.

use serde::{Deserialize, Serialize};

use super::RoutePolicy;
use crate::{breaker, canary, document, fault, headers, observability, rate_limit, retry, Violation};

const MAX_TARGETS: usize = 100;
pub(super) const MAX_NAME: usize = 255;

/// A route's policy, JSON in one string leaf of the route's metadata (`ferromesh`, `policy`).
///
/// A feature without a member has nothing to decide on this route.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteConfig {
    /// What the route is called in metrics and response headers.
    pub labels: Labels,
    /// The names of the target nodes in the order of Envoy's weighted clusters, 1 to 100.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_TARGETS), inner(length(min = 1, max = MAX_NAME))))]
    pub targets: Vec<String>,
    /// The Envoy clusters of the targets in the same order; absent: named like the targets. Only used to
    /// tell which target answered where no canary has chosen it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(!skip_serializing_if))]
    pub clusters: Vec<String>,
    /// Which target a request gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<canary::Config>,
    /// How often it may be retried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<retry::Config>,
    /// What is told about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observability: Option<observability::Config>,
    /// How many requests it admits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<rate_limit::Config>,
    /// When a target that fails gets no more requests for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_breaker: Option<breaker::Config>,
    /// What goes wrong on purpose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<fault::Config>,
    /// What becomes of headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<headers::Config>,
}

/// What a route is called in metrics and response headers. Each 1 to 255 bytes, no control characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Labels {
    /// The virtual service that the route leads to.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_NAME)))]
    pub virtual_service: String,
    /// The route.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_NAME)))]
    pub route: String,
}

impl RouteConfig {
    /// Parses a policy.
    ///
    /// # Errors
    /// Anything that is no JSON of this form; the violation names the field.
    pub fn parse(json: &[u8]) -> Result<Self, Violation> {
        document::parse(json)
    }

    /// Compiles the policy for the request path.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn compile(&self) -> Result<RoutePolicy, Vec<Violation>> {
        let mut found = self.check_names();
        let canary = part(&mut found, "canary", &self.canary, |config| {
            canary::Policy::compile(config, &self.targets)
        });
        let retry = part(&mut found, "retry", &self.retry, retry::Policy::compile);
        let scope = [&self.labels.virtual_service, "/", &self.labels.route].concat();
        let rate_limit = part(&mut found, "rateLimit", &self.rate_limit, |config| {
            rate_limit::Policy::compile(config, &scope)
        });
        let breaker = part(
            &mut found,
            "circuitBreaker",
            &self.circuit_breaker,
            breaker::Policy::compile,
        );
        let fault = part(&mut found, "fault", &self.fault, fault::Policy::compile);
        let headers = part(&mut found, "headers", &self.headers, headers::Policy::compile);
        if let Some(config) = &self.observability {
            let violations = config.check().into_iter();
            found.extend(violations.map(|violation| violation.within("observability")));
        }
        if !found.is_empty() {
            return Err(found);
        }
        Ok(RoutePolicy {
            labels: self.labels.clone(),
            targets: self.targets.clone(),
            clusters: self.clusters.clone(),
            canary,
            is_retried: self.retry.as_ref().is_some_and(|config| config.max_retries > 0),
            retry: retry.filter(|policy| policy.max_retries > 0),
            observability: self.observability,
            rate_limit,
            breaker,
            fault,
            headers,
        })
    }

    fn check_names(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        found.extend(check_name("labels.virtualService", &self.labels.virtual_service));
        found.extend(check_name("labels.route", &self.labels.route));
        if !(1..=MAX_TARGETS).contains(&self.targets.len()) {
            let message = format!("{} targets; there must be 1 to {MAX_TARGETS}", self.targets.len());
            found.push(Violation::new("targets", message));
        }
        for (index, target) in self.targets.iter().enumerate() {
            found.extend(check_name(&format!("targets[{index}]"), target));
        }
        if !self.clusters.is_empty() && self.clusters.len() != self.targets.len() {
            let (clusters, targets) = (self.clusters.len(), self.targets.len());
            let message = format!("{clusters} clusters for {targets} targets; each target needs one");
            found.push(Violation::new("clusters", message));
        }
        found
    }
}

/// Compiles one member; its mistakes are found under its name.
fn part<C, P>(
    found: &mut Vec<Violation>,
    name: &str,
    config: &Option<C>,
    compile: impl FnOnce(&C) -> Result<P, Vec<Violation>>,
) -> Option<P> {
    match compile(config.as_ref()?) {
        Ok(policy) => Some(policy),
        Err(violations) => {
            found.extend(violations.into_iter().map(|violation| violation.within(name)));
            None
        }
    }
}

/// Names go into header values and stat names.
pub(super) fn check_name(path: &str, name: &str) -> Option<Violation> {
    let reason = if name.is_empty() || name.len() > MAX_NAME {
        format!("name of {} bytes must have 1 to {MAX_NAME}", name.len())
    } else if name.chars().any(char::is_control) {
        format!("name {name:?} must not hold control characters")
    } else {
        return None;
    };
    Some(Violation::new(path, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"{"labels":{"virtualService":"color.local","route":"r1"},"targets":["blue","green"],"canary":{"weights":[90,10],"sticky":{"sourceAddress":{}},"override":{"header":"x-canary"}},"retry":{"maxRetries":2,"budget":{"ratio":0.2,"minPerSecond":3,"windowSeconds":10}},"observability":{"metrics":true,"traceContext":true,"responseHeaders":false}}"#;

    #[test]
    fn writes_what_it_reads() {
        let config = RouteConfig::parse(FULL.as_bytes()).unwrap();
        assert_eq!(serde_json::to_string(&config).unwrap(), FULL);
        assert!(config.compile().is_ok());
    }

    #[test]
    fn reports_all_mistakes_at_once_with_their_paths() {
        let json = r#"{"labels":{"virtualService":"","route":"a\nb"},"targets":["blue"],"clusters":["a","b"],
            "canary":{"weights":[1,2]},"retry":{"maxRetries":2000}}"#;
        let violations = RouteConfig::parse(json.as_bytes()).unwrap().compile().unwrap_err();
        let paths: Vec<&str> = violations.iter().map(|violation| violation.path.as_str()).collect();
        assert_eq!(
            paths,
            [
                "labels.virtualService",
                "labels.route",
                "clusters",
                "canary.weights",
                "retry.maxRetries"
            ]
        );
    }

    #[test]
    fn has_no_retry_policy_without_retries() {
        let json = r#"{"labels":{"virtualService":"v","route":"r"},"targets":["a"],"retry":{"maxRetries":0}}"#;
        assert_eq!(
            RouteConfig::parse(json.as_bytes()).unwrap().compile().unwrap().retry,
            None
        );
    }
}
