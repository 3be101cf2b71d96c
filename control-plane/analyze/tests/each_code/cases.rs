//! The codes with their meshes.

use ferromesh_analyze::Code;
use serde_json::json;

use crate::meshes::Patch;

/// A code, and two changes of the small mesh: with the first the code is found, with the second it is not.
pub struct Case {
    pub code: Code,
    pub resource: &'static str,
    pub with: Vec<Patch>,
    pub without: Vec<Patch>,
}

fn node(host: &str) -> serde_json::Value {
    json!({
        "listeners": [{"portMapping": {"port": 8080, "protocol": "http"}}],
        "serviceDiscovery": {"dns": {"hostname": host, "responseType": "ENDPOINTS"}},
    })
}

fn route(matched: serde_json::Value, priority: Option<i64>) -> serde_json::Value {
    let mut spec = json!({"httpRoute": {
        "match": matched,
        "action": {"weightedTargets": [{"virtualNode": "back", "weight": 1}]},
    }});
    if let Some(priority) = priority {
        spec["priority"] = json!(priority);
    }
    spec
}

fn gateway_route(matched: serde_json::Value) -> serde_json::Value {
    json!({"httpRoute": {
        "match": matched,
        "action": {
            "target": {"virtualService": {"virtualServiceName": "back.local"}},
            "rewrite": {"prefix": {"defaultPrefix": "DISABLED"}},
        },
    }})
}

fn timed(spec: serde_json::Value, seconds: i64) -> serde_json::Value {
    let mut spec = spec;
    spec["httpRoute"]["timeout"] = json!({"perRequest": {"value": seconds, "unit": "s"}});
    spec
}

fn listening(seconds: i64) -> serde_json::Value {
    let mut spec = node("back.local");
    spec["listeners"][0]["timeout"] = json!({"http": {"perRequest": {"value": seconds, "unit": "s"}}});
    spec
}

pub fn calling(host: &str, service: &str) -> serde_json::Value {
    let mut spec = node(host);
    spec["backends"] = json!([{"virtualService": {"virtualServiceName": service}}]);
    spec
}

pub fn retrying(times: i64) -> serde_json::Value {
    let mut spec = route(json!({"prefix": "/"}), None);
    spec["httpRoute"]["retryPolicy"] = json!({
        "maxRetries": times, "perRetryTimeout": {"value": 1, "unit": "s"}, "httpRetryEvents": ["gateway-error"],
    });
    spec
}

fn with_tls(validation: bool) -> serde_json::Value {
    let mut spec = node("back.local");
    let mut tls = json!({
        "mode": "STRICT",
        "certificate": {"acm": {"certificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/a"}},
    });
    if validation {
        tls["validation"] = json!({"trust": {"file": {"certificateChain": "/ca.pem"}}});
    }
    spec["listeners"][0]["tls"] = tls;
    spec
}

fn asking_for(name: &str) -> serde_json::Value {
    let mut spec = calling("front.local", "back.local");
    spec["backendDefaults"] = json!({"clientPolicy": {"tls": {"validation": {
        "trust": {"file": {"certificateChain": "/ca.pem"}},
        "subjectAlternativeNames": {"match": {"exact": [name]}},
    }}}});
    spec
}

fn checked(port: i64) -> serde_json::Value {
    let mut spec = node("back.local");
    spec["listeners"][0]["healthCheck"] = json!({
        "protocol": "http", "path": "/", "port": port, "healthyThreshold": 2, "unhealthyThreshold": 2,
        "intervalMillis": 5000, "timeoutMillis": 2000,
    });
    spec
}

fn ejecting(response: &str) -> serde_json::Value {
    let mut spec = node("back.local");
    spec["serviceDiscovery"]["dns"]["responseType"] = json!(response);
    spec["listeners"][0]["outlierDetection"] = json!({
        "maxServerErrors": 5, "maxEjectionPercent": 50,
        "interval": {"value": 10, "unit": "s"}, "baseEjectionDuration": {"value": 10, "unit": "s"},
    });
    spec
}

