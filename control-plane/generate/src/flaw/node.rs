//! Flaws of virtual nodes and meshes.

use ferromesh_model::resource::Kind;
use serde_json::{json, Value};

use super::place::{at, listener, set};
use super::Flaw;
use super::Handling::Refused;

const fn node(name: &'static str, put: fn(&mut Value) -> bool) -> Flaw {
    let (kind, handling) = (Kind::VirtualNode, Refused);
    Flaw {
        name,
        kind,
        handling,
        put,
    }
}

fn check(spec: &mut Value, member: &str, value: Value) -> bool {
    let good = json!({
        "healthyThreshold": 2, "unhealthyThreshold": 2, "intervalMillis": 5000, "timeoutMillis": 2000, "protocol": "tcp",
    });
    set(listener(spec), "healthCheck", good) && set(at(spec, "/listeners/0/healthCheck"), member, value)
}

fn outliers(spec: &mut Value, member: &str, value: Value) -> bool {
    let second = json!({"unit": "s", "value": 1});
    let good =
        json!({"maxServerErrors": 1, "interval": second, "baseEjectionDuration": second, "maxEjectionPercent": 1});
    set(listener(spec), "outlierDetection", good) && set(at(spec, "/listeners/0/outlierDetection"), member, value)
}

fn of_another_protocol(spec: &mut Value, member: &str, http: Value, tcp: Value) -> bool {
    let protocol =
        at(spec, "/listeners/0/portMapping/protocol").and_then(|protocol| protocol.as_str().map(str::to_owned));
    let wrong = match protocol.as_deref() {
        Some("tcp") => json!({ "http": http }),
        _ => json!({ "tcp": tcp }),
    };
    set(listener(spec), member, wrong)
}

/// All of them.
pub const FLAWS: &[Flaw] = &[
    node("has listeners and no service discovery", |spec| {
        let has = listener(spec).is_some();
        spec.as_object_mut().map(|spec| spec.remove("serviceDiscovery"));
        has
    }),
    node("has one port twice", |spec| {
        let Some(first) = listener(spec).cloned() else {
            return false;
        };
        let listeners = at(spec, "/listeners").and_then(Value::as_array_mut);
        listeners.is_some_and(|listeners| {
            listeners.push(first);
            true
        })
    }),
    node("has port 0", |spec| {
        set(at(spec, "/listeners/0/portMapping"), "port", json!(0))
    }),
    node("has port 65536", |spec| {
        set(at(spec, "/listeners/0/portMapping"), "port", json!(65_536))
    }),
    node("has a protocol that there is not", |spec| {
        set(at(spec, "/listeners/0/portMapping"), "protocol", json!("udp"))
    }),
    node("has the pool of another protocol", |spec| {
        let pool = json!({"maxConnections": 1});
        of_another_protocol(spec, "connectionPool", pool.clone(), pool)
    }),
    node("has the timeout of another protocol", |spec| {
        of_another_protocol(spec, "timeout", json!({}), json!({}))
    }),
    node("has two pools", |spec| {
        let pool = json!({"http": {"maxConnections": 1}, "tcp": {"maxConnections": 1}});
        set(listener(spec), "connectionPool", pool)
    }),
    node("has a pool without connections", |spec| {
        let protocol =
            at(spec, "/listeners/0/portMapping/protocol").and_then(|protocol| protocol.as_str().map(str::to_owned));
        let Some(protocol) = protocol else { return false };
        let none = if protocol == "http" || protocol == "tcp" {
            json!({"maxConnections": 0})
        } else {
            json!({"maxRequests": 0})
        };
        set(listener(spec), "connectionPool", json!({ protocol: none }))
    }),
    node("is healthy after one success", |spec| {
        check(spec, "healthyThreshold", json!(1))
    }),
    node("is unhealthy after eleven failures", |spec| {
        check(spec, "unhealthyThreshold", json!(11))
    }),
    node("is checked every 4999 ms", |spec| {
        check(spec, "intervalMillis", json!(4999))
    }),
    node("is checked every 300001 ms", |spec| {
        check(spec, "intervalMillis", json!(300_001))
    }),
    node("is checked with a limit of 1999 ms", |spec| {
        check(spec, "timeoutMillis", json!(1999))
    }),
    node("is checked on port 65536", |spec| check(spec, "port", json!(65_536))),
    node("has 101 % ejected", |spec| {
        outliers(spec, "maxEjectionPercent", json!(101))
    }),
    node("has tasks ejected after no error", |spec| {
        outliers(spec, "maxServerErrors", json!(0))
    }),
    node("has a backend twice", |spec| {
        let backend = json!({"virtualService": {"virtualServiceName": "twice.local"}});
        set(Some(spec), "backends", json!([backend, backend]))
    }),
    node("has a backend that is nothing", |spec| {
        set(Some(spec), "backends", json!([{}]))
    }),
    node("has a TLS mode that there is not", |spec| {
        let certificate = json!({"acm": {"certificateArn": "arn:aws:acm:a:1:certificate/a"}});
        set(
            listener(spec),
            "tls",
            json!({"mode": "MAYBE", "certificate": certificate}),
        )
    }),
    node("has two certificates", |spec| {
        let certificate =
            json!({"acm": {"certificateArn": "arn:aws:acm:a:1:certificate/a"}, "sds": {"secretName": "a"}});
        set(
            listener(spec),
            "tls",
            json!({"mode": "STRICT", "certificate": certificate}),
        )
    }),
    node("has an alternative name of 255 characters", |spec| {
        let names = json!({"match": {"exact": ["a".repeat(255)]}});
        let trust = json!({"file": {"certificateChain": "/ca.pem"}});
        let tls = json!({"validation": {"trust": trust, "subjectAlternativeNames": names}});
        set(Some(spec), "backendDefaults", json!({"clientPolicy": {"tls": tls}}))
    }),
    node("has two kinds of service discovery", |spec| {
        let both = json!({"dns": {"hostname": "a"}, "awsCloudMap": {"namespaceName": "n", "serviceName": "s"}});
        set(Some(spec), "serviceDiscovery", both)
    }),
    node("logs to a path of 256 characters", |spec| {
        set(
            Some(spec),
            "logging",
            json!({"accessLog": {"file": {"path": format!("/{}", "a".repeat(255))}}}),
        )
    }),
    node("logs in two formats", |spec| {
        let format = json!({"text": "a", "json": [{"key": "a", "value": "b"}]});
        set(
            Some(spec),
            "logging",
            json!({"accessLog": {"file": {"path": "/dev/stdout", "format": format}}}),
        )
    }),
    Flaw {
        name: "has an egress filter that there is not",
        kind: Kind::Mesh,
        handling: Refused,
        put: |spec| set(Some(spec), "egressFilter", json!({"type": "ALLOW_SOME"})),
    },
    Flaw {
        name: "has an IP preference that there is not",
        kind: Kind::Mesh,
        handling: Refused,
        put: |spec| set(Some(spec), "serviceDiscovery", json!({"ipPreference": "IPv5"})),
    },
];
