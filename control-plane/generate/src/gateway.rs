//! Virtual gateways and their routes.

use serde_json::{json, Map, Value};

use crate::route::{grpc_match, http_match};
use crate::text::{self, mostly};
use crate::world::Shape;
use crate::{node, tls, Draw};

/// A virtual gateway; also its ports with their protocols.
pub fn spec(draw: &mut Draw) -> (Value, Vec<(u16, String)>) {
    let ports: Vec<(u16, String)> = node::ports(draw, 1, 3)
        .into_iter()
        .map(|port| (port, draw.text(&["http", "http", "http2", "grpc"])))
        .collect();
    let listeners: Vec<Value> = ports
        .iter()
        .map(|(port, protocol)| {
            let mut listener = json!({"portMapping": {"port": port, "protocol": protocol}});
            if draw.chance(15) {
                listener["healthCheck"] = node::health_check(draw, &["http", "http2", "grpc"]);
            }
            if draw.chance(15) {
                listener["connectionPool"] = node::connection_pool(draw, protocol);
            }
            if draw.chance(20) {
                listener["tls"] = tls::listener(draw);
            }
            listener
        })
        .collect();
    let mut spec = json!({ "listeners": listeners });
    if draw.chance(20) {
        spec["logging"] = node::logging(draw);
    }
    if draw.chance(20) {
        spec["backendDefaults"] = json!({"clientPolicy": tls::client_policy(draw)});
    }
    (spec, ports)
}

fn hostname(draw: &mut Draw) -> Value {
    let host = mostly(draw, text::HOSTS, text::ODD_HOSTS, 15);
    if draw.chance(60) {
        json!({ "exact": host })
    } else {
        json!({"suffix": if draw.chance(50) { format!(".{host}") } else { host }})
    }
}

fn rewrite(draw: &mut Draw, matches_path: bool) -> Value {
    let switch = |draw: &mut Draw| draw.text(&["ENABLED", "DISABLED"]);
    let mut rewrite = Map::new();
    if draw.chance(50) {
        let switch = switch(draw);
        rewrite.insert("hostname".into(), json!({ "defaultTargetHostname": switch }));
    }
    let to = mostly(draw, text::PATHS, text::ODD_PATHS, 6);
    if matches_path {
        if draw.chance(60) {
            rewrite.insert("path".into(), json!({ "exact": to }));
        }
    } else if draw.chance(70) {
        let prefix = if draw.chance(50) {
            let switch = switch(draw);
            json!({ "defaultPrefix": switch })
        } else {
            json!({"value": if draw.chance(60) && !to.ends_with('/') { format!("{to}/") } else { to }})
        };
        rewrite.insert("prefix".into(), prefix);
    }
    Value::Object(rewrite)
}

/// A route of a gateway with these listeners.
pub fn route(draw: &mut Draw, shape: &Shape, listeners: &[(u16, String)]) -> Value {
    let (port, protocol) = match listeners {
        [] => (8080, "http".to_owned()),
        listeners => draw.of(listeners).clone(),
    };
    let mut found = if protocol == "grpc" {
        grpc_match(draw, false)
    } else {
        http_match(draw)
    };
    if draw.chance(40) {
        found.insert("hostname".into(), hostname(draw));
    }
    if draw.chance(30) {
        found.insert("port".into(), json!(port));
    }
    let service = shape.a_service(draw);
    let mut target = json!({"virtualService": {"virtualServiceName": service}});
    let ports = shape.service_ports(&service);
    if ports.len() > 1 || draw.chance(20) {
        if let Some(port) = ports.get(draw.between(0, ports.len().saturating_sub(1))) {
            target["port"] = json!(port);
        }
    }
    let mut action = json!({ "target": target });
    if protocol == "grpc" {
        if draw.chance(30) {
            action["rewrite"] = json!({"hostname": {"defaultTargetHostname": "DISABLED"}});
        }
    } else if draw.chance(50) {
        action["rewrite"] = rewrite(draw, found.contains_key("path"));
    }
    let mut spec = json!({format!("{protocol}Route"): {"match": found, "action": action}});
    if draw.chance(40) {
        spec["priority"] = json!(*draw.of(&[0, 1, 2, 500, 1000]));
    }
    spec
}
