//! Routes of virtual routers, and the matches that they share with gateway routes.

use serde_json::{json, Map, Value};

use crate::text::{self, mostly};
use crate::world::Shape;
use crate::{node, Draw};

/// A condition on a header.
fn header(draw: &mut Draw) -> Value {
    let mut header = json!({"name": mostly(draw, text::HEADERS, text::ODD_HEADERS, 4)});
    if draw.chance(30) {
        header["invert"] = json!(draw.chance(70));
    }
    if draw.chance(80) {
        let value = mostly(draw, text::VALUES, text::ODD_VALUES, 6);
        header["match"] = match draw.between(0, 5) {
            0 | 1 => json!({ "exact": value }),
            2 => json!({ "prefix": value }),
            3 => json!({ "suffix": value }),
            4 => json!({"regex": mostly(draw, text::EXPRESSIONS, text::ODD_EXPRESSIONS, 12)}),
            _ => {
                let start: i64 = *draw.of(&[-5, 0, 1, 7, i64::MIN]);
                let end = if draw.chance(95) {
                    start.saturating_add(3)
                } else {
                    start
                };
                json!({"range": {"start": start, "end": end}})
            }
        };
    }
    header
}

fn query(draw: &mut Draw) -> Value {
    let mut query = json!({"name": mostly(draw, &["a", "b", "c%20d", "A"], &["", "a b", "a&b", "é", "a=b"], 8)});
    if draw.chance(60) {
        query["match"] = json!({"exact": mostly(draw, &["1", "x", "x%20y", "é"], &["", "a b", "&", "a=b"], 8)});
    }
    query
}

fn method(draw: &mut Draw) -> String {
    draw.text(&[
        "GET", "GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH", "CONNECT", "TRACE",
    ])
}

/// A match on HTTP requests, without port, scheme and host.
pub fn http_match(draw: &mut Draw) -> Map<String, Value> {
    let mut found = Map::new();
    match draw.between(0, 9) {
        0..=4 => {
            let prefix = mostly(draw, text::PATHS, text::ODD_PATHS, 6);
            found.insert("prefix".into(), json!(prefix));
        }
        5 | 6 => {
            let exact = mostly(draw, text::PATHS, text::ODD_PATHS, 10);
            found.insert("path".into(), json!({ "exact": exact }));
        }
        7 | 8 => {
            let regex = mostly(draw, text::EXPRESSIONS, text::ODD_EXPRESSIONS, 15);
            found.insert("path".into(), json!({ "regex": regex }));
        }
        _ => {}
    }
    if draw.chance(25) {
        found.insert("headers".into(), json!(draw.several(1, 3, header)));
    }
    if draw.chance(20) {
        found.insert("queryParameters".into(), json!(draw.several(1, 2, query)));
    }
    if draw.chance(25) {
        found.insert("method".into(), json!(method(draw)));
    }
    found
}

/// A match on gRPC requests, without port and host.
pub fn grpc_match(draw: &mut Draw, with_method: bool) -> Map<String, Value> {
    let mut found = Map::new();
    if draw.chance(70) {
        let service = mostly(
            draw,
            &["a.Service", "b.Service", "a"],
            &["", "a b", "/a", "é", "a/b", "a?b"],
            8,
        );
        found.insert("serviceName".into(), json!(service));
        if with_method && draw.chance(50) {
            let method = mostly(draw, &["Get", "List"], &["", "a b", "/a", "é", "a#b"], 8);
            found.insert("methodName".into(), json!(method));
        }
    }
    if draw.chance(30) {
        found.insert("metadata".into(), json!(draw.several(1, 3, header)));
    }
    found
}

fn retry_policy(draw: &mut Draw, protocol: &str) -> Value {
    let mut policy = json!({
        "maxRetries": *draw.of(&[0_i64, 1, 3, 100, 5_000_000_000]),
        "perRetryTimeout": node::duration(draw),
    });
    let events = ["server-error", "gateway-error", "client-error", "stream-error"];
    if draw.chance(80) {
        policy["httpRetryEvents"] = json!(draw.several(1, 4, |draw| draw.text(&events)));
    }
    if draw.chance(40) {
        policy["tcpRetryEvents"] = json!(["connection-error"]);
    }
    if protocol == "grpc" && draw.chance(60) {
        let events = [
            "cancelled",
            "deadline-exceeded",
            "internal",
            "resource-exhausted",
            "unavailable",
        ];
        policy["grpcRetryEvents"] = json!(draw.several(1, 5, |draw| draw.text(&events)));
    }
    policy
}

fn targets(draw: &mut Draw, shape: &Shape) -> Value {
    let targets = draw.several(1, 4, |draw| {
        let name = if draw.chance(3) {
            "missing".to_owned()
        } else {
            shape.a_node(draw)
        };
        let mut target = json!({"virtualNode": name, "weight": *draw.of(&[0, 1, 1, 2, 50, 99, 100])});
        let ports = shape.node_ports(&name);
        if ports.len() > 1 || draw.chance(30) {
            if let Some(port) = ports.get(draw.between(0, ports.len().saturating_sub(1))) {
                target["port"] = json!(port);
            } else if draw.chance(20) {
                target["port"] = json!(4321);
            }
        }
        target
    });
    json!(targets)
}

/// A route of a router with these listeners (port and protocol).
pub fn spec(draw: &mut Draw, shape: &Shape, listeners: &[(u16, String)]) -> Value {
    let (port, protocol) = match listeners {
        [] => (8080, node::protocol(draw)),
        listeners => draw.of(listeners).clone(),
    };
    let mut found = match protocol.as_str() {
        "grpc" => grpc_match(draw, true),
        "tcp" => Map::new(),
        _ => http_match(draw),
    };
    if protocol.starts_with("http") && draw.chance(15) {
        found.insert("scheme".into(), json!(draw.text(&["http", "https"])));
    }
    if listeners.len() > 1 || draw.chance(25) {
        found.insert("port".into(), json!(port));
    }
    let mut route = json!({"action": {"weightedTargets": targets(draw, shape)}});
    if protocol != "tcp" || draw.chance(50) {
        route["match"] = Value::Object(found);
    }
    if draw.chance(25) {
        route["timeout"] = node::route_timeout(draw, &protocol);
    }
    if protocol != "tcp" && draw.chance(30) {
        route["retryPolicy"] = retry_policy(draw, &protocol);
    }
    let mut spec = json!({ format!("{protocol}Route"): route });
    if draw.chance(40) {
        spec["priority"] = json!(*draw.of(&[0, 1, 2, 500, 1000]));
    }
    spec
}