#[allow(clippy::too_many_lines, reason = "a table")]
pub fn cases() -> Vec<Case> {
    use Patch::{Delete, Policy, Put};
    let put = |resource, spec| Put(resource, spec);
    let all = || json!({"prefix": "/"});
    let admin = || json!({"prefix": "/admin"});
    vec![
        Case {
            code: Code::RouteShadowed,
            resource: "virtualRouter/back/route/admin",
            with: vec![
                put("virtualRouter/back/route/all", route(all(), Some(1))),
                put("virtualRouter/back/route/admin", route(admin(), Some(2))),
            ],
            without: vec![put("virtualRouter/back/route/admin", route(admin(), None))],
        },
        Case {
            code: Code::GatewayRouteShadowed,
            resource: "virtualGateway/gate/gatewayRoute/later",
            with: vec![put("virtualGateway/gate/gatewayRoute/later", gateway_route(all()))],
            without: vec![put("virtualGateway/gate/gatewayRoute/later", gateway_route(admin()))],
        },
        Case {
            code: Code::HostHidesRoutes,
            resource: "virtualGateway/gate/gatewayRoute/host",
            with: vec![put(
                "virtualGateway/gate/gatewayRoute/host",
                gateway_route(json!({"prefix": "/api", "hostname": {"exact": "shop.example.com"}})),
            )],
            without: vec![put(
                "virtualGateway/gate/gatewayRoute/host",
                gateway_route(json!({"prefix": "/", "hostname": {"exact": "shop.example.com"}})),
            )],
        },
        Case {
            code: Code::RetryAmplification,
            resource: "virtualRouter/back/route/all",
            with: vec![put("virtualRouter/back/route/all", retrying(20))],
            without: vec![put("virtualRouter/back/route/all", retrying(3))],
        },
        Case {
            code: Code::TryLongerThanRequest,
            resource: "virtualRouter/back/route/all",
            with: vec![put("virtualRouter/back/route/all", {
                let mut spec = retrying(1);
                spec["httpRoute"]["retryPolicy"]["perRetryTimeout"] = json!({"value": 16, "unit": "s"});
                spec
            })],
            without: vec![put("virtualRouter/back/route/all", retrying(1))],
        },
        Case {
            code: Code::TargetCutsTimeout,
            resource: "virtualRouter/back/route/all",
            with: vec![put("virtualRouter/back/route/all", timed(route(all(), None), 60))],
            without: vec![
                put("virtualRouter/back/route/all", timed(route(all(), None), 60)),
                put("virtualNode/back", listening(60)),
            ],
        },
        Case {
            code: Code::RouteCutsTimeout,
            resource: "virtualRouter/back/route/all",
            with: vec![put("virtualNode/back", listening(60))],
            without: vec![put("virtualNode/back", listening(5))],
        },
        Case {
            code: Code::CallerCutsTimeout,
            resource: "virtualRouter/back/route/all",
            with: vec![
                put("virtualRouter/back/route/all", timed(route(all(), None), 60)),
                put(
                    "virtualService/front.local",
                    json!({"provider": {"virtualNode": {"virtualNodeName": "front"}}}),
                ),
                put("virtualNode/client", calling("client.local", "front.local")),
            ],
            without: vec![put("virtualRouter/back/route/all", timed(route(all(), None), 60))],
        },
        Case {
            code: Code::ListenerWithoutRoute,
            resource: "virtualRouter/back",
            with: vec![
                put(
                    "virtualRouter/back",
                    json!({"listeners": [
                        {"portMapping": {"port": 8080, "protocol": "http"}},
                        {"portMapping": {"port": 9090, "protocol": "http"}},
                    ]}),
                ),
                put(
                    "virtualRouter/back/route/all",
                    route(json!({"prefix": "/", "port": 8080}), None),
                ),
            ],
            without: vec![put(
                "virtualRouter/back",
                json!({"listeners": [
                    {"portMapping": {"port": 8080, "protocol": "http"}},
                    {"portMapping": {"port": 9090, "protocol": "http"}},
                ]}),
            )],
        },
        Case {
            code: Code::RouteWithoutListener,
            resource: "virtualRouter/back/route/all",
            with: vec![put(
                "virtualRouter/back/route/all",
                route(json!({"prefix": "/", "port": 7070}), None),
            )],
            without: vec![put(
                "virtualRouter/back/route/all",
                route(json!({"prefix": "/", "port": 8080}), None),
            )],
        },
        Case {
            code: Code::HealthCheckPort,
            resource: "virtualNode/back",
            with: vec![put("virtualNode/back", checked(8081))],
            without: vec![put("virtualNode/back", checked(8080))],
        },
        Case {
            code: Code::OutlierOfOne,
            resource: "virtualNode/back",
            with: vec![put("virtualNode/back", ejecting("LOADBALANCER"))],
            without: vec![put("virtualNode/back", ejecting("ENDPOINTS"))],
        },
        Case {
            code: Code::ClientCertificateMissing,
            resource: "virtualNode/front",
            with: vec![put("virtualNode/back", with_tls(true))],
            without: vec![put("virtualNode/back", with_tls(false))],
        },
        Case {
            code: Code::CertificateNames,
            resource: "virtualNode/front",
            with: vec![
                put("virtualNode/back", with_tls(false)),
                put("virtualNode/front", asking_for("wrong.local")),
            ],
            without: vec![
                put("virtualNode/back", with_tls(false)),
                put("virtualNode/front", asking_for("back.local")),
            ],
        },
        Case {
            code: Code::CallCycle,
            resource: "virtualNode/back",
            with: vec![
                put(
                    "virtualService/front.local",
                    json!({"provider": {"virtualNode": {"virtualNodeName": "front"}}}),
                ),
                put("virtualNode/back", calling("back.local", "front.local")),
            ],
            without: vec![put(
                "virtualService/front.local",
                json!({"provider": {"virtualNode": {"virtualNodeName": "front"}}}),
            )],
        },
        Case {
            code: Code::SameTasks,
            resource: "virtualNode/green",
            with: vec![put("virtualNode/green", node("back.local"))],
            without: vec![put("virtualNode/green", node("green.local"))],
        },
        Case {
            code: Code::HostIsAddress,
            resource: "virtualNode/back",
            with: vec![put("virtualNode/back", node("10.0.0.7"))],
            without: vec![put("virtualNode/back", node("10.0.0.7.example.com"))],
        },
        Case {
            code: Code::ServiceUncalled,
            resource: "virtualService/lone.local",
            with: vec![put(
                "virtualService/lone.local",
                json!({"provider": {"virtualNode": {"virtualNodeName": "back"}}}),
            )],
            without: vec![
                put(
                    "virtualService/lone.local",
                    json!({"provider": {"virtualNode": {"virtualNodeName": "back"}}}),
                ),
                put("virtualNode/client", calling("client.local", "lone.local")),
            ],
        },
        Case {
            code: Code::RouterUnused,
            resource: "virtualRouter/back",
            with: vec![put(
                "virtualService/back.local",
                json!({"provider": {"virtualNode": {"virtualNodeName": "back"}}}),
            )],
            without: vec![],
        },
        Case {
            code: Code::NodeApart,
            resource: "virtualNode/apart",
            with: vec![put("virtualNode/apart", node("apart.local"))],
            without: vec![put("virtualNode/apart", calling("apart.local", "back.local"))],
        },
        Case {
            code: Code::GatewayWithoutRoutes,
            resource: "virtualGateway/gate",
            with: vec![Delete("virtualGateway/gate/gatewayRoute/all")],
            without: vec![],
        },
        Case {
            code: Code::PolicyWithoutTarget,
            resource: "policy/p",
            with: vec![Policy("p", json!({"virtualService": "gone.local"}))],
            without: vec![Policy("p", json!({"virtualService": "back.local"}))],
        },
    ]
}
