//! The server's API in OpenAPI 3.1, for people, generated clients and tools that test against it.
//!
//! App Mesh's part is made from the same tables that requests are checked with. Ours is described by hand, one file a page
//! under `pages/`, and a test holds that no route is missing and none is there that the server does not have.

mod appmesh;
mod cloud_map;
mod operation;
mod pages;
mod schema;
#[cfg(test)]
mod tests;

use serde_json::{json, Map, Value};

use operation::Described;

/// The document.
///
/// ```
/// let document = ferromesh_api::openapi();
/// assert_eq!(document["openapi"], "3.1.0");
/// let create = &document["paths"]["/v20190125/meshes"]["put"];
/// assert_eq!(create["operationId"], "CreateMesh");
/// ```
pub fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for (path, method, operation) in all() {
        let item = paths.entry(path).or_insert_with(|| json!({}));
        item[method.to_ascii_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ferromesh",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The API of a Ferromesh control plane",
            "description": "AWS App Mesh's API below `/v20190125`, AWS Cloud Map's at `POST /`, and Ferromesh's own below \
                `/v1`. Every answer has the request's number in `x-amzn-requestid`; every error has its name in \
                `x-amzn-errortype` and says in `message` what is wrong.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "App Mesh", "description": "Meshes and what stands in them, as AWS App Mesh has them."},
            {"name": "Cloud Map", "description": "The registry of tasks, as AWS Cloud Map has it."},
            {"name": "Ferromesh", "description": "What AWS App Mesh has no operation for."},
        ],
        "paths": paths,
        "components": {
            "schemas": components(),
            "headers": {
                "RequestId": {
                    "description": "Number under which the request is logged.",
                    "required": true,
                    "schema": schema::text(),
                },
                "ErrorType": {
                    "description": "Name of the error, from which AWS clients make their exceptions.",
                    "required": true,
                    "schema": schema::text(),
                },
            },
        },
    })
}

/// Path, method and description of every operation.
fn all() -> Vec<(String, &'static str, Value)> {
    let mut all = appmesh::operations();
    all.push(cloud_map::operation());
    all.extend(own().iter().map(Described::operation));
    all
}

/// Our own pages.
fn own() -> Vec<Described> {
    pages::all()
}

fn components() -> Value {
    let mut schemas = appmesh::schemas();
    schemas.extend(pages::schemas());
    schemas.insert("Error".to_owned(), schema::error());
    schemas.insert("CloudMapError".to_owned(), cloud_map::error());
    Value::Object(schemas)
}
