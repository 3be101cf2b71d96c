//! What a policy must look like, in the same terms as App Mesh's shapes.

use serde_json::Value;

use crate::resource::{Key, Kind};
use crate::shapes::{self, Location, Member, Pattern, Shape, Type};
use crate::validate::{Lookup, Refusal, Rejection};
use crate::Violation;

use super::PolicyTarget;

const fn m(name: &'static str, shape: &'static Shape, required: bool) -> Member {
    Member {
        name,
        shape,
        required,
        location: Location::Body,
    }
}

/// A field name as RFC 9110 has it.
static TOKEN: Pattern = Pattern::new("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$");
static BOOLEAN: Shape = Shape {
    name: "Boolean",
    ty: Type::Boolean,
};
static EMPTY: Shape = Shape {
    name: "Empty",
    ty: Type::Structure(&[]),
};
static NAME: Shape = Shape {
    name: "Name",
    ty: Type::String {
        min: 1,
        max: Some(255),
        pattern: None,
    },
};
static FIELD: Shape = Shape {
    name: "Field",
    ty: Type::String {
        min: 1,
        max: Some(128),
        pattern: Some(&TOKEN),
    },
};

static POLICY: Shape = Shape {
    name: "Policy",
    ty: Type::Structure(&[
        m("name", &NAME, false),
        m("mesh", &NAME, false),
        m("target", &TARGET, true),
        m("spec", &SPEC, true),
    ]),
};
static TARGET: Shape = Shape {
    name: "PolicyTarget",
    ty: Type::Union(&[
        m("mesh", &EMPTY, false),
        m("virtualNode", &NAME, false),
        m("virtualService", &NAME, false),
        m("route", &ROUTE, false),
        m("virtualGateway", &NAME, false),
    ]),
};
static ROUTE: Shape = Shape {
    name: "PolicyRoute",
    ty: Type::Structure(&[m("router", &NAME, true), m("name", &NAME, true)]),
};
static SPEC: Shape = Shape {
    name: "PolicySpec",
    ty: Type::Structure(&[
        m("canary", &CANARY, false),
        m("retry", &RETRY, false),
        m("observability", &OBSERVABILITY, false),
    ]),
};
static CANARY: Shape = Shape {
    name: "CanarySettings",
    ty: Type::Structure(&[m("sticky", &STICKY, false), m("override", &OVERRIDE, false)]),
};
static STICKY: Shape = Shape {
    name: "Sticky",
    ty: Type::Union(&[
        m("header", &FIELD, false),
        m("cookie", &FIELD, false),
        m("sourceAddress", &EMPTY, false),
    ]),
};
static OVERRIDE: Shape = Shape {
    name: "Override",
    ty: Type::Union(&[m("header", &FIELD, false)]),
};
static RETRY: Shape = Shape {
    name: "RetrySettings",
    ty: Type::Structure(&[
        m("enabled", &BOOLEAN, false),
        m("nonIdempotent", &NON_IDEMPOTENT, false),
        m("budget", &BUDGET, false),
    ]),
};
static NON_IDEMPOTENT: Shape = Shape {
    name: "NonIdempotent",
    ty: Type::Enum(&["neverProcessed", "retry"]),
};
static BUDGET: Shape = Shape {
    name: "RetryBudget",
    ty: Type::Structure(&[
        m("ratio", &RATIO, false),
        m("minPerSecond", &PER_SECOND, false),
        m("windowSeconds", &WINDOW, false),
    ]),
};
static RATIO: Shape = Shape {
    name: "Ratio",
    ty: Type::Float { min: 0.0, max: 1.0 },
};
static PER_SECOND: Shape = Shape {
    name: "PerSecond",
    ty: Type::Integer { min: 0, max: 1000 },
};
static WINDOW: Shape = Shape {
    name: "WindowSeconds",
    ty: Type::Integer { min: 1, max: 3600 },
};
static OBSERVABILITY: Shape = Shape {
    name: "ObservabilitySettings",
    ty: Type::Structure(&[
        m("enabled", &BOOLEAN, false),
        m("responseHeaders", &BOOLEAN, false),
        m("traceContext", &BOOLEAN, false),
    ]),
};

