//! Rollouts of changes to proxies (`/v1/rollouts`), what proxies report of themselves (`/v1/reports/proxy`), and events
//! (`/v1/events`).

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt};
use serde_json::{json, Value};
use tokio::sync::broadcast;
use warp::reply::{Reply, Response};
use warp::sse;

use super::mesh_of;
use crate::access::{Role, Subject};
use crate::appmesh::Scene;
use crate::request::Request;
use crate::rollback::{ReportRefused, Reporter};
use crate::rollouts::{Events, Followed, Happening, ProxyReport, Rollouts, Turn, TurnRefused};
use crate::{answer, reporting, ApiError, ApiState, Caller, ErrorKind};

/// Most bytes of a report.
const MAX_REPORT: usize = 4 << 10;
const MAX_INSTANCE: usize = 300;
/// A reader that gets nothing for this long could not tell a quiet server from a dead one.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What a request to these pages means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    List,
    Get,
    Pause,
    Resume,
    Retry,
    Skip,
    Approve,
    Report,
    Events,
}

impl Page {
    /// Name in logs and metrics.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::List => "ListRollouts",
            Self::Get => "GetRollout",
            Self::Pause => "PauseRollouts",
            Self::Resume => "ResumeRollouts",
            Self::Retry => "RetryRollout",
            Self::Skip => "SkipRollout",
            Self::Approve => "ApproveRollout",
            Self::Report => "ReportProxy",
            Self::Events => "FollowEvents",
        }
    }

    /// A report changes nothing that clients have made, and comes every few seconds from every proxy.
    pub(super) fn is_change(self) -> bool {
        matches!(
            self,
            Self::Pause | Self::Resume | Self::Retry | Self::Skip | Self::Approve
        )
    }
}

/// The pages with this path, by their methods.
pub(super) fn pages(segments: &[&str]) -> &'static [(&'static str, Page)] {
    match segments {
        ["v1", "rollouts"] => &[("GET", Page::List)],
        ["v1", "rollouts", mesh] if !mesh.is_empty() => &[("GET", Page::Get)],
        ["v1", "rollouts", mesh, "pause"] if !mesh.is_empty() => &[("POST", Page::Pause)],
        ["v1", "rollouts", mesh, "resume"] if !mesh.is_empty() => &[("POST", Page::Resume)],
        ["v1", "rollouts", mesh, _, "retry"] if !mesh.is_empty() => &[("POST", Page::Retry)],
        ["v1", "rollouts", mesh, _, "skip"] if !mesh.is_empty() => &[("POST", Page::Skip)],
        ["v1", "rollouts", mesh, _, "approve"] if !mesh.is_empty() => &[("POST", Page::Approve)],
        ["v1", "reports", "proxy", "mesh", mesh, _, name] if !mesh.is_empty() && !name.is_empty() => {
            &[("POST", Page::Report)]
        }
        ["v1", "events"] => &[("GET", Page::Events)],
        _ => &[],
    }
}

/// The answer to one request.
pub(super) fn answer(
    scene: &Scene<'_>,
    state: &ApiState,
    page: Page,
    segments: &[String],
    request: &Request,
) -> Result<Response, ApiError> {
    let segment = |index: usize| segments.get(index).map_or("", String::as_str);
    let (rollouts, mesh) = (state.rollouts.as_ref(), segment(2));
    let candidate = || segment(3).to_owned();
    let turn = |turn: Turn| {
        let done = rollouts.turn(mesh, &turn);
        done.map(|shown| answer::json(&shown)).map_err(refused)
    };
    match page {
        Page::List => {
            let mut meshes = rollouts.list();
            meshes.retain(|shown| scene.caller.may(Role::Reader, Subject::Proxy, mesh_of(shown)));
            Ok(answer::json(&json!({ "rollouts": meshes })))
        }
        Page::Get => match rollouts.get(mesh) {
            Some(shown) => Ok(answer::json(&shown)),
            None => Err(ApiError::not_found(format!("no proxy of mesh {mesh:?} is known here"))),
        },
        Page::Pause => turn(Turn::Pause),
        Page::Resume => turn(Turn::Resume),
        Page::Retry => turn(Turn::Retry(candidate())),
        Page::Skip => turn(Turn::Skip(candidate())),
        Page::Approve => turn(Turn::Approve(candidate())),
        Page::Report => {
            let reporter = Reporter {
                mesh: segment(4).to_owned(),
                kind: segment(5).to_owned(),
                name: segment(6).to_owned(),
            };
            reporting::admit(request, &reporter)?;
            report(rollouts, &reporter, request).map(|value| answer::json(&value))
        }
        Page::Events => follow(scene.caller, state.events.as_ref(), request),
    }
}

