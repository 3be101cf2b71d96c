//! Values just within and just outside every limit, put into specs that are right otherwise.

use std::collections::BTreeSet;

use ferromesh_model::resource::Kind;
use ferromesh_model::shapes::{Location, Shape, Type};
use serde_json::{json, Value};

use super::corpus::{mend, Way};

/// A spec or a body, and the path of what is wrong with it, if anything is.
#[derive(Debug, Clone)]
pub struct Edge {
    pub spec: Value,
    pub broken: Option<String>,
    /// The path of what was changed.
    pub at: String,
}

/// All edges of a kind's specs. Each place is tried once, in the first spec that has it.
pub fn edges(kind: Kind, shape: &'static Shape, specs: &[Value]) -> Vec<Edge> {
    let mut walk = Walk {
        kind,
        seen: BTreeSet::new(),
        spec: &Value::Null,
        edges: Vec::new(),
    };
    for spec in specs {
        walk.spec = spec;
        walk.visit(shape, spec, &Place::default());
    }
    walk.edges
}

/// Where in a spec.
#[derive(Debug, Clone, Default)]
struct Place {
    /// With the positions in lists: `/listeners/0`.
    pointer: String,
    /// As messages have it: `listeners[0]`.
    path: String,
    /// Without positions, with the choices that led here.
    general: String,
    /// The last member.
    member: String,
    /// Name of the shape that has the member.
    of: String,
}

impl Place {
    fn member(&self, of: &Shape, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            pointer: format!("{}/{name}", self.pointer),
            path: format!("{}{dot}{name}", self.path),
            general: format!("{}.{name}", self.general),
            member: name.to_owned(),
            of: of.name.to_owned(),
        }
    }

    fn element(&self, at: usize) -> Self {
        Self {
            pointer: format!("{}/{at}", self.pointer),
            path: format!("{}[{at}]", self.path),
            general: format!("{}[]", self.general),
            ..self.clone()
        }
    }
}

struct Walk<'a> {
    kind: Kind,
    seen: BTreeSet<String>,
    spec: &'a Value,
    edges: Vec<Edge>,
}

