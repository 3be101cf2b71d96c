//! gRPC's C core as a whole xDS client: a channel to `xds:///mesh.test` whose calls must go where the snapshot says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use envoy_types::pb::envoy::config::cluster::v3::cluster::{ClusterDiscoveryType, DiscoveryType, EdsClusterConfig};
use envoy_types::pb::envoy::config::cluster::v3::Cluster;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::endpoint::v3::lb_endpoint::HostIdentifier;
use envoy_types::pb::envoy::config::endpoint::v3::{ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints};
use envoy_types::pb::envoy::config::listener::v3::{ApiListener, Listener};
use envoy_types::pb::envoy::config::route::v3 as route;
use envoy_types::pb::envoy::extensions::filters::http::router::v3::Router;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3 as hcm;
use envoy_types::pb::google::protobuf::{Any, UInt32Value};
use ferromesh_xds::{service, Config, DeliveryStatus, Reference, Snapshot};
use prost::{Message, Name};
use serde_json::json;
use tokio_stream::wrappers::TcpListenerStream;

use crate::python::Script;
use crate::server::*;

/// A server whose end is that of all its connections, at once, as in a crash.
struct Control {
    source: Arc<Source>,
    status: Arc<DeliveryStatus>,
    port: u16,
    runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for Control {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Control {
    fn start() -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut control = Self {
            source: Arc::default(),
            status: Arc::default(),
            port,
            runtime: None,
        };
        control.run();
        control
    }

    fn run(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let service = service(self.source.clone(), self.status.clone(), Config::default());
        let port = self.port;
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve_with_incoming(TcpListenerStream::new(listener)).await
        });
        self.runtime = Some(runtime);
    }

    fn kill(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }

    /// Another process, as far as the client can tell: it knows nothing of the one before.
    fn restart(&mut self) {
        self.kill();
        self.source = Arc::default();
        self.status = Arc::default();
        self.run();
    }

    fn publish(&self, mesh: &Mesh) {
        self.source.publish_sealed("grpc", mesh.seal());
    }

    async fn until(&self, what: &str, condition: impl Fn(&DeliveryStatus) -> bool) {
        let wait = async {
            while !condition(&self.status) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let came = tokio::time::timeout(3 * PATIENCE, wait).await;
        came.unwrap_or_else(|_| panic!("{what} did not come about: {:?}", self.status.proxy("grpc")));
    }
}

/// What there is to be found: clusters with the port of their one endpoint, and the one that everything goes to.
#[derive(Clone)]
struct Mesh {
    clusters: BTreeMap<&'static str, u64>,
    route: &'static str,
    listener: bool,
    broken: bool,
}

impl Mesh {
    fn seal(&self) -> Snapshot {
        let mut resources: Vec<(&str, String, Bytes)> = Vec::new();
        let mut references = vec![Reference::new(CLUSTER, self.route, "routes")];
        for (name, port) in &self.clusters {
            resources.push((CLUSTER, name.to_string(), cluster(name)));
            resources.push((ENDPOINT, name.to_string(), endpoints(name, *port)));
            references.push(Reference::new(ENDPOINT, *name, *name));
        }
        if self.listener {
            resources.push((LISTENER, "mesh.test".into(), self.listener()));
            references.push(Reference::new(ROUTE, "routes", "mesh.test"));
        }
        resources.push((ROUTE, "routes".into(), routes(self.route)));
        Snapshot::seal(resources, references).unwrap()
    }

    fn listener(&self) -> Bytes {
        let router = hcm::HttpFilter {
            name: "router".into(),
            config_type: Some(hcm::http_filter::ConfigType::TypedConfig(any(&Router::default()))),
            ..Default::default()
        };
        let manager = hcm::HttpConnectionManager {
            http_filters: if self.broken { vec![] } else { vec![router] },
            route_specifier: Some(hcm::http_connection_manager::RouteSpecifier::Rds(hcm::Rds {
                config_source: Some(ads()),
                route_config_name: "routes".into(),
            })),
            ..Default::default()
        };
        let listener = Listener {
            name: "mesh.test".into(),
            api_listener: Some(ApiListener {
                api_listener: Some(any(&manager)),
            }),
            ..Default::default()
        };
        listener.encode_to_vec().into()
    }
}

