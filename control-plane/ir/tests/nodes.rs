//! Virtual nodes: ingress, egress, and the egress filter.

mod fixture;

use std::time::Duration;

use ferromesh_ir::cluster::{AddressFamily, ClusterId, Discovery, Probe, UpstreamProtocol};
use ferromesh_ir::listener::{Bind, Listener, Network};
use ferromesh_ir::options::AwsEgress;
use ferromesh_ir::route::{Action, Domain, RouteTable};
use ferromesh_ir::{lower, Options, Proxy, ProxyKind, Reporter};
use ferromesh_model::mesh::Mesh;
use serde_json::{json, Value};

fn listener(port: u16, protocol: &str) -> Value {
    json!({"portMapping": {"port": port, "protocol": protocol}})
}

fn target(listeners: Value) -> Value {
    json!({"listeners": listeners, "serviceDiscovery": {"dns": {"hostname": "t.local"}}})
}

fn calls(services: &[&str]) -> Value {
    let backends: Vec<Value> = services
        .iter()
        .map(|service| json!({"virtualService": {"virtualServiceName": service}}))
        .collect();
    json!({"backends": backends})
}

fn provided_by(node: &str) -> Value {
    json!({"provider": {"virtualNode": {"virtualNodeName": node}}})
}

fn egress(proxy: &Proxy) -> &Listener {
    proxy
        .listeners
        .iter()
        .find(|listener| listener.port == 15001)
        .expect("an egress listener")
}

fn table(proxy: &Proxy, port: u16) -> &RouteTable {
    proxy
        .route_tables
        .iter()
        .find(|table| table.id.port == port)
        .expect("a route table")
}

fn ports(listener: &Listener) -> Vec<(u16, usize)> {
    listener
        .chains
        .iter()
        .map(|chain| (chain.port, chain.server_names.len()))
        .collect()
}

#[test]
fn ingress_goes_to_the_application_with_the_listeners_timeouts_and_limits() {
    let mesh = fixture::mesh(json!([[
        "node",
        "n",
        target(json!([
            {"portMapping": {"port": 8080, "protocol": "http"},
             "timeout": {"http": {"perRequest": {"unit": "s", "value": 0}, "idle": {"unit": "s", "value": 9}}},
             "connectionPool": {"http": {"maxConnections": 7}}},
            {"portMapping": {"port": 9090, "protocol": "grpc"}, "connectionPool": {"grpc": {"maxRequests": 3}}}
        ]))
    ]]));
    let proxy = fixture::node(&mesh);
    assert_eq!(proxy.lints, []);
    assert_eq!(ports(&proxy.listeners[0]), [(8080, 0), (9090, 0)]);
    assert!(proxy.listeners[0].redirected);
    let route = &table(&proxy, 8080).hosts[0].routes[0];
    let Action::Forward(forward) = &route.action else {
        panic!("{route:?}");
    };
    assert_eq!(forward.timeout, Duration::ZERO);
    assert_eq!(forward.idle_timeout, Some(Duration::from_secs(9)));
    assert_eq!(forward.retry, None, "the caller retries");
    let http = &proxy
        .clusters
        .iter()
        .find(|cluster| matches!(cluster.id, ClusterId::Application { port: 8080, .. }));
    let http = http.expect("a cluster");
    assert_eq!(http.discovery, Discovery::Static("127.0.0.1:8080".parse().unwrap()));
    assert_eq!(
        (http.limits.max_connections, http.limits.max_pending_requests),
        (7, 2147483647)
    );
    assert_eq!(http.connect_timeout, Duration::from_millis(250));
    let grpc = proxy
        .clusters
        .iter()
        .find(|cluster| matches!(cluster.id, ClusterId::Application { port: 9090, .. }));
    let grpc = grpc.expect("a cluster");
    assert_eq!((grpc.protocol, grpc.limits.max_requests), (UpstreamProtocol::Http2, 3));
    let reporters: Vec<Reporter> = proxy.plugins.iter().map(|plugin| plugin.reporter).collect();
    assert_eq!(reporters, [Reporter::Destination]);
}

