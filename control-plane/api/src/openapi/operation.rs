//! One operation of ours, as its page describes it.

use std::collections::BTreeMap;

use serde_json::{json, Value};

use super::schema;
use crate::ErrorKind;

/// What every operation may answer with, whatever it does.
pub(super) const ALWAYS: [ErrorKind; 4] = [
    ErrorKind::BadRequest,
    ErrorKind::Forbidden,
    ErrorKind::InternalServerError,
    ErrorKind::ServiceUnavailable,
];

const JSON: &str = "application/json";

/// An operation.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(super) method: &'static str,
    /// Path with labels in braces.
    pub(super) path: &'static str,
    /// Name in logs and metrics.
    pub(super) name: &'static str,
    summary: &'static str,
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Value>,
}

impl Described {
    pub(super) fn new(method: &'static str, path: &'static str, name: &'static str, summary: &'static str) -> Self {
        let labels = path.split('/').filter_map(label);
        let described = Self {
            method,
            path,
            name,
            summary,
            parameters: labels
                .map(|label| parameter("path", label, true, &schema::name()))
                .collect(),
            body: None,
            answers: BTreeMap::new(),
        };
        described.errors(&ALWAYS)
    }

    /// A member of the query string.
    pub(super) fn query(mut self, name: &'static str, required: bool, schema: &Value) -> Self {
        self.parameters.push(parameter("query", name, required, schema));
        self
    }

    /// A header.
    pub(super) fn header(mut self, name: &'static str, schema: &Value) -> Self {
        self.parameters.push(parameter("header", name, false, schema));
        self
    }

    /// What a label may be, where it is not any text.
    pub(super) fn label(mut self, name: &'static str, schema: &Value) -> Self {
        for parameter in &mut self.parameters {
            if parameter["in"] == "path" && parameter["name"] == name {
                parameter["schema"] = schema.clone();
            }
        }
        self
    }

    /// The JSON that the request carries.
    pub(super) fn body(mut self, schema: Value) -> Self {
        self.body = Some(schema);
        self
    }

    /// The JSON that a success carries.
    pub(super) fn answers(self, schema: Value) -> Self {
        self.answers_with(200, "Done.", JSON, schema)
    }

    /// Another answer.
    pub(super) fn answers_with(mut self, status: u16, what: &str, content_type: &str, schema: Value) -> Self {
        self.answers.insert(status, success(what, content_type, schema));
        self
    }

    /// Another answer, without a body.
    pub(super) fn answers_nothing(mut self, status: u16, what: &str) -> Self {
        self.answers
            .insert(status, json!({"description": what, "headers": headers(false)}));
        self
    }

    /// Errors that it may answer with, besides those that all may.
    pub(super) fn errors(mut self, kinds: &[ErrorKind]) -> Self {
        for kind in kinds {
            self.answers
                .entry(kind.status().as_u16())
                .or_insert_with(|| error(&schema::named("Error")));
        }
        self
    }

    /// Errors with a body of their own.
    pub(super) fn errors_with(mut self, kind: ErrorKind, schema: &Value) -> Self {
        self.answers.insert(kind.status().as_u16(), error(schema));
        self
    }

    /// Path, method and description.
    pub(super) fn operation(&self) -> (String, &'static str, Value) {
        let answers: serde_json::Map<String, Value> = self
            .answers
            .iter()
            .map(|(status, answer)| (status.to_string(), answer.clone()))
            .collect();
        let mut operation = json!({
            "operationId": self.name,
            "summary": self.summary,
            "tags": ["Ferromesh"],
            "responses": answers,
        });
        if !self.parameters.is_empty() {
            operation["parameters"] = json!(self.parameters);
        }
        if let Some(body) = &self.body {
            operation["requestBody"] = request_body(body.clone());
        }
        (self.path.to_owned(), self.method, operation)
    }
}

/// The label that a segment of a path is.
pub(super) fn label(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

pub(super) fn parameter(place: &str, name: &str, required: bool, schema: &Value) -> Value {
    json!({"name": name, "in": place, "required": required, "schema": schema})
}

/// No body is taken for an empty object.
pub(super) fn request_body(schema: Value) -> Value {
    let is_required = schema.get("$ref").is_some() || schema.get("required").is_some();
    json!({"required": is_required, "content": {JSON: {"schema": schema}}})
}

pub(super) fn success(what: &str, content_type: &str, schema: Value) -> Value {
    json!({"description": what, "headers": headers(false), "content": {content_type: {"schema": schema}}})
}

pub(super) fn error(schema: &Value) -> Value {
    json!({
        "description": "Refused; nothing was changed.",
        "headers": headers(true),
        "content": {JSON: {"schema": schema}},
    })
}

fn headers(is_error: bool) -> Value {
    let mut headers = json!({"x-amzn-requestid": {"$ref": "#/components/headers/RequestId"}});
    if is_error {
        headers["x-amzn-errortype"] = json!({"$ref": "#/components/headers/ErrorType"});
    }
    headers
}
