//! Rollbacks that are decided over all proxies: reports come in, verdicts are shown and taken back.

use ferromesh_model::policy::Policy;
use ferromesh_model::rollback::{Rollbacks, MAX_CANARIES};
use ferromesh_model::Violation;
use ferromesh_store::{catalog, key};
use serde_json::{json, Value};

use super::policies::absent;
use crate::appmesh::Scene;
use crate::request::Request;
use crate::rollback::{CanaryReport, Comparisons, ReportRefused, Reporter};
use crate::{reporting, view, ApiError, ErrorKind};

/// Most bytes of a report. Those of our filter stay below 200 KB.
const MAX_REPORT: usize = 256 << 10;
/// Most requests in one count: what a machine answers in a minute is far less, and sums cannot run over.
const MAX_REQUESTS: u64 = 1 << 40;
const MAX_KEY: usize = 64;

/// What a request to these pages means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    Show,
    Clear,
    Report,
}

impl Page {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Show => "GetRollbacks",
            Self::Clear => "ClearRollbacks",
            Self::Report => "ReportCanaries",
        }
    }

    /// A report changes nothing that clients have made, and comes every few seconds from every proxy.
    pub(super) fn is_change(self) -> bool {
        self == Self::Clear
    }
}

/// The pages with this path, by their methods.
pub(super) fn pages(segments: &[&str]) -> &'static [(&'static str, Page)] {
    match segments {
        ["v1", "policies", mesh, name, "rollback"] if !mesh.is_empty() && !name.is_empty() => &[("GET", Page::Show)],
        ["v1", "policies", mesh, name, "rollback", "clear"] if !mesh.is_empty() && !name.is_empty() => {
            &[("POST", Page::Clear)]
        }
        ["v1", "reports", "canary", "mesh", mesh, _, name] if !mesh.is_empty() && !name.is_empty() => {
            &[("POST", Page::Report)]
        }
        _ => &[],
    }
}

/// The answer to one request.
pub(super) fn answer(
    scene: &Scene<'_>,
    comparisons: &dyn Comparisons,
    page: Page,
    segments: &[String],
    request: &Request,
) -> Result<Value, ApiError> {
    let segment = |index: usize| segments.get(index).map_or("", String::as_str);
    match page {
        Page::Show => show(scene, comparisons, segment(2), segment(3)),
        Page::Clear => clear(scene, segment(2), segment(3)),
        Page::Report => {
            let reporter = Reporter {
                mesh: segment(4).to_owned(),
                kind: segment(5).to_owned(),
                name: segment(6).to_owned(),
            };
            reporting::admit(request, &reporter)?;
            report(comparisons, &reporter, request)
        }
    }
}

/// What is known of a policy's rollbacks; `None` where nothing is.
pub(super) fn status(scene: &Scene<'_>, mesh: &str, name: &str) -> Result<Option<Value>, ApiError> {
    let known = catalog::rollback(scene.store, mesh, name)?;
    let now = unix_millis(scene);
    Ok(known.map(|(known, _)| {
        let verdicts = known.verdicts.values().map(|verdict| {
            let mut shown = json!(verdict);
            shown["inEffect"] = json!(verdict.holds_at(now));
            shown
        });
        json!({ "cleared": known.generation, "rollbacks": verdicts.collect::<Vec<_>>() })
    }))
}

fn show(scene: &Scene<'_>, comparisons: &dyn Comparisons, mesh: &str, name: &str) -> Result<Value, ApiError> {
    rolls_back(&policy(scene, mesh, name)?)?;
    let mut shown = status(scene, mesh, name)?.unwrap_or_else(|| json!({ "cleared": 0, "rollbacks": [] }));
    shown["comparisons"] = json!(comparisons.running(scene.owner, mesh, name));
    Ok(shown)
}