#[test]
fn egress_knows_backends_by_name_and_port_and_nothing_else() {
    let mesh = fixture::mesh(json!([
        ["node", "n", calls(&["Color.local", "other.local"])],
        ["node", "t", target(json!([listener(8080, "http")]))],
        ["service", "Color.local", provided_by("t")],
        ["service", "other.local", provided_by("t")],
        ["service", "unlisted.local", provided_by("t")],
    ]));
    let proxy = fixture::node(&mesh);
    assert_eq!(ports(egress(&proxy)), [(8080, 0), (443, 1)]);
    assert_eq!(egress(&proxy).otherwise, None);
    let table = table(&proxy, 8080);
    let names: Vec<&str> = table.hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(names, ["Color.local", "other.local"]);
    assert_eq!(
        table.hosts[0].domains,
        [
            Domain::Exact("color.local".into()),
            Domain::Exact("color.local:8080".into())
        ]
    );
    assert!(
        proxy.listeners.iter().all(|listener| listener.port != 15000),
        "no listeners, no ingress"
    );
    let policy = table.hosts[0].routes[0].policy.as_ref().expect("a policy");
    assert_eq!(
        policy
            .config
            .observability
            .map(|observability| observability.response_headers),
        Some(true)
    );
}

#[test]
fn a_mesh_that_lets_everything_out_has_a_way_for_everything() {
    let resources = |filter: &str| {
        json!([
            ["mesh", "m", {"egressFilter": {"type": filter}}],
            ["node", "n", calls(&["s.local"])],
            ["node", "t", target(json!([listener(8080, "http")]))],
            ["service", "s.local", provided_by("t")],
        ])
    };
    let open = fixture::node(&fixture::mesh(resources("ALLOW_ALL")));
    assert_eq!(ports(egress(&open)), [(8080, 0), (443, 1), (443, 0)]);
    assert!(matches!(&egress(&open).otherwise, Some(Network::Tcp(tcp)) if tcp.clusters[0].0 == ClusterId::AllowAll));
    let hosts = &table(&open, 8080).hosts;
    assert_eq!(
        hosts.last().map(|host| host.domains.as_slice()),
        Some([Domain::Any].as_slice())
    );

    let closed = fixture::mesh(resources("DROP_ALL"));
    let options = Options {
        aws_egress: AwsEgress::AsFiltered,
        ..Options::default()
    };
    let closed = lower::proxy(&closed, ProxyKind::VirtualNode, "n", &options).unwrap();
    assert_eq!(ports(egress(&closed)), [(8080, 0)]);
}

#[test]
fn a_target_with_several_listeners_is_found_by_port_or_protocol() {
    let route = |port: Value| {
        let target = json!({"virtualNode": "t", "weight": 1});
        let mut target = target.as_object().unwrap().clone();
        if !port.is_null() {
            target.insert("port".into(), port);
        }
        json!({"httpRoute": {"match": {"prefix": "/"}, "action": {"weightedTargets": [target]}}})
    };
    let cluster_port = |listeners: Value, port: Value| {
        let mesh = fixture::mesh(json!([
            ["node", "n", calls(&["s.local"])],
            ["node", "t", target(listeners)],
            ["router", "r", {"listeners": [listener(80, "http")]}],
            ["service", "s.local", {"provider": {"virtualRouter": {"virtualRouterName": "r"}}}],
            ["route", "r/x", route(port)],
        ]));
        let proxy = fixture::node(&mesh);
        let found = proxy
            .clusters
            .iter()
            .find_map(|cluster| match (&cluster.id, &cluster.discovery) {
                (ClusterId::Node { .. }, Discovery::Dns { port, .. }) => Some(*port),
                _ => None,
            });
        (found, proxy.lints.len())
    };
    let two = || json!([listener(5555, "http"), listener(6666, "http")]);
    assert_eq!(cluster_port(two(), json!(6666)), (Some(6666), 0));
    assert_eq!(cluster_port(two(), json!(7777)), (None, 1));
    assert_eq!(cluster_port(two(), json!(null)), (None, 1));
    assert_eq!(
        cluster_port(json!([listener(5555, "http"), listener(80, "http")]), json!(null)),
        (Some(80), 0)
    );
    assert_eq!(
        cluster_port(json!([listener(5555, "grpc"), listener(6666, "http")]), json!(null)),
        (Some(6666), 0)
    );
    assert_eq!(
        cluster_port(json!([listener(5555, "http")]), json!(null)),
        (Some(5555), 0)
    );
}

