//! A mesh for simulated proxies of the whole product: each of the services has a router and a node whose task is in the
//! registry, and every proxy's node calls all services, so that each change concerns all proxies.

use serde_json::{json, Value};

use crate::stamp::Stamp;

const MESH: &str = "scale";

/// How much there is.
#[derive(Clone, Copy, Debug)]
pub struct Mesh {
    pub proxies: usize,
    /// Services that each of them calls.
    pub services: usize,
}

/// A `PUT`: its path with the leading slash, and its body.
pub type Put = (String, Value);

impl Mesh {
    /// What makes the mesh, in order.
    pub fn puts(&self) -> Vec<Put> {
        let meshes = "/v20190125/meshes";
        let own = format!("{meshes}/{MESH}");
        let registry = format!("/v1/registry/namespaces/{MESH}");
        let mut puts = vec![
            (meshes.to_owned(), json!({"meshName": MESH, "spec": {}})),
            (registry.clone(), json!({})),
        ];
        let listeners = json!([{"portMapping": {"port": 8080, "protocol": "http"}}]);
        for index in 0..self.services {
            let name = format!("b{index}");
            let discovery = json!({"awsCloudMap": {"namespaceName": MESH, "serviceName": name}});
            let spec = json!({"listeners": listeners, "serviceDiscovery": discovery});
            puts.push((
                format!("{own}/virtualNodes"),
                json!({"virtualNodeName": name, "spec": spec}),
            ));
            puts.push((format!("{registry}/services/{name}"), json!({})));
            puts.push(task(index, 0));
            let router = json!({"virtualRouterName": format!("r{index}"), "spec": {"listeners": listeners}});
            puts.push((format!("{own}/virtualRouters"), router));
            let mut first = routing(index, "/");
            first["routeName"] = "all".into();
            puts.push((format!("{own}/virtualRouter/r{index}/routes"), first));
            let provider = json!({"virtualRouter": {"virtualRouterName": format!("r{index}")}});
            let service = json!({"virtualServiceName": service_name(index), "spec": {"provider": provider}});
            puts.push((format!("{own}/virtualServices"), service));
        }
        let backend = |index| json!({"virtualService": {"virtualServiceName": service_name(index)}});
        let backends: Vec<Value> = (0..self.services).map(backend).collect();
        for index in 0..self.proxies {
            let spec = json!({
                "listeners": listeners,
                "serviceDiscovery": {"dns": {"hostname": format!("n{index}.{MESH}.local")}},
                "backends": backends,
            });
            let node = json!({"virtualNodeName": format!("n{index}"), "spec": spec});
            puts.push((format!("{own}/virtualNodes"), node));
        }
        puts
    }

    /// Node ids of the proxies, `{}` standing for the number.
    pub fn nodes() -> String {
        format!("mesh/{MESH}/virtualNode/n{{}}")
    }

    /// The mesh's own path.
    pub fn path() -> String {
        format!("/v20190125/meshes/{MESH}")
    }
}

/// The task of a service at some address: another one each time.
pub fn task(service: usize, number: usize) -> Put {
    let address = format!("10.{}.{}.{}", 1 + service / 250, service % 250, 1 + number % 250);
    (
        format!("/v1/registry/namespaces/{MESH}/services/b{service}/instances/task-0"),
        json!({"attributes": {"AWS_INSTANCE_IPV4": address, "AWS_INSTANCE_PORT": "8080"}}),
    )
}

/// A service's only route, with the moment of the change in its prefix: another one each time, which proxies that get it can read.
pub fn stamped_route(service: usize, stamp: Stamp) -> Put {
    (route(service), routing(service, &format!("/{stamp}")))
}

/// The path of a service's only route.
pub fn route(service: usize) -> String {
    format!("{}/virtualRouter/r{service}/routes/all", Mesh::path())
}

fn routing(service: usize, prefix: &str) -> Value {
    let targets = json!([{"virtualNode": format!("b{service}"), "weight": 1}]);
    json!({"spec": {"httpRoute": {"match": {"prefix": prefix}, "action": {"weightedTargets": targets}}}})
}

fn service_name(index: usize) -> String {
    format!("s{index}.{MESH}.local")
}
