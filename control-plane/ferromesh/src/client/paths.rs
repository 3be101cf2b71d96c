//! The API's paths.

use ferromesh_model::policy::RampTurn;
use ferromesh_model::resource::{Key, Kind};
pub use ferromesh_model::url::component;

/// Path of the collection that a resource is in: create is a `PUT` there, list a `GET`.
///
/// Routes and gateway routes stand under their parent in the singular: App Mesh's own irregularity.
pub fn collection(kind: Kind, mesh: &str, parent: Option<&str>) -> String {
    const MESHES: &str = "/v20190125/meshes";
    let mesh = component(mesh);
    let parent = component(parent.unwrap_or_default());
    match kind {
        Kind::Mesh => MESHES.to_owned(),
        Kind::VirtualNode => format!("{MESHES}/{mesh}/virtualNodes"),
        Kind::VirtualService => format!("{MESHES}/{mesh}/virtualServices"),
        Kind::VirtualRouter => format!("{MESHES}/{mesh}/virtualRouters"),
        Kind::VirtualGateway => format!("{MESHES}/{mesh}/virtualGateways"),
        Kind::Route => format!("{MESHES}/{mesh}/virtualRouter/{parent}/routes"),
        Kind::GatewayRoute => format!("{MESHES}/{mesh}/virtualGateway/{parent}/gatewayRoutes"),
    }
}

/// Path of one resource: describe, update and delete.
pub fn item(key: &Key) -> String {
    let collection = collection(key.kind, &key.mesh, key.parent.as_deref());
    format!("{collection}/{}", component(&key.name))
}

/// Paths of a resource's tags: list (`GET`) and set (`PUT`).
pub fn tags(arn: &str) -> (String, String) {
    let arn = component(arn);
    (
        format!("/v20190125/tags?resourceArn={arn}"),
        format!("/v20190125/tag?resourceArn={arn}"),
    )
}

/// Path of what lets an account use a mesh.
pub fn share(mesh: &str, account: &str) -> String {
    format!("/v1/shares/{}/{}", component(mesh), component(account))
}

/// Path of a mesh's policies.
pub fn policies(mesh: &str) -> String {
    format!("/v1/policies?mesh={}", component(mesh))
}

/// Path of one policy.
pub fn policy(mesh: &str, name: &str) -> String {
    format!("/v1/policies/{}/{}", component(mesh), component(name))
}

/// Path of a turn of a policy's ramp.
pub fn ramp(mesh: &str, name: &str, turn: RampTurn) -> String {
    format!("{}/ramp/{}", policy(mesh, name), turn.as_str())
}

/// Path of what is known of a policy's rollbacks.
pub fn rollback(mesh: &str, name: &str) -> String {
    format!("{}/rollback", policy(mesh, name))
}

/// Path that takes a policy's rollbacks back.
pub fn clear_rollback(mesh: &str, name: &str) -> String {
    format!("{}/clear", rollback(mesh, name))
}

/// Path of everything that was imported and issued for ARNs.
pub const CERTIFICATES: &str = "/v1/certificates";

/// Path of what there is for an ARN.
pub fn certificate(arn: &str) -> String {
    format!("{CERTIFICATES}/{}", component(arn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_and_parents_are_singular() {
        let service = Key::in_mesh("m", Kind::VirtualService, "a/b c.local");
        assert_eq!(item(&service), "/v20190125/meshes/m/virtualServices/a%2Fb%20c.local");
        let route = Key::in_parent("m", Kind::Route, "r", "t");
        assert_eq!(item(&route), "/v20190125/meshes/m/virtualRouter/r/routes/t");
        assert_eq!(item(&Key::mesh("m")), "/v20190125/meshes/m");
    }
}