/// Takes a policy's verdicts back: what is known of its canaries counts no more, in proxies too.
fn clear(scene: &Scene<'_>, mesh: &str, name: &str) -> Result<Value, ApiError> {
    view::commit(scene.store, |view| {
        let policy = view.get(&key::policy(mesh, name))?;
        let policy = policy.ok_or_else(|| absent(mesh, name))?;
        rolls_back(&catalog::read(&policy)?)?;
        let stored = view.get(&key::rollback(mesh, name))?;
        let stored = stored.as_ref().map(catalog::read::<Rollbacks>).transpose()?;
        let mut known = stored.unwrap_or_else(|| Rollbacks::of(mesh, name));
        known.clear();
        let shown = json!({ "cleared": known.generation, "rollbacks": [] });
        Ok::<_, ApiError>((vec![catalog::put_rollback(&known)?], shown))
    })
}

fn policy(scene: &Scene<'_>, mesh: &str, name: &str) -> Result<Policy, ApiError> {
    let found = catalog::policy(scene.store, mesh, name)?;
    found.map(|(policy, _)| policy).ok_or_else(|| absent(mesh, name))
}

/// Refuses a policy of which nothing is compared here.
fn rolls_back(policy: &Policy) -> Result<(), ApiError> {
    let rollback = policy.spec.canary.as_ref().and_then(|canary| canary.rollback.as_ref());
    let name = &policy.name;
    match rollback {
        Some(rollback) if rollback.across_proxies => Ok(()),
        Some(_) => Err(ApiError::bad_request(format!(
            "policy {name:?} has spec.canary.rollback.acrossProxies false: each proxy decides alone"
        ))),
        None => Err(ApiError::bad_request(format!(
            "policy {name:?} has no spec.canary.rollback"
        ))),
    }
}

fn report(comparisons: &dyn Comparisons, reporter: &Reporter, request: &Request) -> Result<Value, ApiError> {
    let report = read(&request.body)?;
    match comparisons.take(reporter, &report) {
        Ok(counted) => Ok(json!({ "counted": counted })),
        Err(ReportRefused::NoComparisons) => Err(ApiError::not_found("path: this control plane compares no canaries")),
        Err(ReportRefused::NotYours(why)) => Err(ApiError::new(ErrorKind::Forbidden, why)),
        Err(ReportRefused::NotNow(why)) => Err(ApiError::new(ErrorKind::ServiceUnavailable, why)),
    }
}

/// A report whose numbers make sense.
fn read(body: &[u8]) -> Result<CanaryReport, ApiError> {
    if body.len() > MAX_REPORT {
        return Err(ApiError::bad_request(format!(
            "body: must have at most {MAX_REPORT} bytes"
        )));
    }
    let report: CanaryReport = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("body: is no report of canaries: {error}")))?;
    let mut found = Vec::new();
    if report.number == 0 {
        found.push(Violation::new("number", "must be at least 1"));
    }
    let count = report.canaries.len();
    if !(1..=MAX_CANARIES).contains(&count) {
        found.push(Violation::new(
            "canaries",
            format!("must have 1 to {MAX_CANARIES} entries, has {count}"),
        ));
    }
    for (index, canary) in report.canaries.iter().enumerate().take(MAX_CANARIES) {
        if !(1..=MAX_KEY).contains(&canary.key.len()) {
            let message = format!("must have 1 to {MAX_KEY} bytes, has {}", canary.key.len());
            found.push(Violation::new(format!("canaries[{index}].key"), message));
        }
        for (name, counts) in [("canary", canary.canary), ("baseline", canary.baseline)] {
            let path = |member| format!("canaries[{index}].{name}.{member}");
            if counts.requests > MAX_REQUESTS {
                let message = format!("must be at most {MAX_REQUESTS}, is {}", counts.requests);
                found.push(Violation::new(path("requests"), message));
            }
            for (member, value) in [("errors", counts.errors), ("slow", counts.slow)] {
                if value > counts.requests {
                    let message = format!("must be at most requests, {}, is {value}", counts.requests);
                    found.push(Violation::new(path(member), message));
                }
            }
        }
    }
    ApiError::refuse(found)?;
    Ok(report)
}

fn unix_millis(scene: &Scene<'_>) -> u64 {
    // Whole milliseconds since 1970 are far below what a cast could lose.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let now = (scene.clock.now() * 1000.0).round() as u64;
    now
}
