//! Who the proxy is: the xDS node, with the metadata that App Mesh's agent sent.

use serde_json::{json, Map, Value};

use crate::proxy::settings::{Platform, Settings};

/// Member of `ferromesh` in the metadata: whether there is an SDS server beside the proxy.
pub(crate) const HAS_SECRET_SERVER: &str = "hasSecretServer";

/// Member of `ferromesh` in the metadata: another for each run of the agent.
const INSTANCE: &str = "instance";

/// The node. `runtime` is told in the metadata too, as the agent did.
pub(super) fn node(settings: &Settings, instance: &str, runtime: &Value) -> Value {
    let mut metadata = json!({
        "ferromesh": {
            "version": env!("CARGO_PKG_VERSION"),
            (HAS_SECRET_SERVER): settings.bootstrap.sds_socket.is_some(),
            (INSTANCE): instance,
        },
        "aws.appmesh.static_runtime": runtime,
    });
    if settings.stats.metrics_extension {
        metadata["aws.appmesh.metric_filter"] = json!({ "level": "1" });
    }
    if let Some(platform) = platform(&settings.node.platform) {
        metadata["aws.appmesh.platformInfo"] = platform;
    }
    json!({ "id": settings.node.id, "cluster": settings.node.cluster, "metadata": metadata })
}

fn platform(platform: &Platform) -> Option<Value> {
    let kubernetes = members(&[
        ("k8sVersion", &platform.k8s_version),
        ("podUid", &platform.k8s_pod_uid),
        ("appMeshControllerVersion", &platform.controller_version),
    ]);
    let ecs = members(&[("ecsContainerInstanceArn", &platform.ecs_container_instance)]);
    let info: Map<_, _> = [("k8sPlatformInfo", kubernetes), ("ecsPlatformInfo", ecs)]
        .into_iter()
        .filter(|(_, members)| !members.is_empty())
        .map(|(name, members)| (name.to_owned(), Value::Object(members)))
        .collect();
    (!info.is_empty()).then_some(Value::Object(info))
}

fn members(all: &[(&str, &Option<String>)]) -> Map<String, Value> {
    let set = all.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?)));
    set.map(|(name, value)| (name.to_owned(), json!(value))).collect()
}
