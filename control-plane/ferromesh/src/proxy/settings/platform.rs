//! What the proxy runs on, as App Mesh's injector and ECS say it: for people who look at the node's metadata.

use crate::proxy::environment::Environment;

/// What the proxy runs on; each is absent elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Platform {
    /// `APPMESH_PLATFORM_K8S_VERSION`: Kubernetes' version.
    pub k8s_version: Option<String>,
    /// `APPMESH_PLATFORM_K8S_POD_UID`: the pod.
    pub k8s_pod_uid: Option<String>,
    /// `APPMESH_PLATFORM_APP_MESH_CONTROLLER_VERSION`: the controller that injected the proxy.
    pub controller_version: Option<String>,
    /// `ECS_CONTAINER_INSTANCE_ARN`: the EC2 instance under an ECS task.
    pub ecs_container_instance: Option<String>,
}

impl Platform {
    pub(super) fn read(env: &mut Environment) -> Self {
        Self {
            k8s_version: env.text("APPMESH_PLATFORM_K8S_VERSION"),
            k8s_pod_uid: env.text("APPMESH_PLATFORM_K8S_POD_UID"),
            controller_version: env.text("APPMESH_PLATFORM_APP_MESH_CONTROLLER_VERSION"),
            ecs_container_instance: env.text("ECS_CONTAINER_INSTANCE_ARN"),
        }
    }
}
