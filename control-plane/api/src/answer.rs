//! Responses.

use bytes::Bytes;
use http::{header, HeaderName, HeaderValue, StatusCode};
use serde_json::{json, Value};
use warp::reply::Response;

use crate::ApiError;

/// Header with the name of an error, from which AWS clients make their exceptions.
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
/// Header with the number under which a request is logged.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// A response with a body of some type.
pub(crate) fn bytes(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(body.into().into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A JSON value.
pub(crate) fn json(value: &Value) -> Response {
    bytes(StatusCode::OK, "application/json", value.to_string())
}

/// A JSON value with its version as an entity tag, for `If-Match`.
pub(crate) fn tagged(value: &Value, version: u64) -> Response {
    let mut response = json(value);
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{version}\"")) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// An error in App Mesh's form.
pub(crate) fn error(error: &ApiError) -> Response {
    let mut body = error.details.clone().unwrap_or_default();
    body.insert("message".to_owned(), json!(error.message));
    let mut response = bytes(error.kind.status(), "application/json", Value::Object(body).to_string());
    response
        .headers_mut()
        .insert(ERROR_TYPE, HeaderValue::from_static(error.kind.name()));
    response
}

/// The same response with the request's id.
pub(crate) fn with_request_id(mut response: Response, id: &uuid::Uuid) -> Response {
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}