#[test]
fn health_checks_and_outlier_detection_are_the_callers() {
    let mesh = fixture::mesh(json!([
        ["node", "n", calls(&["s.local"])],
        ["node", "t", {"listeners": [{
            "portMapping": {"port": 8080, "protocol": "http"},
            "healthCheck": {"protocol": "http", "path": "/ping", "healthyThreshold": 2, "unhealthyThreshold": 3,
                "intervalMillis": 5000, "timeoutMillis": 2000, "port": 8081},
            "outlierDetection": {"maxServerErrors": 5, "interval": {"unit": "s", "value": 10},
                "baseEjectionDuration": {"unit": "ms", "value": 1500}, "maxEjectionPercent": 50}}],
            "serviceDiscovery": {"dns": {"hostname": "t.local", "responseType": "ENDPOINTS", "ipPreference": "IPv4_ONLY"}}}],
        ["service", "s.local", provided_by("t")],
    ]));
    let proxy = fixture::node(&mesh);
    let cluster = proxy
        .clusters
        .iter()
        .find(|cluster| matches!(cluster.id, ClusterId::Node { .. }))
        .expect("a cluster");
    let check = cluster.health_check.as_ref().expect("a health check");
    assert_eq!(check.port, Some(8081));
    assert_eq!(
        check.probe,
        Probe::Http {
            host: "t.local:8081".into(),
            path: "/ping".into()
        }
    );
    let outlier = cluster.outlier_detection.expect("outlier detection");
    assert_eq!(
        (outlier.consecutive_5xx, outlier.base_ejection),
        (5, Duration::from_millis(1500))
    );
    assert!(matches!(
        &cluster.discovery,
        Discovery::Dns {
            family: AddressFamily::V4Only,
            ..
        }
    ));
}

#[test]
fn ip_preferences_choose_binds_lookups_and_the_applications_address() {
    let lowered = |preference: &str| {
        let mesh: Mesh = fixture::mesh(json!([
            ["mesh", "m", {"serviceDiscovery": {"ipPreference": preference}}],
            ["node", "n", {"listeners": [listener(8080, "http")], "serviceDiscovery": {"dns": {"hostname": "n"}},
                "backends": [{"virtualService": {"virtualServiceName": "s.local"}}]}],
            ["node", "t", target(json!([listener(8080, "http")]))],
            ["service", "s.local", provided_by("t")],
        ]));
        let proxy = fixture::node(&mesh);
        let of = |found: &dyn Fn(&ClusterId) -> bool| proxy.clusters.iter().find(|cluster| found(&cluster.id)).cloned();
        let application = of(&|id| matches!(id, ClusterId::Application { .. }))
            .expect("a cluster")
            .discovery
            .clone();
        let Discovery::Static(address) = application else {
            panic!("{application:?}");
        };
        let node = of(&|id| matches!(id, ClusterId::Node { .. }))
            .expect("a cluster")
            .discovery
            .clone();
        let Discovery::Dns { family, .. } = node else {
            panic!("{node:?}");
        };
        (proxy.listeners[0].bind, address.ip().to_string(), family)
    };
    assert_eq!(
        lowered("IPv4_ONLY"),
        (Bind::Dual, "127.0.0.1".into(), AddressFamily::V4Only)
    );
    assert_eq!(
        lowered("IPv4_PREFERRED"),
        (Bind::Dual, "127.0.0.1".into(), AddressFamily::V4Preferred)
    );
    assert_eq!(lowered("IPv6_ONLY"), (Bind::Dual, "::1".into(), AddressFamily::V6Only));
    assert_eq!(
        lowered("IPv6_PREFERRED"),
        (Bind::Dual, "::1".into(), AddressFamily::Auto)
    );
}

#[test]
fn two_backends_that_cannot_share_a_port_are_named() {
    let mesh = fixture::mesh(json!([
        [
            "node",
            "n",
            calls(&["web.local", "db.local", "db2.local", "missing.local"])
        ],
        ["node", "web", target(json!([listener(80, "http")]))],
        [
            "node",
            "db",
            target(json!([listener(80, "tcp"), listener(5432, "tcp")]))
        ],
        ["node", "db2", target(json!([listener(5432, "tcp")]))],
        ["service", "web.local", provided_by("web")],
        ["service", "db.local", provided_by("db")],
        ["service", "db2.local", provided_by("db2")],
    ]));
    let proxy = fixture::node(&mesh);
    assert_eq!(ports(egress(&proxy)), [(80, 0), (5432, 0), (443, 1)]);
    let lints: Vec<String> = proxy.lints.iter().map(ToString::to_string).collect();
    assert_eq!(lints.len(), 3, "{lints:?}");
    assert!(
        lints
            .iter()
            .any(|lint| lint.contains("db.local cannot be called on port 80")),
        "{lints:?}"
    );
    assert!(
        lints
            .iter()
            .any(|lint| lint.contains("db2.local cannot be called on port 5432")),
        "{lints:?}"
    );
    assert!(
        lints.iter().any(|lint| lint.contains("missing.local has no provider")),
        "{lints:?}"
    );
}
