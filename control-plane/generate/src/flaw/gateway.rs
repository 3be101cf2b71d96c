//! Flaws of gateways, their routes and virtual services.

use ferromesh_model::resource::Kind;
use serde_json::{json, Value};

use super::place::{any, at, http, in_match, listener, path, prefix, set};
use super::Handling::{LeftOut, Refused};
use super::{Flaw, Handling};

const fn route(name: &'static str, handling: Handling, put: fn(&mut Value) -> bool) -> Flaw {
    let kind = Kind::GatewayRoute;
    Flaw {
        name,
        kind,
        handling,
        put,
    }
}

const fn gateway(name: &'static str, put: fn(&mut Value) -> bool) -> Flaw {
    let (kind, handling) = (Kind::VirtualGateway, Refused);
    Flaw {
        name,
        kind,
        handling,
        put,
    }
}

const fn service(name: &'static str, put: fn(&mut Value) -> bool) -> Flaw {
    let (kind, handling) = (Kind::VirtualService, Refused);
    Flaw {
        name,
        kind,
        handling,
        put,
    }
}

fn rewrite(spec: &mut Value, rewrite: Value) -> bool {
    set(http(spec).and_then(|route| route.get_mut("action")), "rewrite", rewrite)
}

fn plain_prefix(spec: &mut Value) -> bool {
    prefix(spec, "/p")
}

/// All of them.
pub const FLAWS: &[Flaw] = &[
    route("has a virtual service that does not exist", Refused, |spec| {
        let place = any(spec).and_then(|route| route.pointer_mut("/action/target/virtualService"));
        set(place, "virtualServiceName", json!("nowhere.local"))
    }),
    route("has a reserved prefix", Refused, |spec| prefix(spec, "/aws-appmesh/x")),
    route("has a host name that is exact and a suffix", Refused, |spec| {
        in_match(spec, "hostname", json!({"exact": "a", "suffix": "b"}))
    }),
    route("has a host name that is nothing", Refused, |spec| {
        in_match(spec, "hostname", json!({}))
    }),
    route("has a host name of 254 characters", Refused, |spec| {
        in_match(spec, "hostname", json!({"exact": "a".repeat(254)}))
    }),
    route("has a host name with a wildcard", LeftOut, |spec| {
        in_match(spec, "hostname", json!({"exact": "*.example.com"}))
    }),
    route("has a host name with a blank", LeftOut, |spec| {
        in_match(spec, "hostname", json!({"exact": "a b"}))
    }),
    route("has a header name with a blank", LeftOut, |spec| {
        in_match(spec, "headers", json!([{"name": "a b"}]))
    }),
    route("has an expression that is too large for Envoy", LeftOut, |spec| {
        path(spec, json!({"regex": "/(a{100}){20}"}))
    }),
    route("has a rewrite to a default prefix and to another", Refused, |spec| {
        plain_prefix(spec) && rewrite(spec, json!({"prefix": {"defaultPrefix": "DISABLED", "value": "/x/"}}))
    }),
    route("has rewrites of prefix and path", Refused, |spec| {
        plain_prefix(spec) && rewrite(spec, json!({"prefix": {"value": "/x/"}, "path": {"exact": "/x"}}))
    }),
    route("has a rewrite to a prefix of 256 characters", Refused, |spec| {
        plain_prefix(spec) && rewrite(spec, json!({"prefix": {"value": format!("/{}/", "a".repeat(254))}}))
    }),
    gateway("has one port twice", |spec| {
        let Some(first) = listener(spec).cloned() else {
            return false;
        };
        let listeners = at(spec, "/listeners").and_then(Value::as_array_mut);
        listeners.is_some_and(|listeners| {
            listeners.push(first);
            true
        })
    }),
    gateway("listens for tcp", |spec| {
        set(
            listener(spec).and_then(|listener| listener.get_mut("portMapping")),
            "protocol",
            json!("tcp"),
        )
    }),
    gateway("has the pool of another protocol", |spec| {
        let protocol =
            at(spec, "/listeners/0/portMapping/protocol").and_then(|protocol| protocol.as_str().map(str::to_owned));
        let pool = match protocol.as_deref() {
            Some("grpc") => json!({"http": {"maxConnections": 1}}),
            _ => json!({"grpc": {"maxRequests": 1}}),
        };
        set(listener(spec), "connectionPool", pool)
    }),
    gateway("has no listeners", |spec| {
        *spec = json!({});
        true
    }),
    service("has a router that does not exist", |spec| {
        *spec = json!({"provider": {"virtualRouter": {"virtualRouterName": "nowhere"}}});
        true
    }),
    service("has a node that does not exist", |spec| {
        *spec = json!({"provider": {"virtualNode": {"virtualNodeName": "nowhere"}}});
        true
    }),
    service("has two providers", |spec| {
        *spec =
            json!({"provider": {"virtualNode": {"virtualNodeName": "a"}, "virtualRouter": {"virtualRouterName": "a"}}});
        true
    }),
];
