//! Every limit of every spec, from both sides, derived from the shape tables.

mod cases;

use cases::{cases, exemplar, Case};
use ferromesh_model::resource::{
    GatewayRouteSpec, Kind, MeshSpec, RouteSpec, VirtualGatewaySpec, VirtualNodeSpec, VirtualRouterSpec,
    VirtualServiceSpec,
};
use ferromesh_model::shapes::{check_against, shape, shapes};
use ferromesh_model::validate::spec_shape;
use serde_json::Value;

#[test]
fn holds_every_limit_of_every_spec_from_both_sides() {
    let mut counts = (0, 0);
    for kind in Kind::ALL {
        let shape = shape(spec_shape(kind)).expect("a spec's shape");
        for Case { value, broken } in cases(shape) {
            let violations = check_against(shape, &value);
            let paths: Vec<&str> = violations.iter().map(|violation| violation.path.as_str()).collect();
            match &broken {
                None => {
                    assert!(violations.is_empty(), "{kind}: {value}: {violations:?}");
                    counts.0 += 1;
                }
                Some(path) => {
                    assert_eq!(paths, [path.as_str()], "{kind}: {value}: {violations:?}");
                    counts.1 += 1;
                }
            }
        }
    }
    println!("{} values within their limits, {} outside", counts.0, counts.1);
    assert!(counts.0 > 700 && counts.1 > 3000, "{counts:?}");
}

#[test]
fn takes_the_smallest_value_of_every_shape() {
    for shape in shapes() {
        let value = exemplar(shape);
        assert_eq!(check_against(shape, &value), [], "{}: {value}", shape.name);
    }
}

/// What the tables take, the typed specs can read, and write back as it was.
#[test]
fn reads_and_writes_back_every_value_within_its_limits() {
    fn back<T: serde::de::DeserializeOwned + serde::Serialize>(value: &Value) -> Result<Value, serde_json::Error> {
        serde_json::to_value(T::deserialize(value)?)
    }
    for kind in Kind::ALL {
        let shape = shape(spec_shape(kind)).expect("a spec's shape");
        for Case { value, broken } in cases(shape) {
            // The one place where the types are narrower than the tables; `validate` says so to clients.
            if broken.is_some() || value.to_string().contains("httpRetryEvents") {
                continue;
            }
            let written = match kind {
                Kind::Mesh => back::<MeshSpec>(&value),
                Kind::VirtualNode => back::<VirtualNodeSpec>(&value),
                Kind::VirtualService => back::<VirtualServiceSpec>(&value),
                Kind::VirtualRouter => back::<VirtualRouterSpec>(&value),
                Kind::Route => back::<RouteSpec>(&value),
                Kind::VirtualGateway => back::<VirtualGatewaySpec>(&value),
                Kind::GatewayRoute => back::<GatewayRouteSpec>(&value),
            };
            let written = written.unwrap_or_else(|error| panic!("{kind}: {value}: {error}"));
            assert_eq!(without_empty_lists(&written), without_empty_lists(&value), "{kind}");
        }
    }
}

/// Typed, an absent list and an empty one are the same.
fn without_empty_lists(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let members = object
                .iter()
                .filter(|(_, value)| value.as_array().is_none_or(|list| !list.is_empty()));
            members
                .map(|(member, value)| (member.clone(), without_empty_lists(value)))
                .collect()
        }
        Value::Array(list) => list.iter().map(without_empty_lists).collect(),
        other => other.clone(),
    }
}
