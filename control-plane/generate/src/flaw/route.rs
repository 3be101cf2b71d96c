//! Flaws of routes and routers.

use ferromesh_model::resource::Kind;
use serde_json::{json, Value};

use super::place::{any, at, header, http, in_match, path, prefix, route, set};
use super::Handling::{LeftOut, Refused};
use super::{Flaw, Handling};

const fn flaw(name: &'static str, handling: Handling, put: fn(&mut Value) -> bool) -> Flaw {
    let kind = Kind::Route;
    Flaw {
        name,
        kind,
        handling,
        put,
    }
}

fn targets(spec: &mut Value, targets: Value) -> bool {
    set(
        any(spec).and_then(|route| route.get_mut("action")),
        "weightedTargets",
        targets,
    )
}

fn first_target(spec: &mut Value, member: &str, value: Value) -> bool {
    set(
        any(spec).and_then(|route| route.pointer_mut("/action/weightedTargets/0")),
        member,
        value,
    )
}

fn retry(spec: &mut Value, policy: Value) -> bool {
    set(http(spec), "retryPolicy", policy)
}

/// All of them.
pub const FLAWS: &[Flaw] = &[
    flaw("has no type", Refused, |spec| {
        *spec = json!({"priority": 1});
        true
    }),
    flaw("has two types", Refused, |spec| {
        let Some(route) = http(spec).cloned() else { return false };
        *spec = json!({"httpRoute": route, "http2Route": route});
        true
    }),
    flaw("has a member that there is not", Refused, |spec| {
        set(any(spec), "nonsense", json!(1))
    }),
    flaw("has a number as prefix", Refused, |spec| {
        in_match(spec, "prefix", json!(7))
    }),
    flaw("has a priority above 1000", Refused, |spec| {
        set(Some(spec), "priority", json!(1001))
    }),
    flaw("has a negative priority", Refused, |spec| {
        set(Some(spec), "priority", json!(-1))
    }),
    flaw("has no targets", Refused, |spec| targets(spec, json!([]))),
    flaw("has 11 targets", Refused, |spec| {
        let Some(target) = any(spec).and_then(|route| route.pointer("/action/weightedTargets/0").cloned()) else {
            return false;
        };
        targets(spec, json!(vec![target; 11]))
    }),
    flaw("has a weight above 100", Refused, |spec| {
        first_target(spec, "weight", json!(101))
    }),
    flaw("has a negative weight", Refused, |spec| {
        first_target(spec, "weight", json!(-1))
    }),
    flaw("has only zero weights", Refused, |spec| {
        let Some(target) = any(spec).and_then(|route| route.pointer("/action/weightedTargets/0").cloned()) else {
            return false;
        };
        targets(spec, json!([target])) && first_target(spec, "weight", json!(0))
    }),
    flaw("has a target that does not exist", Refused, |spec| {
        first_target(spec, "virtualNode", json!("nowhere"))
    }),
    flaw("has a target port of 0", Refused, |spec| {
        first_target(spec, "port", json!(0))
    }),
    flaw("has a target port above 65535", Refused, |spec| {
        first_target(spec, "port", json!(65_536))
    }),
    flaw("has a prefix without a slash", Refused, |spec| prefix(spec, "red")),
    flaw("has prefix and path", Refused, |spec| {
        prefix(spec, "/") && in_match(spec, "path", json!({"exact": "/"}))
    }),
    flaw("has an empty path", Refused, |spec| path(spec, json!({}))),
    flaw("has an exact path and an expression", Refused, |spec| {
        path(spec, json!({"exact": "/", "regex": "/"}))
    }),
    flaw("has an expression that is none", Refused, |spec| {
        path(spec, json!({"regex": "/("}))
    }),
    flaw("has an expression with a look-ahead", Refused, |spec| {
        path(spec, json!({"regex": "/(?=a)"}))
    }),
    flaw("has an expression with a back reference", Refused, |spec| {
        path(spec, json!({"regex": r"/(a)\1"}))
    }),
    flaw("has an expression of 256 characters", Refused, |spec| {
        path(spec, json!({"regex": "a".repeat(256)}))
    }),
    flaw("has an expression that is too large for Envoy", LeftOut, |spec| {
        path(spec, json!({"regex": "/(a{100}){20}"}))
    }),
    flaw("has an expression that repeats too often for RE2", LeftOut, |spec| {
        path(spec, json!({"regex": "/a{1001}"}))
    }),
    flaw("has no headers in its list of headers", Refused, |spec| {
        in_match(spec, "headers", json!([]))
    }),
    flaw("has 11 headers", Refused, |spec| {
        in_match(spec, "headers", json!(vec![json!({"name": "a"}); 11]))
    }),
    flaw("has a header without a name", Refused, |spec| {
        header(spec, json!({"name": ""}))
    }),
    flaw("has a header with a name of 51 characters", Refused, |spec| {
        header(spec, json!({"name": "a".repeat(51)}))
    }),
    flaw("has a header with a blank in its name", LeftOut, |spec| {
        header(spec, json!({"name": "a b"}))
    }),
    flaw("has a header with a line break in its name", LeftOut, |spec| {
        header(spec, json!({"name": "a\r\nb"}))
    }),
    flaw("has a header that must look two ways", Refused, |spec| {
        header(spec, json!({"name": "a", "match": {"exact": "x", "prefix": "x"}}))
    }),
    flaw("has a header that must look no way", Refused, |spec| {
        header(spec, json!({"name": "a", "match": {}}))
    }),
    flaw("has an empty range", Refused, |spec| {
        header(spec, json!({"name": "a", "match": {"range": {"start": 1, "end": 1}}}))
    }),
    flaw("has an inverted range", Refused, |spec| {
        header(spec, json!({"name": "a", "match": {"range": {"start": 2, "end": 1}}}))
    }),
    flaw("has half a range", Refused, |spec| {
        header(spec, json!({"name": "a", "match": {"range": {"start": 2}}}))
    }),
    flaw("has a header expression that is none", Refused, |spec| {
        header(spec, json!({"name": "a", "match": {"regex": "["}}))
    }),
    flaw("has a method that there is not", Refused, |spec| {
        in_match(spec, "method", json!("BREW"))
    }),
    flaw("has a scheme that there is not", Refused, |spec| {
        in_match(spec, "scheme", json!("ftp"))
    }),
    flaw("has a query parameter without a name", Refused, |spec| {
        in_match(spec, "queryParameters", json!([{"name": ""}]))
    }),
    flaw("has a query parameter that must look no way", Refused, |spec| {
        in_match(spec, "queryParameters", json!([{"name": "a", "match": {}}]))
    }),
    flaw("is for a port that its router does not have", Refused, |spec| {
        in_match(spec, "port", json!(4321))
    }),
    flaw("has a gRPC method without a service", Refused, |spec| {
        let found = route(spec, &["grpcRoute"]).and_then(|route| route.get_mut("match")?.as_object_mut());
        found.is_some_and(|found| {
            found.remove("serviceName");
            found.insert("methodName".into(), json!("Get"));
            true
        })
    }),
    flaw("has retries without a number", Refused, |spec| {
        retry(
            spec,
            json!({"perRetryTimeout": {"unit": "s", "value": 1}, "httpRetryEvents": ["server-error"]}),
        )
    }),
    flaw("has a negative number of retries", Refused, |spec| {
        retry(
            spec,
            json!({"maxRetries": -1, "perRetryTimeout": {"unit": "s", "value": 1}}),
        )
    }),
    flaw("has a retry event that there is not", Refused, |spec| {
        retry(
            spec,
            json!({"maxRetries": 1, "perRetryTimeout": {"unit": "s", "value": 1}, "httpRetryEvents": ["sunspots"]}),
        )
    }),
    flaw("has a duration in minutes", Refused, |spec| {
        set(http(spec), "timeout", json!({"perRequest": {"unit": "m", "value": 1}}))
    }),
    flaw("has a negative duration", Refused, |spec| {
        set(http(spec), "timeout", json!({"perRequest": {"unit": "s", "value": -1}}))
    }),
    Flaw {
        name: "has one port twice",
        kind: Kind::VirtualRouter,
        handling: Refused,
        put: |spec| {
            let Some(first) = at(spec, "/listeners/0").cloned() else {
                return false;
            };
            let listeners = at(spec, "/listeners").and_then(Value::as_array_mut);
            listeners.is_some_and(|listeners| {
                listeners.push(first);
                true
            })
        },
    },
];
