//! Virtual nodes, and what they share with gateways: ports, health checks, pools, logs.

use serde_json::{json, Map, Value};

use crate::text::{self, mostly};
use crate::{tls, Draw};

/// Ports that listeners have.
pub const PORTS: &[u16] = &[8080, 9080, 8443, 80, 443, 5432, 1, 65535];

/// Different ports.
pub fn ports(draw: &mut Draw, low: usize, high: usize) -> Vec<u16> {
    let mut found = Vec::new();
    for _ in 0..draw.between(low, high) {
        let port = *draw.of(PORTS);
        if !found.contains(&port) {
            found.push(port);
        }
    }
    found
}

/// A protocol.
pub fn protocol(draw: &mut Draw) -> String {
    draw.text(&["http", "http", "http", "http2", "grpc", "tcp"])
}

/// A duration.
pub fn duration(draw: &mut Draw) -> Value {
    let value: i64 = *draw.of(&[0, 1, 15, 100, 250, 86_400, 2_147_483_647, 10_000_000_000]);
    json!({"unit": draw.text(&["s", "ms"]), "value": value})
}

fn timeout(draw: &mut Draw, protocol: &str) -> Value {
    let mut timeout = Map::new();
    if let Some(idle) = draw.maybe(60, duration) {
        timeout.insert("idle".into(), idle);
    }
    if protocol != "tcp" {
        if let Some(per_request) = draw.maybe(60, duration) {
            timeout.insert("perRequest".into(), per_request);
        }
    }
    Value::Object(timeout)
}

/// The timeout of a route of some protocol.
pub fn route_timeout(draw: &mut Draw, protocol: &str) -> Value {
    timeout(draw, protocol)
}

/// A health check.
pub fn health_check(draw: &mut Draw, protocols: &[&str]) -> Value {
    let protocol = draw.text(protocols);
    let mut check = json!({
        "healthyThreshold": draw.between(2, 10),
        "unhealthyThreshold": draw.between(2, 10),
        "intervalMillis": *draw.of(&[5000, 30_000, 300_000]),
        "timeoutMillis": *draw.of(&[2000, 5000, 60_000]),
        "protocol": protocol,
    });
    if protocol.starts_with("http") || draw.chance(10) {
        check["path"] = json!(mostly(draw, text::PATHS, text::ODD_PATHS, 8));
    }
    if draw.chance(30) {
        check["port"] = json!(*draw.of(PORTS));
    }
    check
}

/// A connection pool for a protocol.
pub fn connection_pool(draw: &mut Draw, protocol: &str) -> Value {
    let most: i64 = *draw.of(&[1, 100, 2_147_483_647, 9_000_000_000]);
    let pool = match protocol {
        "http" => {
            let mut pool = json!({"maxConnections": most});
            if draw.chance(50) {
                pool["maxPendingRequests"] = json!(draw.between(1, 1000));
            }
            pool
        }
        "tcp" => json!({"maxConnections": most}),
        _ => json!({"maxRequests": most}),
    };
    json!({ protocol: pool })
}

/// An access log.
pub fn logging(draw: &mut Draw) -> Value {
    let mut file = json!({"path": mostly(draw, &["/dev/stdout", "/dev/null"], &[""], 3)});
    let formats = [
        "[%START_TIME%] %REQ(:METHOD)%\n",
        "plain",
        "100%%",
        "%RESPONSE_CODE%",
        "%REQ(X-A?X-B):10%",
    ];
    let odd = [
        "%",
        "%NOPE%",
        "%REQ(",
        "100%",
        "%START_TIME",
        "\u{0}",
        "%REQ()%",
        "%DYNAMIC_METADATA%",
        "%REQ(a):x%",
        "%START_TIME(%q)%",
    ];
    match draw.between(0, 3) {
        0 => file["format"] = json!({"text": mostly(draw, &formats, &odd, 25)}),
        1 => {
            let members = draw.several(1, 3, |draw| {
                json!({"key": draw.text(&["a", "b", "c", "a.b", "é"]), "value": mostly(draw, &formats, &odd, 20)})
            });
            file["format"] = json!({ "json": members });
        }
        _ => {}
    }
    json!({"accessLog": {"file": file}})
}

