//! An Envoy as a platform would configure it: one listener, the sample's filter, its routes, two upstreams.

use ferromesh_integration::{
    rig::{paths, Envoy},
    upstream::Upstream,
};
use serde_json::{json, Value};

use super::{envoy_gateway, istio, resources, Platform};

/// What a platform makes of a sample.
#[derive(Debug)]
pub struct Translation {
    /// The filter, whose module is the file that `{{MODULE}}` stands for.
    pub filter: Value,
    /// Envoy's routes.
    pub routes: Vec<Value>,
    /// The clusters that they lead to.
    pub clusters: Vec<Cluster>,
    /// Members of the connection manager that the platform's trust boundary adds.
    pub boundary: Value,
}

/// A cluster whose endpoints are shared by weight.
#[derive(Debug)]
pub struct Cluster {
    pub name: String,
    /// The application and its weight.
    pub endpoints: Vec<(Application, u32)>,
}

/// The application that a Kubernetes service stands for.
#[derive(Clone, Copy, Debug)]
pub enum Application {
    Blue,
    Green,
}

impl Application {
    /// By the first label of the service's name.
    pub fn of(service: &str) -> Self {
        match service.split('.').next() {
            Some("blue") => Self::Blue,
            Some("green") => Self::Green,
            _ => panic!("{service} is no service of these tests"),
        }
    }
}

/// The parts in a running sample.
pub struct Front {
    pub platform: Platform,
    pub envoy: Envoy,
    pub blue: Upstream,
    pub green: Upstream,
    pub url: String,
}

impl Front {
    /// Starts an Envoy with the sample of a filter.
    pub async fn start(platform: Platform, filter: &str) -> Self {
        let translation = match platform {
            Platform::Istio => istio::translate(filter),
            Platform::EnvoyGateway => envoy_gateway::translate(filter),
        };
        let (blue, green) = (
            Upstream::start("blue").await.expect("blue"),
            Upstream::start("green").await.expect("green"),
        );
        let module = paths::module(filter).expect("a built module");
        let configuration = configuration(&translation, &blue, &green)
            .to_string()
            .replace("{{MODULE}}", &module.display().to_string());
        let envoy = Envoy::start(&configuration)
            .await
            .unwrap_or_else(|error| panic!("{platform:?}, {filter}: {error:#}"));
        let address = envoy.admin().listener("front").await.expect("the listener");
        Self {
            platform,
            envoy,
            blue,
            green,
            url: format!("http://{address}/"),
        }
    }
}

/// The file that a trust boundary is read from, for both platforms.
pub fn boundary(platform: Platform, kind: &str) -> resources::Resource {
    resources::find(platform, &["trust-boundary"], kind)
}

const TYPES: &str = "type.googleapis.com";

fn configuration(translation: &Translation, blue: &Upstream, green: &Upstream) -> Value {
    let mut manager = json!({
        "@type": format!("{TYPES}/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "front",
        "http_filters": [
            translation.filter,
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": format!("{TYPES}/envoy.extensions.filters.http.router.v3.Router")},
            },
        ],
        "route_config": {
            "name": "front",
            "virtual_hosts": [{"name": "color", "domains": ["*"], "routes": translation.routes}],
        },
    });
    for (name, value) in translation.boundary.as_object().expect("members") {
        manager[name] = value.clone();
    }
    let clusters: Vec<Value> = translation
        .clusters
        .iter()
        .map(|cluster| cluster.configuration(blue, green))
        .collect();
    json!({
        "admin": {"address": loopback(0)},
        "static_resources": {
            "listeners": [{
                "name": "front",
                "address": loopback(0),
                "filter_chains": [{"filters": [{
                    "name": "envoy.filters.network.http_connection_manager",
                    "typed_config": manager,
                }]}],
            }],
            "clusters": clusters,
        },
    })
}

impl Cluster {
    fn configuration(&self, blue: &Upstream, green: &Upstream) -> Value {
        let locality = |(application, weight): &(Application, u32)| {
            let (zone, upstream) = match application {
                Application::Blue => ("blue", blue),
                Application::Green => ("green", green),
            };
            json!({
                "locality": {"zone": zone},
                "load_balancing_weight": weight,
                "lb_endpoints": [{"endpoint": {"address": loopback(upstream.port())}}],
            })
        };
        let endpoints: Vec<Value> = self.endpoints.iter().map(locality).collect();
        json!({
            "name": self.name,
            "type": "STATIC",
            "connect_timeout": "1s",
            "common_lb_config": {"locality_weighted_lb_config": {}},
            "load_assignment": {"cluster_name": self.name, "endpoints": endpoints},
        })
    }
}

fn loopback(port: u16) -> Value {
    json!({"socket_address": {"address": "127.0.0.1", "port_value": port}})
}
