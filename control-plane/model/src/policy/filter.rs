//! Members whose meaning is the filter's: their types are its own, and it judges them itself, as it will once more when
//! they reach it.

use ferromesh_policy::mesh::RouteConfig;
use ferromesh_policy::{canary, observability};
use serde::{Deserialize, Serialize};
use serde_json::{json, Map, Value};

use crate::Violation;

/// How a target is chosen among weighted ones: the filter's own settings without the weights, which are the route's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CanarySettings {
    /// Where a request that failed is tried again, on routes with several targets; absent is [`OnRetry::SameTarget`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_retry: Option<OnRetry>,
    /// What keeps a user at one target; absent draws anew for each request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<canary::Sticky>,
    /// What lets a tester name the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub r#override: Option<canary::Tester>,
    /// Weights that change with the time; a step has one for each target of the route, in the route's order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<canary::RampConfig>,
    /// When a target that proves bad loses its requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<canary::RollbackConfig>,
}

/// Where a request that failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnRetry {
    /// At the target first chosen, so that a user sees one version only.
    #[serde(rename = "sameTarget")]
    SameTarget,
    /// At a target that the request has not been tried at, by weight; so a request has no more retries than there are
    /// other targets with a weight. Attempts that overlap (hedging) stay at one target: Envoy chooses another only after a
    /// failure. Metrics and response headers name the target first chosen. Not beside a rollback or a
    /// circuit breaker per target: the other target's answers would hide the failures that these count.
    #[serde(rename = "anotherTarget")]
    AnotherTarget,
}

/// What is measured and told.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObservabilitySettings {
    /// Whether requests are counted and timed; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether responses say which route and target answered after how many attempts; when absent, at virtual nodes but
    /// not at gateways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_headers: Option<bool>,
    /// Whether traces are kept or made: `true` (W3C), `false`, or the formats that are read and written; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_context: Option<observability::TraceContext>,
    /// Whether an `x-request-id` is made where Envoy has made none; `false` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<bool>,
    /// Whether the `x-request-id` that a request comes with is kept; `true` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_request_id: Option<bool>,
    /// Whether responses tell `server-timing`; `false` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_timing: Option<bool>,
    /// Whether metrics tell gRPC statuses apart; `false` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<bool>,
    /// Whether App Mesh's metrics are kept beside our own; `false` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_mesh: Option<bool>,
    /// Whether attempts are counted; when absent, on routes whose retries have a budget of the filter's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<bool>,
    /// Whether Envoy's access logs are told what was decided; `false` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_log: Option<bool>,
}

/// Members of a policy that the filter judges, in the order in which their mistakes are told.
const MEMBERS: [&str; 6] = [
    "canary",
    "observability",
    "rateLimit",
    "circuitBreaker",
    "fault",
    "headers",
];

/// What the filter says to those members of a spec that are its own.
pub(super) fn check(spec: &Map<String, Value>) -> Vec<Violation> {
    MEMBERS
        .into_iter()
        .filter_map(|member| Some((member, spec.get(member)?)))
        .flat_map(|(member, value)| judge(member, value))
        .collect()
}

fn judge(member: &str, value: &Value) -> Vec<Violation> {
    let Some(object) = value.as_object() else {
        return vec![Violation::new(member, "must be an object")];
    };
    let mut object = object.clone();
    let mut targets = vec![json!("a"), json!("b")];
    match member {
        "canary" => {
            if object.contains_key("weights") {
                return vec![Violation::new(
                    "canary.weights",
                    "must be left out: weights are the route's",
                )];
            }
            let said = object.remove("onRetry");
            if let Some(violation) = on_retry(said.as_ref(), &object) {
                return vec![violation];
            }
            targets = stand_ins(&object);
            object.insert("weights".into(), vec![1; targets.len()].into());
        }
        "observability" => match object.remove("enabled") {
            Some(Value::Bool(metrics)) => drop(object.insert("metrics".into(), metrics.into())),
            Some(_) => return vec![Violation::new("observability.enabled", "must be true or false")],
            None => {}
        },
        "rateLimit" => {
            object.remove("global");
            if object.is_empty() {
                return Vec::new();
            }
        }
        _ => {}
    }
    let config = json!({"labels": {"virtualService": "-", "route": "-"}, "targets": targets, member: object});
    let compiled = RouteConfig::parse(config.to_string().as_bytes())
        .map_err(|violation| vec![violation])
        .and_then(|config| config.compile());
    compiled.err().map(of_filter).unwrap_or_default()
}

fn on_retry(on_retry: Option<&Value>, canary: &Map<String, Value>) -> Option<Violation> {
    let message = match on_retry?.as_str() {
        Some("sameTarget") => return None,
        Some("anotherTarget") if !canary.contains_key("rollback") => return None,
        Some("anotherTarget") => {
            "must not be anotherTarget beside a rollback: the other target's answers would hide the canary's failures"
        }
        _ => "must be sameTarget or anotherTarget",
    };
    Some(Violation::new("canary.onRetry", message))
}

/// Targets that a canary could be for: which there are, only a route knows.
fn stand_ins(canary: &Map<String, Value>) -> Vec<Value> {
    let steps = canary
        .get("ramp")
        .and_then(|ramp| ramp.get("steps"))
        .and_then(Value::as_array);
    let weights = steps.and_then(|steps| steps.first()?.get("weights")?.as_array());
    // The filter's own limit is 100; what is above it gets told so.
    let count = weights.map_or(2, Vec::len).clamp(1, 101);
    let named = |member| canary.get("rollback").and_then(|rollback| rollback.get(member));
    let mut targets: Vec<Value> = ["baseline", "canary"].into_iter().filter_map(named).cloned().collect();
    targets.retain(Value::is_string);
    targets.dedup();
    let mut number = 0;
    while targets.len() < count {
        targets.push(json!(format!("target {number}")));
        number += 1;
    }
    targets
}

/// The filter's violations as the model's.
pub(super) fn of_filter(violations: Vec<ferromesh_policy::Violation>) -> Vec<Violation> {
    let same = |violation: ferromesh_policy::Violation| Violation::new(violation.path, violation.message);
    violations.into_iter().map(same).collect()
}

impl CanarySettings {
    /// As the filter's own, for targets with these weights.
    pub fn release(&self, weights: Vec<u32>) -> canary::Config {
        canary::Config {
            weights,
            sticky: self.sticky.clone(),
            tester: self.r#override.clone(),
            ramp: self.ramp.clone(),
            rollback: self.rollback.clone(),
            // The control plane's own, which the lowering adds.
            overall: None,
        }
    }

    /// What is wrong with it on a route with these targets, named as the filter names them.
    pub(super) fn check_on(&self, targets: &[String], weights: Vec<u32>) -> Vec<Violation> {
        let found = canary::Policy::compile(&self.release(weights), targets).err();
        found.map(of_filter).unwrap_or_default()
    }
}
