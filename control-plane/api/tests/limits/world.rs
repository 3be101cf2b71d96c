//! A server with a mesh in which everything fits that the corpus refers to.

use ferromesh_model::resource::Kind;
use ferromesh_store::Store;
use serde_json::{json, Value};

use super::harness::Api;

/// Most characters of a name.
pub const LONGEST: usize = 255;

/// The server.
pub struct World {
    pub api: Api,
}

impl World {
    /// Routers, nodes and gateways have no listeners, so that routes of every type and port fit.
    pub async fn new() -> Self {
        let api = Api::new();
        api.put("/meshes", json!({"meshName": "m"})).await;
        // Names of any length that a reference can have, and those that stand in paths.
        for name in ["n", "a", &"a".repeat(LONGEST)] {
            api.put("/meshes/m/virtualNodes", json!({"virtualNodeName": name, "spec": {}}))
                .await;
        }
        for name in ["r", "a", &"a".repeat(LONGEST)] {
            api.put(
                "/meshes/m/virtualRouters",
                json!({"virtualRouterName": name, "spec": {}}),
            )
            .await;
        }
        for name in ["s", "a", &"a".repeat(LONGEST)] {
            api.put(
                "/meshes/m/virtualServices",
                json!({"virtualServiceName": name, "spec": {}}),
            )
            .await;
        }
        let gateway = json!({"virtualGatewayName": "g", "spec": {"listeners": []}});
        api.put("/meshes/m/virtualGateways", gateway).await;
        Self { api }
    }

    pub fn revision(&self) -> u64 {
        self.api.store.revision().expect("a revision")
    }
}

/// Where resources of a kind are made.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub collection: &'static str,
    pub member: &'static str,
}

impl Place {
    pub fn of(kind: Kind) -> Self {
        let (collection, member) = match kind {
            Kind::Mesh => ("/meshes", "meshName"),
            Kind::VirtualNode => ("/meshes/m/virtualNodes", "virtualNodeName"),
            Kind::VirtualService => ("/meshes/m/virtualServices", "virtualServiceName"),
            Kind::VirtualRouter => ("/meshes/m/virtualRouters", "virtualRouterName"),
            Kind::Route => ("/meshes/m/virtualRouter/r/routes", "routeName"),
            Kind::VirtualGateway => ("/meshes/m/virtualGateways", "virtualGatewayName"),
            Kind::GatewayRoute => ("/meshes/m/virtualGateway/g/gatewayRoutes", "gatewayRouteName"),
        };
        Self { collection, member }
    }

    /// What creates one.
    pub fn body(&self, name: &str, spec: &Value) -> Value {
        json!({self.member: name, "spec": spec})
    }
}
