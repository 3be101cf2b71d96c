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
            "gatewayRoute",
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
            "gatewayRoute",
            "virtualNodeIngress",
        ],
    ),
    ("forwarded", &["mesh", "virtualGateway", "virtualNodeIngress"]),
];

const SENDING: &[&str] = &[
    "mesh",
    "virtualNode",
    "virtualService",
    "route",
    "virtualGateway",
    "gatewayRoute",
];

/// Members that the policy's target cannot have.
pub(super) fn check(policy: &Value) -> Vec<Violation> {
    let target = policy.get("target").and_then(Value::as_object);
    let Some(target) = target.and_then(|target| target.keys().next()) else {
        return Vec::new();
    };
    let Some(spec) = policy.get("spec").and_then(Value::as_object) else {
        return Vec::new();
    };
    let refused = |member: &str| {
        let (_, targets) = MEMBERS.iter().find(|(known, _)| *known == member)?;
        let message = format!("is for the targets {}, not for {target}", targets.join(", "));
        (!targets.contains(&target.as_str())).then_some(message)
    };
    let said = MEMBERS.iter().filter(|(member, _)| spec.contains_key(*member));
    let said = said.filter_map(|(member, _)| Some((format!("spec.{member}"), refused(member)?)));
    let listed = spec.get("off").and_then(Value::as_array).into_iter().flatten();
    let off = listed.enumerate().filter_map(|(index, name)| {
        let member = name.as_str()?.split('.').next()?;
        Some((format!("spec.off[{index}]"), refused(member)?))
    });
    let found = said.chain(off);
    found.map(|(path, message)| Violation::new(path, message)).collect()
}
