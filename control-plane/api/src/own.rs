//! Our own API: policies, the registry of tasks, proxies, modules, health, metrics.

mod certificates;
mod explain;
mod modules;
mod policies;
mod registry;
mod rollback;

use ferromesh_model::policy::RampTurn;
use ferromesh_store::Store;
use http::{Method, StatusCode};
use serde_json::json;
use warp::reply::Response;

use crate::appmesh::Scene;
use crate::metrics::Metrics;
use crate::request::Request;
use crate::{answer, ApiError, ApiState};

/// What a request to our own API means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    Policies,
    PutPolicy,
    GetPolicy,
    DeletePolicy,
    TurnRamp(RampTurn),
    Explain,
    Registry(registry::Page),
    Rollback(rollback::Page),
    Certificates(certificates::Page),
    Proxies,
    Proxy,
    Modules,
    Module,
    Live,
    Ready,
    Metrics,
}

impl Page {
    /// Name in logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Policies => "ListPolicies",
            Self::PutPolicy => "PutPolicy",
            Self::GetPolicy => "GetPolicy",
            Self::DeletePolicy => "DeletePolicy",
            Self::TurnRamp(RampTurn::Start) => "StartRamp",
            Self::TurnRamp(RampTurn::Pause) => "PauseRamp",
            Self::TurnRamp(RampTurn::Resume) => "ResumeRamp",
            Self::Registry(page) => page.name(),
            Self::Rollback(page) => page.name(),
            Self::Certificates(page) => page.name(),
            Self::Explain => "Explain",
            Self::Proxies => "ListProxies",
            Self::Proxy => "GetProxy",
            Self::Modules => "ListModules",
            Self::Module => "GetModule",
            Self::Live => "Live",
            Self::Ready => "Ready",
            Self::Metrics => "Metrics",
        }
    }

    /// Whether it changes something.
    pub(crate) fn is_change(self) -> bool {
        match self {
            Self::Registry(page) => page.is_change(),
            Self::Rollback(page) => page.is_change(),
            Self::Certificates(page) => page.is_change(),
            _ => matches!(self, Self::PutPolicy | Self::DeletePolicy | Self::TurnRamp(_)),
        }
    }
}

/// The page with this method and path, or the methods that the path has.
pub(crate) fn find(method: &Method, segments: &[String]) -> Result<Page, Vec<&'static str>> {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    // The server leaves the body out of answers to HEAD.
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    if let ["v1", "registry", rest @ ..] = segments.as_slice() {
        let pages = registry::pages(rest);
        let page = pages.iter().find(|(name, _)| *name == method);
        let page = page.map(|(_, page)| Page::Registry(*page));
        return page.ok_or_else(|| pages.iter().map(|(name, _)| *name).collect());
    }
    if let ["v1", "certificates", rest @ ..] = segments.as_slice() {
        let pages = certificates::pages(rest);
        let page = pages.iter().find(|(name, _)| *name == method);
        let page = page.map(|(_, page)| Page::Certificates(*page));
        return page.ok_or_else(|| pages.iter().map(|(name, _)| *name).collect());
    }
    let pages = rollback::pages(&segments);
    if !pages.is_empty() {
        let page = pages.iter().find(|(name, _)| *name == method);
        let page = page.map(|(_, page)| Page::Rollback(*page));
        return page.ok_or_else(|| pages.iter().map(|(name, _)| *name).collect());
    }
    let pages: &[(&'static str, Page)] = match segments.as_slice() {
        ["v1", "policies"] => &[("GET", Page::Policies)],
        ["v1", "policies", mesh, name] if !mesh.is_empty() && !name.is_empty() => &[
            ("GET", Page::GetPolicy),
            ("PUT", Page::PutPolicy),
            ("DELETE", Page::DeletePolicy),
        ],
        ["v1", "policies", mesh, name, "ramp", "start"] if !mesh.is_empty() && !name.is_empty() => {
            &[("POST", Page::TurnRamp(RampTurn::Start))]
        }
        ["v1", "policies", mesh, name, "ramp", "pause"] if !mesh.is_empty() && !name.is_empty() => {
            &[("POST", Page::TurnRamp(RampTurn::Pause))]
        }
        ["v1", "policies", mesh, name, "ramp", "resume"] if !mesh.is_empty() && !name.is_empty() => {
            &[("POST", Page::TurnRamp(RampTurn::Resume))]
        }
        ["v1", "explain"] => &[("POST", Page::Explain)],
        ["v1", "proxies"] => &[("GET", Page::Proxies)],
        ["v1", "proxies", _, ..] => &[("GET", Page::Proxy)],
        ["v1", "modules"] => &[("GET", Page::Modules)],
        ["modules", _] => &[("GET", Page::Module)],
        ["livez"] => &[("GET", Page::Live)],
        ["readyz"] => &[("GET", Page::Ready)],
        ["metrics"] => &[("GET", Page::Metrics)],
        _ => &[],
    };
    let page = pages.iter().find(|(name, _)| *name == method).map(|(_, page)| *page);
    page.ok_or_else(|| pages.iter().map(|(name, _)| *name).collect())
}

