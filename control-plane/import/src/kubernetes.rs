//! Manifests of `appmesh.k8s.aws/v1beta2`, as App Mesh's controller for Kubernetes read them.
//!
//! Names, membership and references follow the controller (v1.13): `awsName` and its defaults, the mesh by the
//! namespace's labels, the gateway of a gateway route by its two selectors, names in place of references.

mod object;
mod reference;
mod selector;

use ferromesh_model::resource::{Key, Kind};
use serde_json::{json, Map, Value};

use crate::{
    convert::convert,
    document::{below, Document},
    finding::{Report, Severity},
    resource::{spec_shape, Origin, Resource},
    spelling::Spelling,
    Options,
};
use object::{Cluster, Object};

/// API version of the manifests that are read.
pub const API_VERSION: &str = "appmesh.k8s.aws/v1beta2";

pub fn read(documents: &[Document], options: &Options, report: &mut Report) -> Vec<Resource> {
    let cluster = Cluster::of(documents, options, report);
    let mut resources = Vec::new();
    for object in &cluster.objects {
        resources.extend(match object.kind.as_str() {
            "Mesh" => mesh(&cluster, object, report).into_iter().collect(),
            "VirtualNode" => in_mesh(&cluster, object, Kind::VirtualNode, report)
                .into_iter()
                .collect(),
            "VirtualService" => in_mesh(&cluster, object, Kind::VirtualService, report)
                .into_iter()
                .collect(),
            "VirtualGateway" => in_mesh(&cluster, object, Kind::VirtualGateway, report)
                .into_iter()
                .collect(),
            "VirtualRouter" => router(&cluster, object, report),
            "GatewayRoute" => gateway_route(&cluster, object, report).into_iter().collect(),
            _ => Vec::new(),
        });
    }
    resources
}

fn resource(object: &Object<'_>, key: Key, owner: Option<String>, spec: Value, path: String) -> Resource {
    Resource {
        mesh_owner: owner,
        spec,
        // The controller sets no tags, and manifests have none.
        tags: None,
        metadata: None,
        origin: Origin {
            file: object.document.file.clone(),
            line: object.document.lines.at(&object.path),
            subject: object.subject.clone(),
            path,
        },
        key,
    }
}

/// The spec without the controller's own members, in the API's spelling.
fn spec(
    cluster: &Cluster<'_>,
    object: &Object<'_>,
    kind: Kind,
    mut members: Map<String, Value>,
    path: &str,
    report: &mut Report,
) -> Value {
    let own: &[&str] = match kind {
        Kind::Mesh => &["awsName", "namespaceSelector", "meshOwner"],
        Kind::VirtualNode => &["awsName", "meshRef", "podSelector", "backendGroups"],
        Kind::VirtualService => &["awsName", "meshRef"],
        Kind::VirtualRouter => &["awsName", "meshRef", "routes"],
        Kind::VirtualGateway => &[
            "awsName",
            "meshRef",
            "podSelector",
            "namespaceSelector",
            "gatewayRouteSelector",
        ],
        Kind::GatewayRoute => &["awsName", "meshRef", "virtualGatewayRef"],
        Kind::Route => &[],
    };
    members.retain(|name, _| !own.contains(&name.as_str()));
    let value = reference::names(cluster, object, Value::Object(members), path, "", report);
    convert(
        Spelling::Kubernetes,
        spec_shape(kind),
        value,
        path,
        object.place(),
        report,
    )
    .unwrap_or_else(|| json!({}))
}

fn pod_selector(object: &Object<'_>, report: &mut Report) {
    if object.spec.contains_key("podSelector") {
        let reason = "it is not carried over: which proxies belong here, their APPMESH_RESOURCE_ARN says";
        report.warning(object.place(), &object.below("spec.podSelector"), reason);
    }
}

fn mesh(cluster: &Cluster<'_>, object: &Object<'_>, report: &mut Report) -> Option<Resource> {
    let mut members = object.spec.clone();
    if let Some(discovery) = members.remove("meshServiceDiscovery") {
        members.insert("serviceDiscovery".to_owned(), discovery);
    }
    let path = object.below("spec");
    let spec = spec(cluster, object, Kind::Mesh, members, &path, report);
    let owner = object.text("meshOwner");
    Some(resource(object, Key::mesh(object.aws_name()), owner, spec, path))
}

fn in_mesh(cluster: &Cluster<'_>, object: &Object<'_>, kind: Kind, report: &mut Report) -> Option<Resource> {
    let (mesh, owner) = cluster.mesh_of(object, report)?;
    pod_selector(object, report);
    let path = object.below("spec");
    let mut spec = spec(cluster, object, kind, object.spec.clone(), &path, report);
    if kind == Kind::VirtualNode && object.spec.contains_key("backendGroups") {
        reference::backend_groups(cluster, object, &mut spec, report);
    }
    Some(resource(
        object,
        Key::in_mesh(mesh, kind, object.aws_name()),
        owner,
        spec,
        path,
    ))
}

fn router(cluster: &Cluster<'_>, object: &Object<'_>, report: &mut Report) -> Vec<Resource> {
    let Some((mesh, owner)) = cluster.mesh_of(object, report) else {
        return Vec::new();
    };
    let name = object.aws_name();
    let path = object.below("spec");
    let router_spec = spec(cluster, object, Kind::VirtualRouter, object.spec.clone(), &path, report);
    let key = Key::in_mesh(mesh.clone(), Kind::VirtualRouter, name.clone());
    let mut resources = vec![resource(object, key, owner.clone(), router_spec, path.clone())];
    let routes = match object.spec.get("routes") {
        None | Some(Value::Null) => return resources,
        Some(Value::Array(routes)) => routes,
        Some(_) => {
            report.error(object.place(), &below(&path, "routes"), "expected a list of routes");
            return resources;
        }
    };
    for (index, route) in routes.iter().enumerate() {
        let path = format!("{path}.routes[{index}]");
        let mut members = route.as_object().cloned().unwrap_or_default();
        let Some(Value::String(route_name)) = members.remove("name") else {
            report.error(object.place(), &path, "the route has no name");
            continue;
        };
        let spec = spec(cluster, object, Kind::Route, members, &path, report);
        let key = Key::in_parent(mesh.clone(), Kind::Route, name.clone(), route_name);
        let mut route = resource(object, key, owner.clone(), spec, path.clone());
        route.origin.line = object.document.lines.at(&path);
        resources.push(route);
    }
    resources
}

fn gateway_route(cluster: &Cluster<'_>, object: &Object<'_>, report: &mut Report) -> Option<Resource> {
    let (mesh, owner) = cluster.mesh_of(object, report)?;
    let gateway = cluster.gateway_of(object, report)?;
    let path = object.below("spec");
    let spec = spec(cluster, object, Kind::GatewayRoute, object.spec.clone(), &path, report);
    let key = Key::in_parent(mesh, Kind::GatewayRoute, gateway, object.aws_name());
    Some(resource(object, key, owner, spec, path))
}

/// Kinds that carry nothing of a mesh are named once for each file.
fn report_others(file: &str, others: &std::collections::BTreeMap<String, usize>, report: &mut Report) {
    if !others.is_empty() {
        let list: Vec<String> = others.iter().map(|(kind, count)| format!("{kind} ({count})")).collect();
        let reason = format!("objects of other kinds are left aside: {}", list.join(", "));
        report.file(Severity::Note, file, None, reason);
    }
}
