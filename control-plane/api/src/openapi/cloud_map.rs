//! Cloud Map's operations: one path, told apart by a header.

use serde_json::{json, Value};

use super::operation::parameter;
use super::schema;
use crate::cloud_map;

/// Path, method and description.
pub(super) fn operation() -> (String, &'static str, Value) {
    let targets: Vec<String> = cloud_map::targets().collect();
    let mut target = parameter(
        "header",
        "X-Amz-Target",
        true,
        &json!({"type": "string", "enum": targets}),
    );
    target["description"] = json!("The operation.");
    let answer = |schema: &Value| {
        json!({
            "description": "Members as Cloud Map's service model has them.",
            "headers": {"x-amzn-requestid": {"$ref": "#/components/headers/RequestId"}},
            "content": {cloud_map::CONTENT_TYPE: {"schema": schema}},
        })
    };
    let error = answer(&schema::named("CloudMapError"));
    // What does not even say which operation it means is no call of Cloud Map.
    let mut unknown = error.clone();
    unknown["content"]["application/json"] = json!({"schema": schema::named("Error")});
    let described = json!({
        "operationId": "CloudMap",
        "summary": "Calls an operation of AWS Cloud Map in the JSON 1.1 protocol",
        "tags": ["Cloud Map"],
        "parameters": [target],
        "requestBody": {
            "required": true,
            "content": {cloud_map::CONTENT_TYPE: {"schema": {"type": "object"}}},
        },
        "responses": {
            "200": answer(&json!({"type": "object"})),
            "400": unknown,
            "403": unknown,
            "404": unknown,
            "409": error,
            "500": error,
            "503": error,
        },
    });
    ("/".to_owned(), "POST", described)
}

/// An error in Cloud Map's form.
pub(super) fn error() -> Value {
    schema::object(
        [("__type", schema::text()), ("Message", schema::text())],
        [
            ("CreatorRequestId", schema::text()),
            ("DuplicateOperationId", schema::text()),
            ("NamespaceId", schema::text()),
            ("NamespaceArn", schema::text()),
            ("ServiceId", schema::text()),
            ("ServiceArn", schema::text()),
            ("ResourceName", schema::text()),
        ],
    )
}
