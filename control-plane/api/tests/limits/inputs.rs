//! What operations take beside specs: labels, the query string, names, tags and tokens; and what must be there.

use std::collections::{BTreeMap, BTreeSet};

use ferromesh_model::resource::Kind;
use ferromesh_model::shapes::{operations, Location, Member, Operation, Type};
use serde_json::{json, Value};

use super::corpus::sparse;
use super::edges::edges;
use super::world::{Place, World, LONGEST};
use super::{harness, shape_of};

const ACCOUNT: &str = "123456789012";
const NODE: &str = "arn:aws:appmesh:us-east-1:123456789012:mesh/m/virtualNode/n";

/// A right call of an operation.
#[derive(Debug, Clone)]
struct Call {
    operation: &'static Operation,
    labels: BTreeMap<&'static str, String>,
    query: BTreeMap<&'static str, String>,
    body: Value,
}

fn members(operation: &Operation) -> &'static [Member] {
    match operation.input.ty {
        Type::Structure(members) => members,
        _ => panic!("an input is a structure"),
    }
}

fn at(operation: &Operation, location: Location) -> Vec<&'static Member> {
    let members = members(operation).iter();
    members.filter(|member| member.location == location).collect()
}

/// Kind that an operation is about.
fn kind_of(operation: &Operation) -> Option<Kind> {
    let kinds = Kind::ALL.into_iter();
    let named = |kind: &Kind| {
        let plural = if *kind == Kind::Mesh {
            "Meshes".to_owned()
        } else {
            format!("{kind}s")
        };
        let verbs = ["Create", "Describe", "Update", "Delete"];
        verbs.iter().any(|verb| operation.name == format!("{verb}{kind}")) || operation.name == format!("List{plural}")
    };
    kinds.filter(named).max_by_key(|kind| kind.shape_name().len())
}

impl Call {
    fn of(operation: &'static Operation) -> Self {
        let label = |name: &str| match name {
            "meshName" => "m",
            "virtualNodeName" => "n",
            "virtualRouterName" => "r",
            "virtualServiceName" => "s",
            "virtualGatewayName" => "g",
            _ => "edge",
        };
        let labels = at(operation, Location::Uri).into_iter();
        let body = if at(operation, Location::Body).is_empty() {
            Value::Null
        } else {
            body(operation)
        };
        let mut query = BTreeMap::new();
        if at(operation, Location::Query)
            .iter()
            .any(|member| member.name == "resourceArn")
        {
            query.insert("resourceArn", NODE.to_owned());
        }
        Self {
            operation,
            labels: labels
                .map(|member| (member.name, label(member.name).to_owned()))
                .collect(),
            query,
            body,
        }
    }

    async fn send(&self, world: &World) -> harness::Answer {
        let mut path = self.operation.uri.to_owned();
        for (name, value) in &self.labels {
            path = path.replace(&format!("{{{name}}}"), &encoded(value));
        }
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        let body = if self.body.is_null() {
            String::new()
        } else {
            self.body.to_string()
        };
        let path = format!("{path}?{}", query.join("&"));
        world.api.text(self.operation.method, &path, body).await
    }
}

