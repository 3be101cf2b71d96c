//! Finding the place of a flaw in a spec.

use serde_json::{json, Value};

/// The member of a spec.
pub fn at<'v>(spec: &'v mut Value, pointer: &str) -> Option<&'v mut Value> {
    spec.pointer_mut(pointer)
}

/// Sets a member of what is there; false if there is nothing.
pub fn set(place: Option<&mut Value>, member: &str, value: Value) -> bool {
    match place.and_then(Value::as_object_mut) {
        Some(object) => {
            object.insert(member.into(), value);
            true
        }
        None => false,
    }
}

/// The one type that a route has, if it is one of these.
pub fn route<'v>(spec: &'v mut Value, types: &[&str]) -> Option<&'v mut Value> {
    let found = types.iter().find(|name| spec.get(**name).is_some())?;
    spec.get_mut(*found)
}

/// An HTTP route of either kind.
pub fn http(spec: &mut Value) -> Option<&mut Value> {
    route(spec, &["httpRoute", "http2Route"])
}

/// A route of any type.
pub fn any(spec: &mut Value) -> Option<&mut Value> {
    route(spec, &["httpRoute", "http2Route", "grpcRoute", "tcpRoute"])
}

/// Sets a member of an HTTP route's match.
pub fn in_match(spec: &mut Value, member: &str, value: Value) -> bool {
    set(http(spec).and_then(|route| route.get_mut("match")), member, value)
}

/// Replaces an HTTP route's path by this.
pub fn path(spec: &mut Value, path: Value) -> bool {
    let matched = http(spec).and_then(|route| route.get_mut("match")?.as_object_mut());
    matched.is_some_and(|matched| {
        matched.remove("prefix");
        matched.insert("path".into(), path);
        true
    })
}

/// Replaces an HTTP route's prefix by this.
pub fn prefix(spec: &mut Value, prefix: &str) -> bool {
    let matched = http(spec).and_then(|route| route.get_mut("match")?.as_object_mut());
    matched.is_some_and(|matched| {
        matched.remove("path");
        matched.insert("prefix".into(), json!(prefix));
        true
    })
}

/// Gives an HTTP route one header condition.
pub fn header(spec: &mut Value, header: Value) -> bool {
    in_match(spec, "headers", json!([header]))
}

/// The first listener.
pub fn listener(spec: &mut Value) -> Option<&mut Value> {
    at(spec, "/listeners/0")
}
