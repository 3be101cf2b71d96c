//! Filter modules: the sets that can be chosen (`/v1/modules`), what a mesh has chosen (`/v1/meshes/{mesh}/module`), and
//! modules by their content (`/modules/<sha256>.wasm`), so that an answer never changes.

use std::collections::BTreeMap;

use base64::prelude::{Engine, BASE64_STANDARD};
use bytes::Bytes;
use ferromesh_model::Violation;
use http::{header, HeaderValue, StatusCode};
use serde_json::{json, Map, Value};
use warp::reply::Response;

use crate::appmesh::Scene;
use crate::request::Request;
use crate::{answer, ApiError, ApiState, Author, Modules, NewModule, NewModuleSet};

/// Most bytes of the reason that is given for a choice.
const MAX_REASON: usize = 500;

/// What a request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    List,
    Get,
    Add,
    Delete,
    Choice,
    Choose,
    RollBack,
}

impl Page {
    /// Name in logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::List => "ListModules",
            Self::Get => "GetModuleSet",
            Self::Add => "AddModuleSet",
            Self::Delete => "DeleteModuleSet",
            Self::Choice => "GetMeshModule",
            Self::Choose => "PutMeshModule",
            Self::RollBack => "RollBackMeshModule",
        }
    }

    /// Whether it changes something.
    pub(crate) fn is_change(self) -> bool {
        matches!(self, Self::Add | Self::Delete | Self::Choose | Self::RollBack)
    }
}

/// The pages with this path, by their methods.
pub(super) fn pages(segments: &[&str]) -> &'static [(&'static str, Page)] {
    match segments {
        ["v1", "modules"] => &[("GET", Page::List), ("POST", Page::Add)],
        ["v1", "modules", version] if !version.is_empty() => &[("GET", Page::Get), ("DELETE", Page::Delete)],
        ["v1", "meshes", mesh, "module"] if !mesh.is_empty() => &[("GET", Page::Choice), ("PUT", Page::Choose)],
        ["v1", "meshes", mesh, "module", "rollback"] if !mesh.is_empty() => &[("POST", Page::RollBack)],
        _ => &[],
    }
}

/// The answer to one request.
pub(super) fn answer(
    scene: &Scene<'_>,
    state: &ApiState,
    page: Page,
    named: &str,
    request: &Request,
) -> Result<Value, ApiError> {
    let sets = state.module_sets.as_ref();
    let by = Author {
        principal: scene.caller.principal.clone(),
        at: scene.clock.now(),
    };
    let no_set = || ApiError::not_found(format!("there is no module set {named:?}"));
    let no_mesh = || ApiError::not_found(format!("there is no mesh {named:?}"));
    match page {
        Page::List => Ok(json!({
            "modules": list(&state.modules),
            "sets": sets.list(scene.store)?,
        })),
        Page::Get => sets.get(scene.store, named)?.ok_or_else(no_set),
        Page::Add => sets.add(scene.whole, &by, &new_set(request)?),
        Page::Delete => sets.delete(scene.whole, named)?.ok_or_else(no_set),
        Page::Choice => sets.choice(scene.store, named)?.ok_or_else(no_mesh),
        Page::Choose => {
            let wish = wish(request, true)?;
            let version = wish.version.unwrap_or_default();
            let chosen = sets.choose(scene.store, &by, named, &version, wish.reason.as_deref())?;
            chosen.ok_or_else(no_mesh)
        }
        Page::RollBack => {
            let wish = wish(request, false)?;
            let chosen = sets.roll_back(scene.store, &by, named, wish.reason.as_deref())?;
            chosen.ok_or_else(no_mesh)
        }
    }
}

/// What a mesh is to have.
#[derive(Default)]
struct Wish {
    version: Option<String>,
    reason: Option<String>,
}

fn wish(request: &Request, has_version: bool) -> Result<Wish, ApiError> {
    let mut wish = Wish::default();
    let mut found = Vec::new();
    for (name, value) in request.object()? {
        let member = match name.as_str() {
            "version" if has_version => &mut wish.version,
            "reason" => &mut wish.reason,
            _ => {
                let known = if has_version { "version, reason" } else { "reason" };
                found.push(Violation::new(name, format!("is unknown; known are {known}")));
                continue;
            }
        };
        match value {
            Value::String(text) => *member = Some(text),
            _ => found.push(Violation::new(name, "must be a string")),
        }
    }
    if has_version && wish.version.is_none() && found.is_empty() {
        found.push(Violation::new("version", "is missing"));
    }
    if let Some(length) = wish
        .reason
        .as_ref()
        .map(String::len)
        .filter(|length| *length > MAX_REASON)
    {
        let message = format!("must have at most {MAX_REASON} bytes, has {length}");
        found.push(Violation::new("reason", message));
    }
    ApiError::refuse(found)?;
    Ok(wish)
}

