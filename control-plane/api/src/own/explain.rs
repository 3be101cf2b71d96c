//! `POST /v1/explain`: where a request would go in a mesh as it is stored, and why not elsewhere.

use std::net::IpAddr;

use ferromesh_model::mesh::Mesh;
use ferromesh_model::resource::Key;
use ferromesh_model::{validate, Violation};
use ferromesh_store::catalog;
use serde_json::{Map, Value};

use crate::appmesh::Scene;
use crate::explanation::{Explainer, Question};
use crate::request::Request;
use crate::ApiError;

/// Most headers of a question.
const MAX_HEADERS: usize = 100;
/// The end of the year 9999.
const MAX_UNIX_MILLIS: u64 = 253_402_300_799_999;

/// The answer to one question.
pub(super) fn answer(scene: &Scene<'_>, explainer: &dyn Explainer, request: &Request) -> Result<Value, ApiError> {
    let body = request.object()?;
    let (mesh, question) = read(&body).map_err(refused)?;
    let key = Key::mesh(&mesh);
    let Some(records) = catalog::mesh(scene.store, &mesh)? else {
        return Err(validate::not_found(&scene.config.account, &key).into());
    };
    let mut mesh = Mesh::assemble(&records.mesh, &records.children, records.policies).map_err(refused)?;
    let rollbacks = catalog::rollbacks(scene.store)?.into_iter();
    let of_mesh = rollbacks.filter(|rollbacks| rollbacks.mesh == mesh.name);
    mesh.rollbacks = of_mesh.map(|rollbacks| (rollbacks.policy.clone(), rollbacks)).collect();
    explainer.explain(&mesh, &question).map_err(refused)
}

fn refused(violations: Vec<Violation>) -> ApiError {
    validate::Rejection::Invalid(violations).into()
}

/// Mesh and question of a body.
fn read(body: &Map<String, Value>) -> Result<(String, Question), Vec<Violation>> {
    let mut violations = Vec::new();
    for name in body.keys() {
        if !["mesh", "from", "url", "method", "headers", "source", "atUnixMillis"].contains(&name.as_str()) {
            violations.push(Violation::new(name.clone(), "is not a member of a question"));
        }
    }
    let mut text = |name: &str, default: Option<&str>| match (body.get(name), default) {
        (Some(Value::String(text)), _) if !text.is_empty() => text.clone(),
        (Some(_), _) => {
            violations.push(Violation::new(name, "must be a string that is not empty"));
            String::new()
        }
        (None, Some(default)) => default.to_owned(),
        (None, None) => {
            violations.push(Violation::new(name, "is missing"));
            String::new()
        }
    };
    let mesh = text("mesh", None);
    let question = Question {
        from: text("from", None),
        url: text("url", None),
        method: text("method", Some("GET")),
        headers: Vec::new(),
        source: None,
        at_unix_millis: None,
    };
    let headers = match headers(body.get("headers")) {
        Ok(headers) => headers,
        Err(violation) => {
            violations.push(violation);
            Vec::new()
        }
    };
    let mut checked = |violation| violations.push(violation);
    let source = source(body.get("source")).map_err(&mut checked).unwrap_or_default();
    let at_unix_millis = moment(body.get("atUnixMillis"))
        .map_err(&mut checked)
        .unwrap_or_default();
    if violations.is_empty() {
        let question = Question {
            headers,
            source,
            at_unix_millis,
            ..question
        };
        Ok((mesh, question))
    } else {
        Err(violations)
    }
}

/// An IP address.
fn source(value: Option<&Value>) -> Result<Option<IpAddr>, Violation> {
    let Some(value) = value else { return Ok(None) };
    let address = value.as_str().and_then(|text| text.parse().ok());
    let wrong = || Violation::new("source", "must be a string with an IP address, without a port");
    address.map(Some).ok_or_else(wrong)
}

/// Milliseconds since 1970-01-01 UTC.
fn moment(value: Option<&Value>) -> Result<Option<u64>, Violation> {
    let Some(value) = value else { return Ok(None) };
    let moment = value.as_u64().filter(|millis| *millis <= MAX_UNIX_MILLIS);
    let wrong = || {
        let message = format!("must be milliseconds since 1970-01-01 UTC, an integer from 0 to {MAX_UNIX_MILLIS}");
        Violation::new("atUnixMillis", message)
    };
    moment.map(Some).ok_or_else(wrong)
}

/// A list of `{"name": "x-version", "value": "1"}`.
fn headers(value: Option<&Value>) -> Result<Vec<(String, String)>, Violation> {
    let Some(value) = value else {
        return Ok(Vec::new());
    };
    let wrong = |at: String| Violation::new(at, "must be an object with the strings name and value");
    let Some(list) = value.as_array() else {
        return Err(Violation::new("headers", "must be an array"));
    };
    if list.len() > MAX_HEADERS {
        let message = format!("must have at most {MAX_HEADERS} elements, has {}", list.len());
        return Err(Violation::new("headers", message));
    }
    let read = |(index, header): (usize, &Value)| {
        let member = |name: &str| header.get(name).and_then(Value::as_str).map(str::to_owned);
        let is_whole = header.as_object().is_some_and(|header| header.len() == 2);
        match (member("name"), member("value")) {
            (Some(name), Some(value)) if is_whole => Ok((name, value)),
            _ => Err(wrong(format!("headers[{index}]"))),
        }
    };
    list.iter().enumerate().map(read).collect()
}