impl Walk<'_> {
    fn put(&self, place: &Place, value: Value) -> Value {
        let mut spec = self.spec.clone();
        *spec.pointer_mut(&place.pointer).expect("a place in the spec") = value;
        spec
    }

    fn right(&mut self, place: &Place, value: Value) {
        let mut spec = self.put(place, value);
        if place.member == "protocol" && place.of.ends_with("PortMapping") {
            // What belongs to the listener's protocol goes with it.
            let listener = place.pointer.trim_end_matches("/portMapping/protocol");
            if let Some(listener) = spec.pointer_mut(listener).and_then(Value::as_object_mut) {
                listener.remove("connectionPool");
                listener.remove("timeout");
            }
        }
        mend(self.kind, Way::First, &mut spec);
        self.edges.push(Edge {
            spec,
            broken: None,
            at: place.path.clone(),
        });
    }

    fn broken(&mut self, spec: Value, at: String) {
        let broken = Some(at.clone());
        self.edges.push(Edge { spec, broken, at });
    }

    fn wrong(&mut self, place: &Place, value: Value) {
        let spec = self.put(place, value);
        self.broken(spec, place.path.clone());
    }

    fn visit(&mut self, shape: &Shape, value: &Value, place: &Place) {
        if self.seen.insert(place.general.clone()) {
            self.at(shape, value, place);
        }
        match (&shape.ty, value) {
            (Type::Structure(members) | Type::Union(members), Value::Object(object)) => {
                for member in members.iter() {
                    if let Some(value) = object.get(member.name) {
                        self.visit(member.shape, value, &place.member(shape, member.name));
                    }
                }
            }
            (Type::List { member, .. }, Value::Array(list)) => {
                for (at, value) in list.iter().enumerate() {
                    self.visit(member, value, &place.element(at));
                }
            }
            _ => {}
        }
    }

    fn at(&mut self, shape: &Shape, value: &Value, place: &Place) {
        for other in [
            json!(null),
            json!([{}]),
            json!({"x": {}}),
            json!(true),
            json!("x"),
            json!(0.5),
        ] {
            if std::mem::discriminant(&other) != std::mem::discriminant(value) {
                self.wrong(place, other);
            }
        }
        match &shape.ty {
            Type::Structure(members) => {
                self.members(shape, value, place);
                for member in members
                    .iter()
                    .filter(|member| member.required && member.location == Location::Body)
                {
                    let mut without = value.clone();
                    without.as_object_mut().expect("an object").remove(member.name);
                    let spec = self.put(place, without);
                    self.broken(spec, place.member(shape, member.name).path);
                }
            }
            Type::Union(members) => {
                self.members(shape, value, place);
                self.wrong(place, json!({}));
                let has = value
                    .as_object()
                    .and_then(|object| object.keys().next())
                    .expect("a member");
                let other = members.iter().find(|member| member.name != has);
                if let Some(other) = other {
                    let mut two = value.clone();
                    two[other.name] = super::corpus::full(other.shape, other.name, shape.name)[0].clone();
                    self.wrong(place, two);
                }
            }
            Type::List { min, max, .. } => {
                let of = |count: usize| -> Value {
                    let list = value.as_array().expect("a list");
                    list.iter().cycle().take(count).cloned().collect()
                };
                self.right(place, of(*min));
                if *min > 0 {
                    self.wrong(place, of(*min - 1));
                }
                match max {
                    Some(max) => {
                        self.right(place, of(*max));
                        self.wrong(place, of(*max + 1));
                    }
                    None => self.right(place, of(12)),
                }
            }
            Type::String { min, max, pattern } => self.text(value, place, (*min, *max), pattern.is_some()),
            Type::Enum(values) => {
                for value in values.iter() {
                    self.right(place, json!(value));
                }
                self.wrong(place, json!(""));
                self.wrong(place, json!(format!("{}x", values[0])));
            }
            Type::Integer { min, max } => {
                if place.member != "end" {
                    self.right(place, json!(min));
                }
                if place.member != "start" {
                    self.right(place, json!(max));
                }
                self.wrong(place, min.checked_sub(1).map_or(json!(-1e19), Value::from));
                self.wrong(place, max.checked_add(1).map_or(json!(u64::MAX), Value::from));
            }
            Type::Boolean => {
                self.right(place, json!(true));
                self.right(place, json!(false));
            }
            Type::Float { .. } | Type::Timestamp | Type::Any => panic!("no spec has such a value: {place:?}"),
        }
    }

    fn members(&mut self, shape: &Shape, value: &Value, place: &Place) {
        let mut with = value.clone();
        with["unknownMember"] = json!({});
        let spec = self.put(place, with);
        self.broken(spec, place.member(shape, "unknownMember").path);
    }

    fn text(&mut self, value: &Value, place: &Place, limits: (usize, Option<usize>), has_pattern: bool) {
        let (min, max) = limits;
        let text = value.as_str().expect("a text");
        if place.member == "httpRetryEvents" {
            // A closed list, though the service model has any text of up to 25 characters.
            for event in ["client-error", "gateway-error", "server-error", "stream-error"] {
                self.right(place, json!(event));
            }
            self.wrong(place, json!("x".repeat(25)));
        } else {
            self.right(place, json!(like(text, min.max(1))));
            self.right(place, json!(like(text, max.unwrap_or(2000))));
        }
        if min > 0 {
            self.wrong(place, json!(""));
        }
        if let Some(max) = max {
            self.wrong(place, json!(like(text, max + 1)));
        }
        if has_pattern {
            self.wrong(place, json!("é"));
        }
    }
}

/// A text of this length that begins, and ends, with a slash as the other does.
fn like(text: &str, length: usize) -> String {
    let mut made = "a".repeat(length);
    if text.starts_with('/') {
        made.replace_range(..1, "/");
    }
    if text.ends_with('/') {
        made.replace_range(length - 1.., "/");
    }
    made
}