/// Everything that is wrong with a policy's JSON (`{"target": …, "spec": …}`, optionally with `name` and `mesh`); empty
/// when nothing is.
pub fn check(policy: &Value) -> Vec<Violation> {
    shapes::check_against(&POLICY, policy)
}

impl PolicyTarget {
    /// Key of the resource that the policy applies to.
    pub fn key(&self, mesh: &str) -> Key {
        match self {
            Self::Mesh {} => Key::mesh(mesh),
            Self::VirtualNode(name) => Key::in_mesh(mesh, Kind::VirtualNode, name),
            Self::VirtualService(name) => Key::in_mesh(mesh, Kind::VirtualService, name),
            Self::VirtualGateway(name) => Key::in_mesh(mesh, Kind::VirtualGateway, name),
            Self::Route { router, name } => Key::in_parent(mesh, Kind::Route, router, name),
        }
    }

    /// Refuses a target that does not exist.
    pub fn check<L: Lookup>(&self, lookup: &L, account: &str, mesh: &str) -> Result<(), Refusal<L::Error>> {
        let mesh_key = Key::mesh(mesh);
        if lookup.record(&mesh_key).map_err(Refusal::Failed)?.is_none() {
            return Err(crate::validate::not_found(account, &mesh_key).into());
        }
        let key = self.key(mesh);
        if lookup.record(&key).map_err(Refusal::Failed)?.is_none() {
            let text = format!(
                "{} with name {} is missing (target.{})",
                key.kind,
                key.name,
                key.kind.wire_name()
            );
            return Err(Rejection::Missing(text).into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::policy::Policy;

    fn found(policy: Value) -> Vec<String> {
        check(&policy).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn takes_a_policy_with_everything() {
        let policy = json!({
            "name": "p", "mesh": "m",
            "target": {"route": {"router": "r", "name": "t"}},
            "spec": {
                "canary": {"sticky": {"sourceAddress": {}}, "override": {"header": "x-canary"}},
                "retry": {"enabled": true, "nonIdempotent": "retry",
                          "budget": {"ratio": 0.2, "minPerSecond": 3, "windowSeconds": 10}},
                "observability": {"enabled": true, "responseHeaders": false, "traceContext": true}
            }
        });
        assert_eq!(found(policy.clone()), Vec::<String>::new());
        let typed: Policy = serde_json::from_value(policy.clone()).expect("what the check takes can be read");
        assert_eq!(serde_json::to_value(typed).expect("JSON"), policy);
    }

    #[test]
    fn reads_every_target_that_the_check_takes() {
        for target in [
            json!({"mesh": {}}),
            json!({"virtualNode": "n"}),
            json!({"virtualService": "s"}),
            json!({"virtualGateway": "g"}),
        ] {
            let policy = json!({"name": "p", "mesh": "m", "target": target, "spec": {}});
            assert_eq!(found(policy.clone()), Vec::<String>::new());
            let typed: Policy = serde_json::from_value(policy.clone()).expect("what the check takes can be read");
            assert_eq!(serde_json::to_value(typed).expect("JSON"), policy);
        }
    }

    #[test]
    fn refuses_what_no_policy_has_with_its_path() {
        let policy = json!({
            "target": {"virtualNode": "n", "mesh": {}},
            "spec": {
                "canary": {"sticky": {"header": "x user"}, "colour": 1},
                "retry": {"budget": {"ratio": 1.5, "windowSeconds": 0}}
            }
        });
        assert_eq!(
            found(policy),
            [
                "spec.canary.colour: is not a member of CanarySettings",
                "spec.canary.sticky.header: must match ^[!#$%&'*+.^_`|~0-9A-Za-z-]+$, is \"x user\"",
                "spec.retry.budget.ratio: must be at most 1, is 1.5",
                "spec.retry.budget.windowSeconds: must be at least 1, is 0",
                "target: must have exactly one of mesh, virtualNode, virtualService, route, virtualGateway, has mesh \
                 and virtualNode",
            ]
        );
    }
}