fn body(operation: &Operation) -> Value {
    let tags = json!([{"key": "k", "value": "v"}]);
    let mut body = match operation.name {
        "TagResource" => return json!({ "tags": tags }),
        "UntagResource" => return json!({"tagKeys": ["k"]}),
        _ => json!({"clientToken": format!("token of {}", operation.name)}),
    };
    let kind = kind_of(operation).expect("a kind");
    body["spec"] = sparse(shape_of(kind), "", "").swap_remove(0);
    if operation.name.starts_with("Create") {
        body[Place::of(kind).member] = json!("edge");
        body["tags"] = tags;
    }
    body
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The call is refused for what stands at `path`, and changes nothing.
async fn assert_refused(world: &World, call: &Call, path: &str) {
    let before = world.revision();
    let answer = call.send(world).await;
    let (status, error, message) = answer.refused();
    assert_eq!((status, error), (400, "BadRequestException"), "{call:?}");
    assert!(message.contains(&format!("{path}: ")), "{call:?}: {path}: {message}");
    assert_eq!(world.revision(), before, "{call:?}");
}

/// A world that has a resource called `edge` of every kind that does not have one that stands in paths.
async fn world() -> World {
    let world = World::new().await;
    for kind in [Kind::Route, Kind::GatewayRoute] {
        let spec = sparse(shape_of(kind), "", "").swap_remove(0);
        let place = Place::of(kind);
        world.api.put(place.collection, place.body("edge", &spec)).await;
    }
    world
}

#[tokio::test]
async fn holds_the_limits_of_every_label_and_query_member_of_every_operation() {
    let world = world().await;
    let (mut touched, mut within, mut outside) = (BTreeSet::new(), 0, 0);
    for operation in operations()
        .iter()
        .filter(|operation| !operation.name.starts_with("Delete"))
        .chain(
            // What is deleted is gone for the others.
            operations()
                .iter()
                .filter(|operation| operation.name.starts_with("Delete")),
        )
    {
        let call = Call::of(operation);
        let is_delete = operation.name.starts_with("Delete");
        let mut wrong: Vec<(String, Call)> = Vec::new();
        let mut right: Vec<Call> = Vec::new();
        for member in at(operation, Location::Uri) {
            let with = |value: String| {
                let mut call = call.clone();
                call.labels.insert(member.name, value);
                call
            };
            // The service model has no limit for the names of virtual services; such a one could not be made.
            if member.shape.name != "ServiceName" {
                wrong.push((member.name.to_owned(), with("é".repeat(LONGEST + 1))));
            }
            wrong.push((member.name.to_owned(), with(NODE.to_owned())));
            let longest = with("é".repeat(LONGEST)).send(&world).await;
            assert_eq!(
                (longest.refused().0, longest.refused().1),
                (404, "NotFoundException"),
                "{}",
                operation.name
            );
            within += 1;
        }
        for member in at(operation, Location::Query) {
            let (good, bad) = query_values(operation, member.name);
            let with = |value: &String| {
                let mut call = call.clone();
                call.query.insert(member.name, value.clone());
                call
            };
            right.extend(good.iter().map(with));
            wrong.extend(bad.iter().map(|value| (member.name.to_owned(), with(value))));
            if member.required {
                let mut without = call.clone();
                without.query.remove(member.name);
                wrong.push((member.name.to_owned(), without));
            }
        }
        for (path, call) in wrong {
            assert_refused(&world, &call, &path).await;
            outside += 1;
        }
        for call in right
            .into_iter()
            .filter(|_| !is_delete && !operation.name.starts_with("Create"))
        {
            call.send(&world).await.ok(operation.name);
            within += 1;
        }
        touched.insert(operation.name);
    }
    println!("{within} labels and query members just within a limit taken, {outside} just outside refused");
    assert_eq!(touched.len(), 38);
    assert!(within > 90 && outside > 200, "{within} within, {outside} outside");
}

/// Values of a member of the query string: right ones and wrong ones.
fn query_values(operation: &Operation, name: &str) -> (Vec<String>, Vec<String>) {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    match name {
        "limit" => {
            let most = if operation.name == "ListTagsForResource" {
                50
            } else {
                100
            };
            let over = (most + 1).to_string();
            (
                texts(&["1", &most.to_string()]),
                texts(&["0", &over, "-1", "1.5", "x", ""]),
            )
        }
        "meshOwner" => (texts(&[ACCOUNT]), texts(&["12345678901", "1234567890123", ""])),
        "nextToken" => (Vec::new(), texts(&["", "x", "00", "6d", "é"])),
        "resourceArn" => {
            let owner = "arn:aws:ecs:us-east-1:123456789012:mesh/m";
            (texts(&[NODE]), texts(&["", "mesh/m", "arn:aws:appmesh", owner]))
        }
        other => panic!("no values for {other}"),
    }
}

#[tokio::test]
async fn holds_the_limits_of_every_member_of_every_body() {
    let world = world().await;
    let (mut within, mut outside, mut bodies) = (0, 0, 0);
    for operation in operations() {
        let call = Call::of(operation);
        if call.body.is_null() {
            continue;
        }
        bodies += 1;
        let name = kind_of(operation).map(|kind| Place::of(kind).member);
        for edge in edges(Kind::Mesh, operation.input, std::slice::from_ref(&call.body)) {
            // Specs have a test of their own.
            if edge.at.is_empty() || edge.at.starts_with("spec.") || edge.at.starts_with("spec[") {
                continue;
            }
            let mut call = call.clone();
            call.body = edge.spec;
            let Some(path) = edge.broken else {
                if let Some(name) = name.filter(|name| *name != edge.at && operation.name.starts_with("Create")) {
                    call.body[name] = json!(format!("edge{within}"));
                }
                if let Some(token) = call.body.get("clientToken").and_then(Value::as_str) {
                    call.body["clientToken"] = json!(format!("{token}{within}"));
                }
                let tags = call.body.get_mut("tags").and_then(Value::as_array_mut);
                for (at, tag) in tags.into_iter().flatten().enumerate().skip(1) {
                    tag["key"] = json!(format!("key {at}"));
                }
                if Some(edge.at.as_str()) == name && call.body[&edge.at] == "a" {
                    // That name is taken.
                    call.body[&edge.at] = json!("b");
                } else if Some(edge.at.as_str()) == name {
                    call.body[&edge.at] = json!("é".repeat(LONGEST));
                }
                if call.query.contains_key("resourceArn") {
                    // Tags add up, and a resource has only so many.
                    let node = format!("tagged{within}");
                    let body = json!({"virtualNodeName": node, "spec": {}});
                    world.api.put("/meshes/m/virtualNodes", body).await;
                    let arn = NODE.replace("virtualNode/n", &format!("virtualNode/{node}"));
                    call.query.insert("resourceArn", arn);
                }
                call.send(&world).await.ok(operation.name);
                within += 1;
                continue;
            };
            assert_refused(&world, &call, &path).await;
            outside += 1;
        }
    }
    println!("{within} bodies just within a limit taken, {outside} just outside refused");
    assert_eq!(bodies, 16, "seven creates, seven updates, and tags twice");
    assert!(within > 70 && outside > 280, "{within} within, {outside} outside");
}

#[tokio::test]
async fn misses_every_parent_that_is_not_there() {
    let world = world().await;
    let before = world.revision();
    let mut missed = 0;
    for operation in operations() {
        let call = Call::of(operation);
        for name in call.labels.keys() {
            let mut call = call.clone();
            call.labels.insert(name, "nowhere".to_owned());
            let answer = call.send(&world).await;
            let (status, error, message) = answer.refused();
            assert_eq!((status, error), (404, "NotFoundException"), "{call:?}");
            let kind = name.trim_end_matches("Name");
            let kind = Kind::from_wire_name(kind).expect("a kind");
            let place = match kind {
                Kind::Mesh => "for account".to_owned(),
                Kind::Route => "under VirtualRouter r of mesh m for account".to_owned(),
                Kind::GatewayRoute => "under VirtualGateway g of mesh m for account".to_owned(),
                _ => "under mesh m for account".to_owned(),
            };
            assert_eq!(
                message,
                format!("{kind} with name nowhere is not present {place} {ACCOUNT}")
            );
            missed += 1;
        }
        if call.query.contains_key("resourceArn") {
            let mut call = call.clone();
            call.query
                .insert("resourceArn", NODE.replace("virtualNode/n", "virtualNode/nowhere"));
            assert_eq!(call.send(&world).await.refused().1, "NotFoundException");
            missed += 1;
        }
    }
    assert_eq!(world.revision(), before);
    assert!(missed > 60, "{missed}");
}