/// The answer to one request.
pub(crate) fn answer(
    state: &ApiState,
    metrics: &Metrics,
    page: Page,
    segments: &[String],
    request: &Request,
) -> Result<Response, ApiError> {
    let store = state.store.as_ref();
    let scene = Scene {
        store,
        config: &state.config,
        clock: state.clock.as_ref(),
    };
    let segment = |index: usize| segments.get(index).map_or("", String::as_str);
    match page {
        Page::Policies => policies::list(&scene, request).map(|list| answer::json(&list)),
        Page::GetPolicy => policies::get(&scene, segment(2), segment(3)).map(|policy| answer::json(&policy)),
        Page::PutPolicy => policies::put(&scene, segment(2), segment(3), request).map(|policy| answer::json(&policy)),
        Page::DeletePolicy => policies::delete(&scene, segment(2), segment(3)).map(|policy| answer::json(&policy)),
        Page::TurnRamp(turn) => {
            policies::turn_ramp(&scene, segment(2), segment(3), turn).map(|policy| answer::json(&policy))
        }
        Page::Rollback(page) => {
            let comparisons = state.comparisons.as_ref();
            rollback::answer(&scene, comparisons, page, segments, request).map(|value| answer::json(&value))
        }
        Page::Certificates(page) => {
            let certificates = state.certificates.as_ref();
            certificates::answer(certificates, page, segments, request).map(|value| answer::json(&value))
        }
        Page::Registry(page) => registry::answer(&scene, page, segments, request).map(|value| answer::json(&value)),
        Page::Explain => {
            explain::answer(&scene, state.explainer.as_ref(), request).map(|explanation| answer::json(&explanation))
        }
        Page::Proxies => Ok(answer::json(&json!({ "proxies": state.proxies.list() }))),
        Page::Proxy => {
            let id = segments.get(2..).unwrap_or_default().join("/");
            match state.proxies.get(&id) {
                Some(proxy) => Ok(answer::json(&proxy)),
                None => Err(ApiError::not_found(format!("proxy {id:?} is not known"))),
            }
        }
        Page::Modules => Ok(answer::json(&modules::list(&state.modules))),
        Page::Module => modules::get(&state.modules, segment(1), request),
        Page::Live => Ok(text(StatusCode::OK, "ok\n")),
        Page::Ready => Ok(ready(store)),
        Page::Metrics => {
            let text = metrics.write(store, &state.metrics)?;
            Ok(answer::bytes(
                StatusCode::OK,
                "text/plain; version=0.0.4; charset=utf-8",
                text,
            ))
        }
    }
}

/// Ready is who can read the store.
fn ready(store: &dyn Store) -> Response {
    match store.revision() {
        Ok(_) => text(StatusCode::OK, "ok\n"),
        Err(error) => text(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!("store cannot be read: {error}\n"),
        ),
    }
}

fn text(status: StatusCode, text: &str) -> Response {
    answer::bytes(status, "text/plain; charset=utf-8", text.to_owned())
}
