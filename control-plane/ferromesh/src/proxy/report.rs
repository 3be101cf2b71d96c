//! Tells the control plane how this proxy's requests fare, so that a change that does harm is taken back (decision 0043).
//!
//! Every second a few of Envoy's counters are read. They are sent every ten seconds, and every second after Envoy has begun or
//! has taken something new: that is when they matter. Before the first of these the look
//! before the change is sent, so that what was counted before it and after it can be told apart. Counters, not differences: a
//! report that is lost costs nothing.

mod counters;

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{header, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use self::counters::{Counters, Totals, STATS};
use super::{admin::Admin, settings::Settings};
use crate::{
    address::{Address, Stream},
    client::paths::component,
    identity::{wire_name, Identity},
};

/// How often Envoy is asked.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often is reported while nothing happens.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// How long each look is reported after Envoy has begun, or has taken something.
const ATTENTIVE: Duration = Duration::from_secs(30);
/// A report that takes longer is given up: the next says more.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const SIZE_LIMIT: usize = 64 << 10;

/// When to report.
#[derive(Debug, Default)]
struct Pace {
    last: Option<(Instant, Counters)>,
    /// The look before, which was not reported.
    before: Option<(Instant, Counters)>,
    attentive_until: Option<Instant>,
}

impl Pace {
    /// Whether a look is to be reported.
    fn is_due(&mut self, now: Instant, seen: &Counters) -> bool {
        let Some((at, last)) = &self.last else {
            // What it has taken before this look is as new to the control plane as what it will take.
            self.attentive_until = Some(now + ATTENTIVE);
            return true;
        };
        if seen.taken != last.taken || seen.uptime_seconds < last.uptime_seconds {
            self.attentive_until = Some(now + ATTENTIVE);
        }
        self.attentive_until.is_some_and(|until| now < until)
            || seen.is_draining != last.is_draining
            || now.duration_since(*at) >= REPORT_EVERY
    }
}

/// Reports on one proxy, by the agent's own socket.
pub(super) struct Reporter {
    admin: Admin,
    socket: PathBuf,
    path: String,
    instance: String,
}

impl Reporter {
    /// `instance` is what the proxy's node says of this run; `socket` passes reports on.
    pub(super) fn new(settings: &Settings, admin_address: PathBuf, socket: PathBuf, instance: String) -> Self {
        Self {
            admin: Admin {
                address_file: admin_address,
            },
            socket,
            path: path(&settings.node.identity),
            instance,
        }
    }

    /// Looks and reports until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut pace, mut totals) = (Pace::default(), Totals::default());
        loop {
            tokio::select! {
                _ = look.tick() => self.look(&mut pace, &mut totals).await,
                () = stop.cancelled() => return,
            }
        }
    }

    async fn look(&self, pace: &mut Pace, totals: &mut Totals) {
        // An Envoy that does not answer has nothing to report; its silence on the stream is noticed.
        let Ok(answer) = self.admin.get(STATS).await else {
            return;
        };
        let seen = totals.read(&answer.text());
        let now = Instant::now();
        if !pace.is_due(now, &seen) {
            pace.before = Some((now, seen));
            return;
        }
        if let Some((at, before)) = pace.before.take() {
            self.report(&before, at).await;
        }
        if self.report(&seen, now).await {
            pace.last = Some((now, seen));
        }
    }

    /// Whether the control plane has taken it.
    async fn report(&self, seen: &Counters, at: Instant) -> bool {
        match tokio::time::timeout(TIME_LIMIT, self.send(seen, at)).await {
            Ok(Ok(StatusCode::OK)) => return true,
            Ok(Ok(status)) => tracing::debug!(%status, "the control plane does not take reports now"),
            Ok(Err(error)) => tracing::debug!(%error, "a report cannot be sent"),
            Err(_) => tracing::debug!("a report took too long"),
        }
        false
    }

    async fn send(&self, seen: &Counters, at: Instant) -> anyhow::Result<StatusCode> {
        let mut body = serde_json::to_value(seen)?;
        body["instance"] = serde_json::json!(self.instance);
        body["ageMillis"] = serde_json::json!(u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX));
        let stream = Stream::connect(&Address::Unix(self.socket.clone())).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the sender, or with an error that the request reports.
        let connection = tokio::spawn(connection);
        let request = Request::post(&self.path)
            .header(header::HOST, "control-plane")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONNECTION, "close")
            .body(Full::<Bytes>::from(body.to_string()))?;
        let answered = sender.send_request(request).await;
        let response = answered?;
        let status = response.status();
        let read = Limited::new(response.into_body(), SIZE_LIMIT).collect().await;
        connection.abort();
        read.map_err(|error| anyhow::anyhow!("the answer cannot be read: {error}"))?;
        Ok(status)
    }
}

/// Where the reports of a proxy go.
fn path(identity: &Identity) -> String {
    let mesh = match &identity.account {
        Some(account) => format!("{}@{account}", identity.mesh),
        None => identity.mesh.clone(),
    };
    let (mesh, kind, name) = (component(&mesh), wire_name(identity.kind), component(&identity.name));
    format!("/v1/reports/proxy/mesh/{mesh}/{kind}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds at which looks are reported, of an Envoy that takes something in these.
    fn reported(taken_at: &[u32]) -> Vec<u32> {
        let mut pace = Pace::default();
        let (mut due, began) = (Vec::new(), Instant::now());
        for second in 0..100 {
            let taken = taken_at.iter().filter(|at| **at <= second).count() as u64;
            let seen = Counters {
                taken,
                ..Counters::default()
            };
            let now = began + LOOK_EVERY * second;
            if pace.is_due(now, &seen) {
                due.push(second);
                pace.last = Some((now, seen));
            }
        }
        due
    }

    #[test]
    fn is_reported_often_after_something_new_and_else_seldom() {
        let expected: Vec<u32> = (0..30).chain([39, 49]).chain(55..85).chain([94]).collect();
        assert_eq!(reported(&[0, 55]), expected);
    }

    /// What comes before the first look is in it, and does harm after it.
    #[test]
    fn what_was_taken_before_the_first_report_is_followed_by_more() {
        assert_eq!(reported(&[0])[..30], (0..30).collect::<Vec<u32>>());
    }

    #[test]
    fn the_path_names_the_mesh_with_its_owner() {
        let of = |id: &str| path(&Identity::parse(id).unwrap());
        assert_eq!(
            of("mesh/a&b/virtualNode/n"),
            "/v1/reports/proxy/mesh/a%26b/virtualNode/n"
        );
        let arn = "arn:aws:appmesh:eu-west-1:123456789012:mesh/m/virtualGateway/g";
        assert_eq!(of(arn), "/v1/reports/proxy/mesh/m%40123456789012/virtualGateway/g");
    }
}
