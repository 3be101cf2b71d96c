//! Virtual nodes whose tasks stand in the registry.

mod fixture;

use std::collections::BTreeMap;

use ferromesh_ir::cluster::{ClusterId, Discovery, Probe};
use ferromesh_ir::registry::Query;
use ferromesh_ir::Proxy;
use ferromesh_model::registry::{Directory, Health, Instance, Service};
use serde_json::{json, Value};

fn service(custom_health: bool) -> Service {
    Service {
        namespace: "apps".into(),
        namespace_id: "ns-1".into(),
        name: "colour".into(),
        id: "srv-1".into(),
        description: None,
        dns: None,
        custom_health,
        attributes: BTreeMap::new(),
        instances_revision: 1,
        created_at: 0.0,
        creator_request_id: None,
        tags: vec![],
    }
}

fn instance(id: &str, health: Health, attributes: &[(&str, &str)]) -> Instance {
    let attributes = attributes.iter();
    Instance {
        namespace: "apps".into(),
        service: "colour".into(),
        id: id.into(),
        attributes: attributes
            .map(|(key, value)| ((*key).into(), (*value).into()))
            .collect(),
        health,
        registered_at: 0.0,
        creator_request_id: None,
        operation: None,
    }
}

/// The configuration of a node that calls `t`, which is found in the registry.
fn caller(of_mesh: Value, of_node: Value, health_check: Value) -> Proxy {
    let mut discovery = json!({"namespaceName": "apps", "serviceName": "colour"});
    for (key, value) in of_node.as_object().expect("an object") {
        discovery[key] = value.clone();
    }
    let mut listener = json!({"portMapping": {"port": 8080, "protocol": "http"}});
    if !health_check.is_null() {
        listener["healthCheck"] = health_check;
    }
    let mesh = fixture::mesh(json!([
        ["mesh", "m", {"serviceDiscovery": of_mesh}],
        ["node", "n", {"backends": [{"virtualService": {"virtualServiceName": "s.local"}}]}],
        ["node", "t", {"listeners": [listener], "serviceDiscovery": {"awsCloudMap": discovery}}],
        ["service", "s.local", {"provider": {"virtualNode": {"virtualNodeName": "t"}}}],
    ]));
    fixture::node(&mesh)
}

fn query(proxy: &Proxy) -> &Query {
    let mut queries = proxy.clusters.iter().filter_map(|cluster| match &cluster.discovery {
        Discovery::Registry(query) => Some(query),
        _ => None,
    });
    queries.next().expect("a cluster that looks in the registry")
}

fn tasks(proxy: &Proxy, directory: &Directory) -> Vec<String> {
    let found = query(proxy).tasks(directory).expect("the service is registered");
    found.iter().map(ToString::to_string).collect()
}

const V4: &str = "AWS_INSTANCE_IPV4";
const V6: &str = "AWS_INSTANCE_IPV6";

#[test]
fn which_of_a_tasks_addresses_is_called_follows_the_preference_in_all_its_forms() {
    let directory = Directory::new(
        [service(false)],
        [
            instance("both", Health::Healthy, &[(V4, "10.0.0.1"), (V6, "fd00::1")]),
            instance("v4", Health::Healthy, &[(V4, "10.0.0.2")]),
            instance("v6", Health::Healthy, &[(V6, "fd00::3")]),
            instance("none", Health::Healthy, &[("stage", "blue")]),
        ],
    );
    let forms = [
        (None, vec!["10.0.0.1:8080", "10.0.0.2:8080"]),
        (Some("IPv4_ONLY"), vec!["10.0.0.1:8080", "10.0.0.2:8080"]),
        (
            Some("IPv4_PREFERRED"),
            vec!["10.0.0.1:8080", "10.0.0.2:8080", "[fd00::3]:8080"],
        ),
        (Some("IPv6_ONLY"), vec!["[fd00::1]:8080", "[fd00::3]:8080"]),
        (
            Some("IPv6_PREFERRED"),
            vec!["10.0.0.2:8080", "[fd00::1]:8080", "[fd00::3]:8080"],
        ),
    ];
    for (form, expected) in forms {
        let preference = form.map_or(json!({}), |form| json!({ "ipPreference": form }));
        let by_node = caller(json!({}), preference.clone(), Value::Null);
        assert_eq!(tasks(&by_node, &directory), expected, "{form:?} of the node");
        let by_mesh = caller(preference, json!({}), Value::Null);
        assert_eq!(tasks(&by_mesh, &directory), expected, "{form:?} of the mesh");
    }
    let both = caller(
        json!({"ipPreference": "IPv6_ONLY"}),
        json!({"ipPreference": "IPv4_ONLY"}),
        Value::Null,
    );
    assert_eq!(tasks(&both, &directory), ["10.0.0.1:8080", "10.0.0.2:8080"]);
}

