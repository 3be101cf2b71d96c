//! A case's resources, created through the App Mesh API.

use anyhow::{bail, Context, Result};
use serde_json::{json, Value};

use super::case::Resource;
use crate::rig::Rig;

/// Creates a mesh and what is in it, in the order given.
///
/// # Errors
/// The API refuses one.
pub async fn create(rig: &Rig, mesh: &str, resources: &[Resource]) -> Result<()> {
    let spec = resources.iter().find(|resource| resource.kind == "mesh");
    let spec = spec.map_or_else(|| json!({}), |mesh| mesh.spec.clone());
    rig.put("meshes", &json!({"meshName": mesh, "spec": spec})).await?;
    for resource in resources.iter().filter(|resource| resource.kind != "mesh") {
        create_one(rig, mesh, resource)
            .await
            .with_context(|| format!("{} {}", resource.kind, resource.name))?;
    }
    Ok(())
}

async fn create_one(rig: &Rig, mesh: &str, resource: &Resource) -> Result<Value> {
    let parent = || resource.parent.as_deref().context("has no parent");
    let collection = match resource.kind.as_str() {
        "virtualNode" | "virtualService" | "virtualRouter" | "virtualGateway" => format!("{}s", resource.kind),
        "route" => format!("virtualRouter/{}/routes", parent()?),
        "gatewayRoute" => format!("virtualGateway/{}/gatewayRoutes", parent()?),
        kind => bail!("{kind} is no kind of resource"),
    };
    let name = format!("{}Name", resource.kind);
    let body = json!({ name: resource.name, "spec": resource.spec });
    rig.put(&format!("meshes/{mesh}/{collection}"), &body).await
}
