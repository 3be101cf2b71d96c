//! App Mesh's operations and shapes, from the tables of its service model.

use ferromesh_model::shapes::{self, Location, Operation, Shape, Type};
use serde_json::{json, Map, Value};

use super::operation::{error, parameter, request_body, success};
use super::schema;

/// Path, method and description of every operation.
pub(super) fn operations() -> Vec<(String, &'static str, Value)> {
    shapes::operations().iter().map(described).collect()
}

/// The shapes that requests and answers use, by their names.
pub(super) fn schemas() -> Map<String, Value> {
    // Inputs stand with their operations: a part of them is in the path and the query string.
    let is_input = |shape: &Shape| shapes::operations().iter().any(|known| known.input.name == shape.name);
    let shapes = shapes::shapes().iter().filter(|shape| !is_input(shape));
    shapes
        .map(|shape| (shape.name.to_owned(), schema::of_shape(shape, &named)))
        .collect()
}

fn named(shape: &Shape) -> Value {
    schema::named(shape.name)
}

fn described(operation: &Operation) -> (String, &'static str, Value) {
    let members = match operation.input.ty {
        Type::Structure(members) => members,
        _ => &[],
    };
    let mut parameters = Vec::new();
    for member in members {
        let (place, required) = match member.location {
            Location::Uri => ("path", true),
            Location::Query => ("query", member.required),
            Location::Body => continue,
        };
        parameters.push(parameter(place, member.name, required, &named(member.shape)));
    }
    let changes_what_is_there = ["Update", "Delete"].iter().any(|verb| operation.name.starts_with(verb));
    if changes_what_is_there {
        let mut header = parameter(
            "header",
            "If-Match",
            false,
            &json!({"type": "string", "pattern": "^(\\*|[0-9]{1,18}|\"[0-9]{1,18}\")$"}),
        );
        header["description"] = json!("The version that the resource must have; App Mesh has no such thing.");
        parameters.push(header);
    }
    let mut responses = Map::new();
    let done = success("Done.", "application/json", named(operation.output));
    responses.insert("200".to_owned(), done);
    for name in operation.errors {
        if let Some(status) = status(name) {
            responses.insert(status.to_owned(), error(&schema::named("Error")));
        }
    }
    let mut described = json!({
        "operationId": operation.name,
        "tags": ["App Mesh"],
        "responses": responses,
    });
    if !parameters.is_empty() {
        described["parameters"] = json!(parameters);
    }
    let body: Vec<_> = members
        .iter()
        .filter(|member| member.location == Location::Body)
        .collect();
    if !body.is_empty() {
        described["requestBody"] = request_body(schema::structure(body.into_iter(), &named));
    }
    (operation.uri.to_owned(), operation.method, described)
}

/// The status that carries an error of the service model.
fn status(error: &str) -> Option<&'static str> {
    Some(match error {
        "BadRequestException" | "LimitExceededException" | "TooManyTagsException" => "400",
        "ForbiddenException" => "403",
        "NotFoundException" => "404",
        "ConflictException" | "ResourceInUseException" => "409",
        "TooManyRequestsException" => "429",
        "InternalServerErrorException" => "500",
        "ServiceUnavailableException" => "503",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_the_status_of_every_error_of_the_service_model() {
        for operation in shapes::operations() {
            for name in operation.errors {
                assert!(status(name).is_some(), "{name}");
            }
        }
    }
}