fn refused(refused: TurnRefused) -> ApiError {
    match refused {
        TurnRefused::Unknown(why) => ApiError::not_found(why),
        TurnRefused::Unavailable(why) => ApiError::new(ErrorKind::ServiceUnavailable, why),
    }
}

fn report(rollouts: &dyn Rollouts, reporter: &Reporter, request: &Request) -> Result<Value, ApiError> {
    if request.body.len() > MAX_REPORT {
        return Err(ApiError::bad_request(format!(
            "body: must have at most {MAX_REPORT} bytes"
        )));
    }
    let report: ProxyReport = serde_json::from_slice(&request.body)
        .map_err(|error| ApiError::bad_request(format!("body: is no report of a proxy: {error}")))?;
    let length = report.instance.len();
    if !(1..=MAX_INSTANCE).contains(&length) {
        let message = format!("instance: must have 1 to {MAX_INSTANCE} bytes, has {length}");
        return Err(ApiError::bad_request(message));
    }
    match rollouts.take(reporter, &report) {
        Ok(()) => Ok(json!({})),
        Err(ReportRefused::NoComparisons) => Err(ApiError::not_found("path: this control plane takes no reports")),
        Err(ReportRefused::NotYours(why)) => Err(ApiError::new(ErrorKind::Forbidden, why)),
        // The proxy is not among those that are served: another control plane serves it, or nobody.
        Err(ReportRefused::NotNow(why)) => Err(ApiError::not_found(why)),
    }
}

/// Events as they happen, of the meshes that the caller may see.
fn follow(caller: &Caller, events: &dyn Events, request: &Request) -> Result<Response, ApiError> {
    let after = match request.headers.get("last-event-id") {
        None => None,
        Some(value) => {
            let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
            let wrong = || ApiError::bad_request("last-event-id: must be the number of an event");
            Some(number.ok_or_else(wrong)?)
        }
    };
    let members = request.query_members()?;
    if let Some(other) = members.keys().find(|name| *name != "mesh") {
        return Err(ApiError::bad_request(format!(
            "{other}: is no parameter; there is mesh"
        )));
    }
    let (caller, mesh) = (caller.clone(), members.get("mesh").cloned());
    let is_shown = move |happening: &Arc<Happening>| {
        mesh.as_ref().is_none_or(|mesh| *mesh == happening.mesh)
            && caller.may(Role::Reader, Subject::Proxy, &happening.mesh)
    };
    let shown = happenings(events.follow(after)).filter_map(move |happening| {
        let event = is_shown(&happening).then(|| event(&happening));
        async move { event }
    });
    let alive = sse::keep_alive().interval(KEEP_ALIVE).stream(shown);
    let mut response = sse::reply(alive).into_response();
    // Nobody on the way may collect it.
    let no_store = http::HeaderValue::from_static("no-store");
    response.headers_mut().insert(http::header::CACHE_CONTROL, no_store);
    Ok(response)
}

/// Ends for a reader that is too slow: it comes again with the number of its last event.
fn happenings(followed: Followed) -> impl Stream<Item = Arc<Happening>> {
    let Followed { past, future } = followed;
    let future = stream::unfold(future, |mut future| async move {
        match future.recv().await {
            Ok(happening) => Some((happening, future)),
            Err(broadcast::error::RecvError::Lagged(_) | broadcast::error::RecvError::Closed) => None,
        }
    });
    stream::iter(past).chain(future)
}

fn event(happening: &Happening) -> Result<sse::Event, Infallible> {
    let event = sse::Event::default().id(happening.id.to_string()).event(happening.kind);
    Ok(event.data(happening.body.to_string()))
}