fn listener(draw: &mut Draw, port: u16) -> Value {
    let protocol = protocol(draw);
    let mut listener = json!({"portMapping": {"port": port, "protocol": protocol}});
    if draw.chance(25) {
        listener["healthCheck"] = health_check(draw, &["http", "http2", "grpc", "tcp"]);
    }
    if draw.chance(25) {
        listener["connectionPool"] = connection_pool(draw, &protocol);
    }
    if draw.chance(25) {
        listener["timeout"] = json!({ protocol.as_str(): timeout(draw, &protocol) });
    }
    if draw.chance(25) {
        listener["outlierDetection"] = json!({
            "maxServerErrors": *draw.of(&[1_i64, 5, 9_000_000_000]),
            "interval": duration(draw),
            "baseEjectionDuration": duration(draw),
            "maxEjectionPercent": *draw.of(&[0, 1, 50, 100]),
        });
    }
    if draw.chance(25) {
        listener["tls"] = tls::listener(draw);
    }
    listener
}

fn discovery(draw: &mut Draw) -> Value {
    let preference = draw.maybe(25, |draw| {
        draw.text(&["IPv4_PREFERRED", "IPv4_ONLY", "IPv6_PREFERRED", "IPv6_ONLY"])
    });
    let mut found = if draw.chance(85) {
        let mut dns = json!({"hostname": mostly(draw, text::HOSTS, text::ODD_HOSTS, 12)});
        if draw.chance(50) {
            dns["responseType"] = json!(draw.text(&["LOADBALANCER", "ENDPOINTS"]));
        }
        json!({ "dns": dns })
    } else {
        let mut map = json!({
            "namespaceName": draw.text(&["ns", "ns.local", "é"]),
            "serviceName": draw.text(&["svc", "a b", "x.y"]),
        });
        if draw.chance(40) {
            map["attributes"] = json!([{"key": "stage", "value": "blue"}]);
        }
        json!({ "awsCloudMap": map })
    };
    if let (Some(preference), Some(object)) = (preference, found.as_object_mut()) {
        for inner in object.values_mut() {
            inner["ipPreference"] = json!(preference);
        }
    }
    found
}

/// A virtual node that calls some of these services.
pub fn spec(draw: &mut Draw, services: &[String]) -> Value {
    let ports = ports(draw, 0, 3);
    let listeners: Vec<Value> = ports.into_iter().map(|port| listener(draw, port)).collect();
    let mut spec = Map::new();
    if !listeners.is_empty() || draw.chance(30) {
        spec.insert("serviceDiscovery".into(), discovery(draw));
    }
    if !listeners.is_empty() || draw.chance(50) {
        spec.insert("listeners".into(), json!(listeners));
    }
    let mut called: Vec<String> = services.iter().filter(|_| draw.chance(60)).cloned().collect();
    if draw.chance(10) {
        called.push("missing.local".into());
    }
    let backends: Vec<Value> = called
        .into_iter()
        .map(|service| {
            let mut backend = json!({"virtualServiceName": service});
            if draw.chance(20) {
                backend["clientPolicy"] = tls::client_policy(draw);
            }
            json!({ "virtualService": backend })
        })
        .collect();
    if !backends.is_empty() {
        spec.insert("backends".into(), json!(backends));
    }
    if draw.chance(20) {
        spec.insert(
            "backendDefaults".into(),
            json!({"clientPolicy": tls::client_policy(draw)}),
        );
    }
    if draw.chance(25) {
        spec.insert("logging".into(), logging(draw));
    }
    Value::Object(spec)
}
