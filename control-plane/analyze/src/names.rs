//! Policies whose target is gone.

use ferromesh_model::mesh::Mesh;
use ferromesh_model::policy::PolicyTarget;

use crate::scene::Scene;
use crate::{reach, Code, Finding};

pub(crate) fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mesh = scene.mesh;
    let mut found = Vec::new();
    for policy in &mesh.policies {
        let resource = format!("policy/{}", policy.name);
        if !is_there(mesh, &policy.target) {
            let message = format!(
                "{} does not exist: the policy has no effect",
                policy.target.key(&mesh.name)
            );
            found.push(Finding::new(Code::PolicyWithoutTarget, &resource, "target", message));
        }
        for node in reach::nodes(policy).filter(|node| !mesh.virtual_nodes.contains_key(*node)) {
            let message = format!("virtual node {node}, which it names, does not exist");
            found.push(Finding::new(Code::PolicyWithoutTarget, &resource, "spec", message));
        }
    }
    found
}

fn is_there(mesh: &Mesh, target: &PolicyTarget) -> bool {
    match target {
        PolicyTarget::Mesh {} => true,
        PolicyTarget::VirtualNode(name) | PolicyTarget::VirtualNodeIngress(name) => {
            mesh.virtual_nodes.contains_key(name)
        }
        PolicyTarget::VirtualService(name) => mesh.virtual_services.contains_key(name),
        PolicyTarget::VirtualGateway(name) => mesh.virtual_gateways.contains_key(name),
        PolicyTarget::Route { router, name } => {
            let router = mesh.virtual_routers.get(router);
            router.is_some_and(|router| router.routes.iter().any(|route| route.name == *name))
        }
        PolicyTarget::GatewayRoute { gateway, name } => {
            let gateway = mesh.virtual_gateways.get(gateway);
            gateway.is_some_and(|gateway| gateway.routes.iter().any(|route| route.name == *name))
        }
    }
}
