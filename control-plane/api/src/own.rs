//! Our own API: policies, the registry of tasks, proxies, modules, health, metrics.

mod access;
mod audit;
mod backup;
mod certificates;
pub(crate) mod changes;
mod explain;
mod identity;
mod modules;
mod policies;
mod registry;
mod rollback;
mod rollouts;
pub(crate) mod rules;
pub(crate) mod shares;

use ferromesh_model::policy::RampTurn;
use ferromesh_store::{Availability, Store};
use http::{Method, StatusCode};
use serde_json::{json, Value};
use warp::reply::Response;

use crate::access::{Role, Subject};
use crate::appmesh::{accounts, Scene};
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
    Changes,
    Analyze,
    Registry(registry::Page),
    Rollback(rollback::Page),
    Rollouts(rollouts::Page),
    Certificates(certificates::Page),
    Shares(shares::Page),
    Access(access::Page),
    Identity(identity::Page),
    Audit,
    Backup,
    Proxies,
    Proxy,
    Modules(modules::Page),
    Module,
    OpenApi,
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
            Self::Rollouts(page) => page.name(),
            Self::Certificates(page) => page.name(),
            Self::Shares(page) => page.name(),
            Self::Access(page) => page.name(),
            Self::Identity(page) => page.name(),
            Self::Audit => "ListAuditRecords",
            Self::Backup => "GetBackup",
            Self::Explain => "Explain",
            Self::Changes => "ApplyChanges",
            Self::Analyze => "Analyze",
            Self::Proxies => "ListProxies",
            Self::Proxy => "GetProxy",
            Self::Modules(page) => page.name(),
            Self::Module => "GetModule",
            Self::OpenApi => "GetOpenApi",
            Self::Live => "Live",
            Self::Ready => "Ready",
            Self::Metrics => "Metrics",
        }
    }

    /// Whether what it changes is not in the store, and so no transaction has a record of it.
    pub(crate) fn is_outside_the_store(self) -> bool {
        match self {
            Self::Certificates(page) => page == certificates::Page::Renew,
            Self::Rollouts(page) => page.is_change(),
            _ => false,
        }
    }

    /// Whether it changes something.
    pub(crate) fn is_change(self) -> bool {
        match self {
            Self::Registry(page) => page.is_change(),
            Self::Rollback(page) => page.is_change(),
            Self::Rollouts(page) => page.is_change(),
            Self::Certificates(page) => page.is_change(),
            Self::Shares(page) => page.is_change(),
            Self::Access(page) => page.is_change(),
            Self::Identity(page) => page.is_change(),
            Self::Modules(page) => page.is_change(),
            _ => matches!(
                self,
                Self::PutPolicy | Self::DeletePolicy | Self::TurnRamp(_) | Self::Changes
            ),
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
    if let ["v1", "shares", rest @ ..] = segments.as_slice() {
        let pages = shares::pages(rest);
        let page = pages.iter().find(|(name, _)| *name == method);
        let page = page.map(|(_, page)| Page::Shares(*page));
        return page.ok_or_else(|| pages.iter().map(|(name, _)| *name).collect());
    }
    let pages = access::pages(&segments);
    if !pages.is_empty() {
        let page = pages.iter().find(|(name, _)| *name == method);
        let page = page.map(|(_, page)| Page::Access(*page));
        return page.ok_or_else(|| pages.iter().map(|(name, _)| *name).collect());
    }
    let pages = identity::pages(&segments);
    if !pages.is_empty() {
        let page = pages.iter().find(|(name, _)| *name == method);
        let page = page.map(|(_, page)| Page::Identity(*page));
        return page.ok_or_else(|| pages.iter().map(|(name, _)| *name).collect());
    }
    let pages = modules::pages(&segments);
    if !pages.is_empty() {
        let page = pages.iter().find(|(name, _)| *name == method);
        let page = page.map(|(_, page)| Page::Modules(*page));
        return page.ok_or_else(|| pages.iter().map(|(name, _)| *name).collect());
    }
    let pages = rollouts::pages(&segments);
    if !pages.is_empty() {
        let page = pages.iter().find(|(name, _)| *name == method);
        let page = page.map(|(_, page)| Page::Rollouts(*page));
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
        ["v1", "changes"] => &[("POST", Page::Changes)],
        ["v1", "analyze"] => &[("GET", Page::Analyze)],
        ["v1", "audit"] => &[("GET", Page::Audit)],
        ["v1", "explain"] => &[("POST", Page::Explain)],
        ["v1", "backup"] => &[("GET", Page::Backup)],
        ["v1", "proxies"] => &[("GET", Page::Proxies)],
        ["v1", "proxies", _, ..] => &[("GET", Page::Proxy)],
        ["modules", _] => &[("GET", Page::Module)],
        ["v1", "openapi.json"] => &[("GET", Page::OpenApi)],
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
    scene: &Scene<'_>,
    metrics: &Metrics,
    page: Page,
    segments: &[String],
    request: &Request,
) -> Result<Response, ApiError> {
    // Names of meshes are those of the caller's own.
    accounts::of_owner(scene, &scene.caller.account, |scene| {
        answer_in(scene, state, metrics, page, segments, request)
    })
}

fn answer_in(
    scene: &Scene<'_>,
    state: &ApiState,
    metrics: &Metrics,
    page: Page,
    segments: &[String],
    request: &Request,
) -> Result<Response, ApiError> {
    let store = state.store.as_ref();
    let segment = |index: usize| segments.get(index).map_or("", String::as_str);
    match page {
        Page::Policies => policies::list(scene, request).map(|list| answer::json(&list)),
        Page::GetPolicy => {
            policies::get(scene, segment(2), segment(3)).map(|(policy, version)| answer::tagged(&policy, version))
        }
        Page::PutPolicy => policies::put(scene, segment(2), segment(3), request)
            .map(|(policy, version)| answer::tagged(&policy, version)),
        Page::DeletePolicy => {
            policies::delete(scene, segment(2), segment(3), request).map(|policy| answer::json(&policy))
        }
        Page::TurnRamp(turn) => {
            policies::turn_ramp(scene, segment(2), segment(3), turn).map(|policy| answer::json(&policy))
        }
        Page::Rollback(page) => {
            let comparisons = state.comparisons.as_ref();
            rollback::answer(scene, comparisons, page, segments, request).map(|value| answer::json(&value))
        }
        Page::Rollouts(page) => rollouts::answer(scene, state, page, segments, request),
        Page::Certificates(page) => {
            let certificates = state.certificates.as_ref();
            certificates::answer(scene.store, certificates, page, segments, request).map(|value| answer::json(&value))
        }
        Page::Shares(page) => shares::answer(scene, page, segment(2), segment(3)).map(|value| answer::json(&value)),
        Page::Registry(page) => registry::answer(scene, page, segments, request).map(|value| answer::json(&value)),
        Page::Changes => changes::post(scene, state, request).map(|answer| answer::json(&answer)),
        Page::Analyze => changes::analyze(scene, state, request).map(|answer| answer::json(&answer)),
        Page::Explain => {
            explain::answer(scene, state.explainer.as_ref(), request).map(|explanation| answer::json(&explanation))
        }
        Page::Access(page) => {
            access::answer(scene, &state.admission, page, segments, request).map(|value| answer::json(&value))
        }
        Page::Identity(page) => {
            identity::answer(scene, state, page, segments, request).map(|value| answer::json(&value))
        }
        Page::Audit => audit::list(scene, request).map(|list| answer::json(&list)),
        // Of all accounts.
        Page::Backup => backup::take(store).map(|backup| answer::json(&backup)),
        Page::Proxies => {
            let mut proxies = state.proxies.list();
            proxies.retain(|proxy| scene.caller.may(Role::Reader, Subject::Proxy, mesh_of(proxy)));
            Ok(answer::json(&json!({ "proxies": proxies })))
        }
        Page::Proxy => {
            let id = segments.get(2..).unwrap_or_default().join("/");
            // Asked by the mesh that it is in, too: the path could be read in another way than it was for the rule.
            match state
                .proxies
                .get(&id)
                .filter(|proxy| scene.caller.may(Role::Reader, Subject::Proxy, mesh_of(proxy)))
            {
                Some(proxy) => Ok(answer::json(&proxy)),
                None => Err(ApiError::not_found(format!("proxy {id:?} is not known"))),
            }
        }
        Page::Modules(page) => {
            modules::answer(scene, state, page, segment(2), request).map(|value| answer::json(&value))
        }
        Page::Module => modules::get(state, segment(1), request),
        Page::OpenApi => Ok(answer::json(&crate::openapi())),
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

/// The mesh that a proxy is in.
fn mesh_of(proxy: &Value) -> &str {
    proxy.get("mesh").and_then(Value::as_str).unwrap_or_default()
}

/// Ready is who can read the store.
fn ready(store: &dyn Store) -> Response {
    match store.revision() {
        // Who can only read serves proxies too: it is ready, and says so.
        Ok(_) => match store.availability() {
            Availability::Full => text(StatusCode::OK, "ok\n"),
            read_only => text(StatusCode::OK, &format!("ok\nstore: {read_only}\n")),
        },
        Err(error) => text(
            StatusCode::SERVICE_UNAVAILABLE,
            &format!("store cannot be read: {error}\n"),
        ),
    }
}

fn text(status: StatusCode, text: &str) -> Response {
    answer::bytes(status, "text/plain; charset=utf-8", text.to_owned())
}
