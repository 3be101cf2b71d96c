//! The smallest mesh worth testing: a virtual gateway in front of one virtual service whose route is split
//! between two nodes, blue and green.

use anyhow::Result;
use serde_json::{json, Value};

use crate::{
    load::Load,
    rig::{ports, wait_for_status, Modules, Proxy, Rig},
    upstream::Upstream,
};

/// Where the route is, below `/v20190125/`.
pub const ROUTE: &str = "meshes/colours/virtualRouter/color/routes/color";
/// The virtual service's name, which upstreams see as host.
pub const SERVICE: &str = "color.test.local";

/// The mesh `colours`, running.
#[derive(Debug)]
pub struct TwoColours {
    // Dropped in this order: the rig, whose folder the processes log to, last.
    pub gateway: Proxy,
    pub blue: Upstream,
    pub green: Upstream,
    pub rig: Rig,
    port: u16,
}

impl TwoColours {
    /// Starts it with the built filter modules and a route split by `weights`; both colours answer through
    /// the gateway when this returns.
    pub async fn start(weights: [u32; 2]) -> Result<Self> {
        Self::start_with(Modules::Built, route(weights)).await
    }

    /// Starts it with other modules, or another route.
    pub async fn start_with(modules: Modules, route: Value) -> Result<Self> {
        Self::start_on(Rig::start_with(modules).await?, route).await
    }

    /// Starts it on a control plane that runs.
    pub async fn start_on(rig: Rig, route: Value) -> Result<Self> {
        let blue = Upstream::start("blue").await?;
        let green = Upstream::start("green").await?;
        let port = ports::free()?;
        rig.put("meshes", &json!({"meshName": "colours"})).await?;
        for colour in [&blue, &green] {
            let node = json!({"virtualNodeName": colour.name(), "spec": node(colour.port())});
            rig.put("meshes/colours/virtualNodes", &node).await?;
        }
        let listener = json!({"portMapping": {"port": 9000, "protocol": "http"}});
        let router = json!({"virtualRouterName": "color", "spec": {"listeners": [listener]}});
        rig.put("meshes/colours/virtualRouters", &router).await?;
        let route = json!({"routeName": "color", "spec": route});
        rig.put("meshes/colours/virtualRouter/color/routes", &route).await?;
        let provider = json!({"virtualRouter": {"virtualRouterName": "color"}});
        let service = json!({"virtualServiceName": SERVICE, "spec": {"provider": provider}});
        rig.put("meshes/colours/virtualServices", &service).await?;
        let listener = json!({"portMapping": {"port": port, "protocol": "http"}});
        let gateway = json!({"virtualGatewayName": "gateway", "spec": {"listeners": [listener]}});
        rig.put("meshes/colours/virtualGateways", &gateway).await?;
        let gateway_route = json!({
            "gatewayRouteName": "all",
            "spec": {"httpRoute": {
                "match": {"prefix": "/"},
                "action": {"target": {"virtualService": {"virtualServiceName": SERVICE}}},
            }},
        });
        rig.put("meshes/colours/virtualGateway/gateway/gatewayRoutes", &gateway_route)
            .await?;
        let mesh = Self {
            gateway: rig.proxy("mesh/colours/virtualGateway/gateway").await?,
            blue,
            green,
            rig,
            port,
        };
        wait_for_status(&mesh.url("/"), 200).await?;
        mesh.blue.forget();
        mesh.green.forget();
        Ok(mesh)
    }

    /// A URL at the gateway.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Load on the gateway that notes which colour answered.
    pub fn load(&self) -> Load {
        Load::to(self.url("/")).noting("x-colour")
    }

    /// Updates the route's weights through the API.
    pub async fn set_weights(&self, weights: [u32; 2]) -> Result<Value> {
        self.rig.put(ROUTE, &json!({"spec": route(weights)})).await
    }

    /// Both colours' requests together: attempts, if the gateway retried.
    pub fn attempts(&self) -> u64 {
        self.blue.counts().requests + self.green.counts().requests
    }
}

/// The spec of a node that listens on a port of 127.0.0.1.
pub fn node(port: u16) -> Value {
    json!({
        "listeners": [{"portMapping": {"port": port, "protocol": "http"}}],
        "serviceDiscovery": {"dns": {"hostname": "127.0.0.1"}},
    })
}

/// The spec of a route that splits everything by weight and has no retry policy of its own.
pub fn route(weights: [u32; 2]) -> Value {
    json!({"httpRoute": {
        "match": {"prefix": "/"},
        "action": {"weightedTargets": [
            {"virtualNode": "blue", "weight": weights[0]},
            {"virtualNode": "green", "weight": weights[1]},
        ]},
    }})
}

/// A route with a retry policy on server errors.
pub fn retrying(weights: [u32; 2], retries: u32) -> Value {
    let mut route = route(weights);
    route["httpRoute"]["retryPolicy"] = json!({
        "maxRetries": retries,
        "perRetryTimeout": {"unit": "s", "value": 2},
        "httpRetryEvents": ["server-error"],
        "tcpRetryEvents": ["connection-error"],
    });
    route
}