#[test]
fn tasks_have_all_the_attributes_and_are_called_at_the_listeners_port() {
    let wanted = json!({"attributes": [{"key": "stage", "value": "blue"}, {"key": "zone", "value": "a"}]});
    let proxy = caller(json!({}), wanted, Value::Null);
    let blue = [
        (V4, "10.0.0.1"),
        ("stage", "blue"),
        ("zone", "a"),
        ("AWS_INSTANCE_PORT", "31000"),
    ];
    let directory = Directory::new(
        [service(false)],
        [
            instance("1", Health::Healthy, &blue),
            instance(
                "2",
                Health::Healthy,
                &[(V4, "10.0.0.2"), ("stage", "blue"), ("zone", "b")],
            ),
            instance("3", Health::Healthy, &[(V4, "10.0.0.3"), ("stage", "blue")]),
            // The same task under another id is one task.
            instance("4", Health::Healthy, &blue),
        ],
    );
    assert_eq!(tasks(&proxy, &directory), ["10.0.0.1:8080"]);
}

#[test]
fn health_counts_where_somebody_reports_it() {
    let proxy = caller(json!({}), json!({}), Value::Null);
    let instances = || {
        [
            instance("1", Health::Healthy, &[(V4, "10.0.0.1")]),
            instance("2", Health::Unhealthy, &[(V4, "10.0.0.2")]),
        ]
    };
    let reported = Directory::new([service(true)], instances());
    assert_eq!(tasks(&proxy, &reported), ["10.0.0.1:8080"]);
    let unknown = Directory::new([service(false)], instances());
    assert_eq!(tasks(&proxy, &unknown), ["10.0.0.1:8080", "10.0.0.2:8080"]);
}

#[test]
fn a_service_that_is_not_registered_has_no_tasks_and_is_named() {
    let proxy = caller(json!({}), json!({}), Value::Null);
    let tasks = proxy.tasks(&Directory::default());
    assert!(tasks.addresses.values().all(Vec::is_empty) && tasks.addresses.len() == 1);
    let lints: Vec<String> = tasks.lints.iter().map(ToString::to_string).collect();
    assert_eq!(
        lints,
        ["FM126 virtualNode/t: the registry has no service colour in a namespace apps: calls to it are answered with 503"]
    );
    let empty = proxy.tasks(&Directory::new([service(true)], []));
    assert_eq!((empty.addresses.len(), empty.lints), (1, vec![]));
}

#[test]
fn a_health_check_asks_for_the_service_by_its_name() {
    let check = json!({"protocol": "http", "path": "/ping", "port": 9000, "healthyThreshold": 2,
        "unhealthyThreshold": 2, "intervalMillis": 5000, "timeoutMillis": 2000});
    let proxy = caller(json!({}), json!({}), check);
    let cluster = proxy
        .clusters
        .iter()
        .find(|cluster| matches!(cluster.id, ClusterId::Node { .. }));
    let check = cluster
        .and_then(|cluster| cluster.health_check.clone())
        .expect("a health check");
    assert_eq!(
        check.probe,
        Probe::Http {
            host: "colour.apps:9000".into(),
            path: "/ping".into()
        }
    );
    assert_eq!(check.port, Some(9000));
}
