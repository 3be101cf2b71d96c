//! Which members a policy may have, by what it applies to.

use serde_json::Value;

use crate::Violation;

/// Members that some targets do not have, with the targets that do.
///
/// `jwt` and `extAuthz` guard where requests enter: gateways, and virtual nodes' ingress; on a service or a route they say
/// what gateways ask of requests for it. Retries, targets and copies are the sender's.
const MEMBERS: &[(&str, &[&str])] = &[
    ("canary", SENDING),
    ("retry", SENDING),
    ("mirror", SENDING),
    (
        "jwt",
        &[
            "mesh",
            "virtualService",
            "route",
            "virtualGateway",
            "virtualNodeIngress",
        ],
    ),
    (
        "extAuthz",
        &[
            "mesh",
            "virtualService",
            "route",
            "virtualGateway",
            "virtualNodeIngress",
        ],
    ),
    ("forwarded", &["mesh", "virtualGateway", "virtualNodeIngress"]),
];

const SENDING: &[&str] = &["mesh", "virtualNode", "virtualService", "route", "virtualGateway"];

/// Members that the policy's target cannot have.
pub(super) fn check(policy: &Value) -> Vec<Violation> {
    let target = policy.get("target").and_then(Value::as_object);
    let Some(target) = target.and_then(|target| target.keys().next()) else {
        return Vec::new();
    };
    let Some(spec) = policy.get("spec").and_then(Value::as_object) else {
        return Vec::new();
    };
    MEMBERS
        .iter()
        .filter(|(member, targets)| spec.contains_key(*member) && !targets.contains(&target.as_str()))
        .map(|(member, targets)| {
            let message = format!("is for the targets {}, not for {target}", targets.join(", "));
            Violation::new(format!("spec.{member}"), message)
        })
        .collect()
}