fn cluster(name: &str) -> Bytes {
    let cluster = Cluster {
        name: name.into(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds as i32)),
        eds_cluster_config: Some(EdsClusterConfig {
            eds_config: Some(ads()),
            ..Default::default()
        }),
        ..Default::default()
    };
    cluster.encode_to_vec().into()
}

fn endpoints(name: &str, port: u64) -> Bytes {
    let at = core::SocketAddress {
        address: "127.0.0.1".into(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port as u32)),
        ..Default::default()
    };
    let endpoint = Endpoint {
        address: Some(core::Address {
            address: Some(core::address::Address::SocketAddress(at)),
        }),
        ..Default::default()
    };
    let assignment = ClusterLoadAssignment {
        cluster_name: name.into(),
        endpoints: vec![LocalityLbEndpoints {
            locality: Some(core::Locality {
                zone: "here".into(),
                ..Default::default()
            }),
            load_balancing_weight: Some(UInt32Value { value: 1 }),
            lb_endpoints: vec![LbEndpoint {
                host_identifier: Some(HostIdentifier::Endpoint(endpoint)),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    assignment.encode_to_vec().into()
}

fn routes(to: &str) -> Bytes {
    let action = route::RouteAction {
        cluster_specifier: Some(route::route_action::ClusterSpecifier::Cluster(to.into())),
        ..Default::default()
    };
    let all = route::RouteMatch {
        path_specifier: Some(route::route_match::PathSpecifier::Prefix(String::new())),
        ..Default::default()
    };
    let table = route::RouteConfiguration {
        name: "routes".into(),
        virtual_hosts: vec![route::VirtualHost {
            name: "all".into(),
            domains: vec!["*".into()],
            routes: vec![route::Route {
                r#match: Some(all),
                action: Some(route::route::Action::Route(action)),
                ..Default::default()
            }],
            ..Default::default()
        }],
        ..Default::default()
    };
    table.encode_to_vec().into()
}

fn ads() -> core::ConfigSource {
    core::ConfigSource {
        resource_api_version: core::ApiVersion::V3 as i32,
        config_source_specifier: Some(core::config_source::ConfigSourceSpecifier::Ads(Default::default())),
        ..Default::default()
    }
}

fn any<M: Message + Name>(message: &M) -> Any {
    Any {
        type_url: M::type_url(),
        value: message.encode_to_vec(),
    }
}

/// The program that makes the calls.
struct Program(Script);

impl Program {
    fn start(control_port: u16) -> Self {
        let bootstrap = json!({
            "xds_servers": [{
                "server_uri": format!("127.0.0.1:{control_port}"),
                "channel_creds": [{"type": "insecure"}],
                "server_features": ["xds_v3"],
            }],
            "node": {"id": "grpc", "cluster": "c"},
        });
        let environment = [("GRPC_XDS_BOOTSTRAP_CONFIG", bootstrap.to_string())];
        Self(Script::start("channel.py", &environment))
    }

    async fn backend(&mut self, name: &str) -> u64 {
        self.0.ask(json!({"backend": name})).await["port"].as_u64().unwrap()
    }

    /// Calls until this is the answer; gives what was answered before, which must not be a failure.
    async fn until(&mut self, name: &str) {
        let answer = self.0.ask(json!({"until": name, "seconds": 30})).await;
        let before = answer["before"].as_object();
        let before = before.unwrap_or_else(|| panic!("`{name}` was not answered"));
        let failed = before.keys().find(|answer| answer.contains(": "));
        assert_eq!(failed, None, "calls failed before `{name}` answered");
    }

    /// Makes calls, which must all be answered by this one.
    async fn always(&mut self, name: &str) {
        let answer = self.0.ask(json!({"call": 20})).await;
        assert_eq!(answer, json!({"answers": {name: 20}}));
    }
}

/// The first answer to what there is, the change of a route, of an endpoint, a removal and a return.
#[tokio::test(flavor = "multi_thread")]
async fn calls_follow_the_snapshot_and_none_fails_while_it_changes() {
    let control = Control::start();
    let mut program = Program::start(control.port);
    let (blue, green, third) = (
        program.backend("blue").await,
        program.backend("green").await,
        program.backend("third").await,
    );
    let mut mesh = Mesh {
        clusters: [("one", blue)].into(),
        route: "one",
        listener: true,
        broken: false,
    };
    control.publish(&mesh);
    program.until("blue").await;
    program.always("blue").await;

    // Another cluster, the route to it, and the end of the first, in one step.
    mesh.clusters = [("two", green)].into();
    mesh.route = "two";
    control.publish(&mesh);
    program.until("green").await;
    program.always("green").await;

    // Another endpoint.
    mesh.clusters = [("two", third)].into();
    control.publish(&mesh);
    program.until("third").await;
    program.always("third").await;

    // The listener goes: nothing is left to call. It comes again.
    mesh.listener = false;
    control.publish(&mesh);
    let failing = async {
        loop {
            let answer = program.0.ask(json!({"call": 1})).await;
            let (code, _) = answer["answers"].as_object().unwrap().iter().next().unwrap();
            if code.starts_with("UNAVAILABLE") {
                return;
            }
            assert_eq!(code, "third");
        }
    };
    tokio::time::timeout(3 * PATIENCE, failing).await.unwrap();
    mesh.listener = true;
    control.publish(&mesh);
    let returning = async { while program.0.ask(json!({"call": 1})).await != json!({"answers": {"third": 1}}) {} };
    tokio::time::timeout(3 * PATIENCE, returning).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_listener_leaves_the_one_before_and_a_mended_one_is_taken() {
    let control = Control::start();
    let mut program = Program::start(control.port);
    let (blue, green) = (program.backend("blue").await, program.backend("green").await);
    let mut mesh = Mesh {
        clusters: [("one", blue), ("two", green)].into(),
        route: "one",
        listener: true,
        broken: false,
    };
    control.publish(&mesh);
    program.until("blue").await;

    mesh.broken = true;
    control.publish(&mesh);
    let nacked = |status: &DeliveryStatus| {
        let streams = status.proxy("grpc");
        streams.iter().find_map(|s| s.types.get(LISTENER)?.nacked.clone())
    };
    control.until("the rejection", |status| nacked(status).is_some()).await;
    let message = nacked(&control.status).unwrap().message;
    assert!(message.contains("mesh.test"), "{message}");
    program.always("blue").await;

    mesh.broken = false;
    mesh.route = "two";
    control.publish(&mesh);
    program.until("green").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_death_of_the_server_fails_no_call_and_its_successor_is_followed() {
    let mut control = Control::start();
    let mut program = Program::start(control.port);
    let (blue, green) = (program.backend("blue").await, program.backend("green").await);
    let mut mesh = Mesh {
        clusters: [("one", blue)].into(),
        route: "one",
        listener: true,
        broken: false,
    };
    control.publish(&mesh);
    program.until("blue").await;
    control.kill();
    program.always("blue").await;
    control.restart();
    control
        .until("a new stream", |status| !status.proxy("grpc").is_empty())
        .await;
    // The successor has not read its store yet.
    program.always("blue").await;
    control.publish(&mesh);
    program.always("blue").await;
    mesh.clusters.insert("two", green);
    mesh.route = "two";
    control.publish(&mesh);
    program.until("green").await;
    program.always("green").await;
}