/// The set in a body: `{version, modules: {NAME: {wasm, sha256, signature}}}`, `wasm` in base64.
fn new_set(request: &Request) -> Result<NewModuleSet, ApiError> {
    let mut found = Vec::new();
    let mut version = None;
    let mut modules = BTreeMap::new();
    for (name, value) in request.object()? {
        match (name.as_str(), value) {
            ("version", Value::String(text)) => version = Some(text),
            ("version", _) => found.push(Violation::new(name, "must be a string")),
            ("modules", Value::Object(members)) => {
                for (name, module) in members {
                    if let Some(module) = new_module(&name, module, &mut found) {
                        modules.insert(name, module);
                    }
                }
            }
            ("modules", _) => found.push(Violation::new(name, "must be an object of modules by their names")),
            _ => found.push(Violation::new(name, "is unknown; known are version, modules")),
        }
    }
    if version.is_none() && found.is_empty() {
        found.push(Violation::new("version", "is missing"));
    }
    ApiError::refuse(found)?;
    Ok(NewModuleSet {
        version: version.unwrap_or_default(),
        modules: modules.into_values().collect(),
    })
}

fn new_module(name: &str, value: Value, found: &mut Vec<Violation>) -> Option<NewModule> {
    let path = format!("modules.{name}");
    let Value::Object(members) = value else {
        found.push(Violation::new(path, "must be an object"));
        return None;
    };
    let before = found.len();
    let mut texts: Map<String, Value> = Map::new();
    for (member, value) in members {
        let path = format!("{path}.{member}");
        match (member.as_str(), value) {
            ("wasm" | "sha256" | "signature", text @ Value::String(_)) => {
                texts.insert(member, text);
            }
            ("wasm" | "sha256" | "signature", _) => found.push(Violation::new(path, "must be a string")),
            _ => found.push(Violation::new(path, "is unknown; known are wasm, sha256, signature")),
        }
    }
    let text = |member: &str| texts.get(member).and_then(Value::as_str);
    let bytes = match text("wasm").map(|text| BASE64_STANDARD.decode(text)) {
        Some(Ok(bytes)) => bytes,
        // What it says names a place and a character, and nobody looks for those in a megabyte.
        Some(Err(_)) => {
            found.push(Violation::new(
                format!("{path}.wasm"),
                "must be base64 with its padding",
            ));
            return None;
        }
        None => {
            if found.len() == before {
                found.push(Violation::new(format!("{path}.wasm"), "is missing"));
            }
            return None;
        }
    };
    Some(NewModule {
        name: name.to_owned(),
        bytes: bytes.into(),
        sha256: text("sha256").map(str::to_owned),
        signature: text("signature").map(str::to_owned),
    })
}

/// The modules of the built-in set, and where each is.
fn list(modules: &Modules) -> Vec<Value> {
    let modules = modules.list().into_iter().map(|module| {
        json!({
            "name": module.name,
            "sha256": module.sha256,
            "size": module.bytes.len(),
            "path": format!("/modules/{}.wasm", module.sha256),
        })
    });
    modules.collect()
}

/// One module; 304 for a client that has it.
pub(super) fn get(state: &ApiState, file: &str, request: &Request) -> Result<Response, ApiError> {
    let absent = || ApiError::not_found(format!("module {file:?} is not present"));
    let sha256 = file.strip_suffix(".wasm").ok_or_else(absent)?;
    let bytes: Bytes = match state.modules.get(sha256) {
        Some(module) => module.bytes.clone(),
        None => state.module_sets.file(sha256)?.ok_or_else(absent)?,
    };
    let etag = format!("\"{sha256}\"");
    let has_it = request
        .headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|value| value.as_bytes() == etag.as_bytes());
    let mut response = if has_it {
        answer::bytes(StatusCode::NOT_MODIFIED, "application/wasm", "")
    } else {
        answer::bytes(StatusCode::OK, "application/wasm", bytes)
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
