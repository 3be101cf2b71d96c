//! Every operation and every limit of App Mesh's service model, from both sides, through the API itself.
//!
//! What must be taken is taken and given back as it was sent; what must be refused is refused with the path of what is
//! wrong, and changes nothing. All of it is made from the tables that were generated from the service model, but the texts
//! that must fit something else, which `limits/corpus.rs` lists.

#[path = "limits/corpus.rs"]
mod corpus;
#[path = "limits/edges.rs"]
mod edges;
mod harness;
#[path = "limits/inputs.rs"]
mod inputs;
#[path = "limits/order.rs"]
mod order;
#[path = "limits/quotas.rs"]
mod quotas;
#[path = "limits/world.rs"]
mod world;

use std::collections::BTreeSet;

use corpus::{full, mend, sparse, Way};
use edges::{edges, Edge};
use ferromesh_model::resource::Kind;
use ferromesh_model::shapes::{shape, Shape, Type};
use ferromesh_model::validate::spec_shape;
use serde_json::{json, Value};
use world::{Place, World};

fn shape_of(kind: Kind) -> &'static Shape {
    shape(spec_shape(kind)).expect("a spec's shape")
}

/// Every spec of the corpus.
fn corpus(kind: Kind) -> Vec<Value> {
    let mut specs = mended(kind, sparse(shape_of(kind), "", ""));
    specs.extend(large(kind));
    specs.sort_by_key(Value::to_string);
    specs.dedup();
    specs
}

/// The large specs, which have every place of the shape.
fn large(kind: Kind) -> Vec<Value> {
    mended(kind, full(shape_of(kind), "", ""))
}

/// The specs, mended in each of the two ways.
fn mended(kind: Kind, specs: Vec<Value>) -> Vec<Value> {
    let mut found = Vec::new();
    for spec in specs {
        for way in [Way::First, Way::Second] {
            let mut spec = spec.clone();
            mend(kind, way, &mut spec);
            if found.last() != Some(&spec) {
                found.push(spec);
            }
        }
    }
    found
}

/// What a client gets back: the spec, and the two members that App Mesh is known to add.
fn given_back(kind: Kind, spec: &Value) -> Value {
    let mut spec = spec.clone();
    if matches!(kind, Kind::VirtualNode | Kind::VirtualGateway) {
        for listener in spec["listeners"].as_array_mut().into_iter().flatten() {
            let port = listener["portMapping"]["port"].clone();
            if let Some(check) = listener.get_mut("healthCheck") {
                if check.get("port").is_none() {
                    check["port"] = port;
                }
            }
        }
        if spec["listeners"].is_null() {
            spec.as_object_mut().expect("an object").remove("listeners");
        }
    }
    if kind == Kind::VirtualNode && spec.get("backends").is_none() {
        spec["backends"] = json!([]);
    }
    spec
}

#[test]
fn has_every_place_of_every_spec_in_the_corpus() {
    /// Places of a shape that values can have.
    fn places(shape: &Shape, at: &str, found: &mut BTreeSet<String>) {
        found.insert(at.to_owned());
        match &shape.ty {
            Type::Structure(members) | Type::Union(members) => {
                for member in *members {
                    places(member.shape, &format!("{at}.{}", member.name), found);
                }
            }
            Type::List { member, .. } => places(member, &format!("{at}[]"), found),
            _ => {}
        }
    }
    fn visit(value: &Value, at: &str, found: &mut BTreeSet<String>) {
        found.insert(at.to_owned());
        match value {
            Value::Object(object) => object
                .iter()
                .for_each(|(name, value)| visit(value, &format!("{at}.{name}"), found)),
            Value::Array(list) => list.iter().for_each(|value| visit(value, &format!("{at}[]"), found)),
            _ => {}
        }
    }
    let mut count = 0;
    for kind in Kind::ALL {
        let (mut all, mut small, mut at_once) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        places(shape_of(kind), "", &mut all);
        corpus(kind).iter().for_each(|spec| visit(spec, "", &mut small));
        large(kind).iter().for_each(|spec| visit(spec, "", &mut at_once));
        assert_eq!(small, all, "{kind}");
        assert_eq!(at_once, all, "{kind}");
        count += all.len();
    }
    assert!(count > 500, "{count} places");
}

#[tokio::test]
async fn gives_every_spec_of_the_corpus_back_as_it_was_sent() {
    let world = World::new().await;
    let mut count = 0;
    for kind in Kind::ALL {
        let place = Place::of(kind);
        for (number, spec) in corpus(kind).iter().enumerate() {
            let name = format!("c{number}");
            let made = world.api.call("PUT", place.collection, place.body(&name, spec)).await;
            assert_eq!(made.status, 200, "{kind}: {spec}: {made:?}");
            let item = format!("{}/{name}", place.collection);
            let seen = world.api.call("GET", &item, Value::Null).await;
            let seen = seen.ok(&format!("Describe{kind}"));
            assert_eq!(seen["spec"].to_string(), given_back(kind, spec).to_string(), "{kind}");
            assert_eq!(seen, made.body);
            count += 1;
        }
    }
    println!("{count} specs given back as they were sent");
    assert!(count > 480, "{count} specs");
}

#[tokio::test]
async fn takes_what_is_just_within_every_limit_and_refuses_what_is_just_outside() {
    let world = World::new().await;
    let (mut within, mut outside) = (0, 0);
    for kind in Kind::ALL {
        let place = Place::of(kind);
        let spec = corpus::sparse(shape_of(kind), "", "").swap_remove(0);
        world.api.put(place.collection, place.body("edge", &spec)).await;
        let item = format!("{}/edge", place.collection);
        for Edge { spec, broken, .. } in edges(kind, shape_of(kind), &large(kind)) {
            let Some(path) = broken else {
                let updated = world.api.call("PUT", &item, json!({ "spec": spec })).await;
                assert_eq!(updated.status, 200, "{kind}: {spec}: {updated:?}");
                assert_eq!(updated.body["spec"], given_back(kind, &spec), "{kind}");
                within += 1;
                continue;
            };
            let before = world.revision();
            let calls = [
                (place.collection, place.body("new", &spec)),
                (item.as_str(), json!({ "spec": spec })),
            ];
            for (path_of_call, body) in calls {
                let answer = world.api.call("PUT", path_of_call, body).await;
                let (status, error, message) = answer.refused();
                assert_eq!((status, error), (400, "BadRequestException"), "{kind}: {path}: {spec}");
                let dot = if path.is_empty() { "" } else { "." };
                let expected = format!("spec{dot}{path}: ");
                assert!(message.contains(&expected), "{kind}: {expected}: {message}");
                outside += 1;
            }
            assert_eq!(world.revision(), before, "{kind}: {spec}");
        }
    }
    println!("{within} specs just within a limit taken, {outside} calls just outside refused");
    assert!(within > 600 && outside > 6500, "{within} within, {outside} outside");
}
