//! `/modules/<sha256>.wasm`: modules by their content, so that an answer never changes.

use http::{header, HeaderValue, StatusCode};
use serde_json::{json, Value};
use warp::reply::Response;

use crate::request::Request;
use crate::{answer, ApiError, Modules};

/// All modules.
pub(super) fn list(modules: &Modules) -> Value {
    let modules: Vec<_> = modules
        .list()
        .into_iter()
        .map(|module| {
            json!({
                "name": module.name,
                "sha256": module.sha256,
                "size": module.bytes.len(),
                "path": format!("/modules/{}.wasm", module.sha256),
            })
        })
        .collect();
    json!({ "modules": modules })
}

/// One module; 304 for a client that has it.
pub(super) fn get(modules: &Modules, file: &str, request: &Request) -> Result<Response, ApiError> {
    let module = file.strip_suffix(".wasm").and_then(|sha256| modules.get(sha256));
    let module = module.ok_or_else(|| ApiError::not_found(format!("module {file:?} is not present")))?;
    let etag = format!("\"{}\"", module.sha256);
    let has_it = request
        .headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|value| value.as_bytes() == etag.as_bytes());
    let mut response = if has_it {
        answer::bytes(StatusCode::NOT_MODIFIED, "application/wasm", "")
    } else {
        answer::bytes(StatusCode::OK, "application/wasm", module.bytes.clone())
    };
    response.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=31536000, immutable"),
    );
    if let Ok(etag) = HeaderValue::from_str(&etag) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}
