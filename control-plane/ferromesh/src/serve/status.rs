//! The status of proxies: what was published for them and what of it was delivered, put together.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::Arc,
    time::{Duration, SystemTime},
};

use ferromesh_api::{MetricsSource, ProxyStatus};
use ferromesh_xds::{
    status::{StreamDelivery, TypeDelivery},
    AggregatedDiscoveryService, DeliveryStatus, Snapshot,
};
use serde_json::{json, Value};

use crate::{
    identity::{wire_name, Identity, ProxyKey},
    publisher::{Publisher, Report},
    rollout::Rollout,
};

/// A response that a proxy has not answered for this long is a sign of a stuck main thread.
const SILENCE: Duration = Duration::from_secs(10);

/// Reads both sides.
pub(super) struct Status {
    publisher: Publisher,
    rollout: Rollout,
    delivery: Arc<DeliveryStatus>,
    xds: AggregatedDiscoveryService,
}

impl Status {
    pub(super) fn new(
        publisher: Publisher,
        rollout: Rollout,
        delivery: Arc<DeliveryStatus>,
        xds: AggregatedDiscoveryService,
    ) -> Self {
        Self {
            publisher,
            rollout,
            delivery,
            xds,
        }
    }

    /// Where the newest configuration is on its way, if the proxy does not have it.
    fn add_standing(&self, key: &ProxyKey, shown: &mut Value) {
        if let Some(standing) = self.rollout.standing(key) {
            let reason = standing.get("reason").and_then(Value::as_str);
            if let (Some(reason), true) = (reason, shown["reason"].is_null()) {
                shown["reason"] = json!(reason);
                if shown["state"] == "current" {
                    shown["state"] = json!("stale");
                }
            }
            shown["rollout"] = standing;
        }
    }

    fn all(&self) -> Vec<(ProxyKey, Value)> {
        let mut streams: BTreeMap<ProxyKey, Vec<StreamDelivery>> = BTreeMap::new();
        for stream in self.delivery.streams() {
            // A stream of somebody else was refused, and has no proxy.
            if let Ok(identity) = Identity::parse(&stream.proxy) {
                streams.entry(self.publisher.key(&identity)).or_default().push(stream);
            }
        }
        let reports = self.publisher.reports();
        let mut reports: BTreeMap<String, Report> = reports.into_iter().map(|r| (r.id.clone(), r)).collect();
        let mut all: Vec<_> = streams
            .into_iter()
            .map(|(key, streams)| {
                let report = reports.remove(&key.to_string());
                let mut shown = shown(&key, report.as_ref(), &streams);
                self.add_standing(&key, &mut shown);
                (key, shown)
            })
            .collect();
        for report in reports.into_values() {
            if let Ok(identity) = Identity::parse(&report.id) {
                let key = self.publisher.key(&identity);
                let shown = shown(&key, Some(&report), &[]);
                all.push((key, shown));
            }
        }
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }
}

impl ProxyStatus for Status {
    fn list(&self) -> Vec<Value> {
        self.all().into_iter().map(|(_, shown)| shown).collect()
    }

    fn get(&self, id: &str) -> Option<Value> {
        let key = self.publisher.key(&Identity::parse(id).ok()?);
        let (_, mut shown) = self.all().into_iter().find(|(found, _)| *found == key)?;
        let now = SystemTime::now();
        let open = self.delivery.streams().into_iter();
        let resources = open
            .filter(|stream| stream.disconnected_at_seconds.is_none())
            .filter(|stream| Identity::parse(&stream.proxy).is_ok_and(|of| self.publisher.key(&of) == key))
            .filter_map(|stream| Some(resources(&stream, self.rollout.held(stream.stream)?.as_ref(), now)));
        shown["resources"] = resources.collect();
        Some(shown)
    }
}

impl MetricsSource for Status {
    fn write(&self, text: &mut String) {
        let mut states: BTreeMap<&'static str, u64> = STATES.iter().map(|state| (*state, 0)).collect();
        for (_, shown) in self.all() {
            let state = shown.get("state").and_then(Value::as_str).unwrap_or_default();
            if let Some(known) = STATES.iter().find(|known| **known == state) {
                *states.entry(known).or_default() += 1;
            }
        }
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP ferromesh_xds_streams Open discovery streams.");
        let _ = writeln!(text, "# TYPE ferromesh_xds_streams gauge");
        let _ = writeln!(text, "ferromesh_xds_streams {}", self.xds.streams());
        let _ = writeln!(
            text,
            "# HELP ferromesh_proxies Proxies by the state of their configuration."
        );
        let _ = writeln!(text, "# TYPE ferromesh_proxies gauge");
        for (state, count) in states {
            let _ = writeln!(text, "ferromesh_proxies{{state=\"{state}\"}} {count}");
        }
    }
}

/// What was sent on a stream, resource by resource.
fn resources(stream: &StreamDelivery, held: &Snapshot, now: SystemTime) -> Value {
    let types = stream.types.iter().map(|(type_url, delivery)| {
        let resources = held.resources(type_url).iter().map(|resource| {
            json!({
                "name": **resource.name(),
                "version": resource.version().to_string(),
                "state": delivery.of_resource(resource.name(), SILENCE, now),
            })
        });
        (short(type_url).to_owned(), resources.collect::<Value>())
    });
    json!({"stream": stream.stream, "types": types.collect::<serde_json::Map<_, _>>()})
}

/// Every state of a proxy.
const STATES: [&str; 7] = [
    "current",
    "delivering",
    "silent",
    "rejected",
    "stale",
    "waiting",
    "disconnected",
];

fn shown(key: &ProxyKey, report: Option<&Report>, streams: &[StreamDelivery]) -> Value {
    let (state, reason) = state(report, streams);
    let mut shown = report.map_or_else(
        || json!({"id": key.to_string(), "mesh": key.mesh, "kind": wire_name(key.kind), "name": key.name}),
        |report| json!(report),
    );
    shown["state"] = json!(state);
    if let Some(reason) = reason {
        shown["reason"] = json!(reason);
    }
    shown["streams"] = json!(streams);
    shown
}

/// The state in one word, the worst that holds, and why.
fn state(report: Option<&Report>, streams: &[StreamDelivery]) -> (&'static str, Option<String>) {
    let open: Vec<&StreamDelivery> = streams.iter().filter(|s| s.disconnected_at_seconds.is_none()).collect();
    let types = || open.iter().flat_map(|stream| &stream.types);
    let problem = report
        .and_then(|report| report.problem.as_ref())
        .map(|problem| problem.reason.clone());
    let has_snapshot = report.is_some_and(|report| report.published.is_some());
    if open.is_empty() {
        let ended = streams.first().and_then(|stream| stream.disconnect_reason.clone());
        return ("disconnected", problem.or(ended));
    }
    if let Some((type_url, nack)) = types().find_map(|(type_url, t)| Some((type_url, t.nacked.as_ref()?))) {
        return ("rejected", Some(format!("{}: {}", short(type_url), nack.message)));
    }
    if let (Some(problem), true) = (&problem, has_snapshot) {
        return ("stale", Some(problem.clone()));
    }
    if !has_snapshot {
        return ("waiting", problem);
    }
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let is_silent = |delivery: &TypeDelivery| {
        let since = delivery.silent_since_seconds;
        since.is_some_and(|since| now.as_secs_f64() - since > SILENCE.as_secs_f64())
    };
    if let Some((type_url, _)) = types().find(|(_, delivery)| is_silent(delivery)) {
        return ("silent", Some(format!("no answer to {}", short(type_url))));
    }
    let version = |mark: &Option<ferromesh_xds::status::Mark>| mark.as_ref().map(|mark| mark.version.clone());
    if types().any(|(_, delivery)| version(&delivery.sent) != version(&delivery.acked)) {
        return ("delivering", None);
    }
    ("current", None)
}

/// `type.googleapis.com/envoy.config.cluster.v3.Cluster` as `Cluster`.
fn short(type_url: &str) -> &str {
    type_url.rsplit('.').next().unwrap_or(type_url)
}

#[cfg(test)]
mod tests {
    use ferromesh_xds::status::{Mark, Nack};

    use super::*;
    use crate::publisher::Problem;

    fn mark(version: &str) -> Option<Mark> {
        Some(Mark {
            version: version.into(),
            at_seconds: 1.0,
        })
    }

    fn stream(delivery: TypeDelivery) -> StreamDelivery {
        StreamDelivery {
            proxy: "mesh/m/virtualNode/n".into(),
            cluster: String::new(),
            user_agent: "envoy/1.40.0".into(),
            stream: 1,
            protocol: "delta",
            connected_at_seconds: 1.0,
            disconnected_at_seconds: None,
            disconnect_reason: None,
            types: [(ferromesh_xds::type_url::CLUSTER.to_owned(), delivery)].into(),
        }
    }

    fn report(published: bool, problem: Option<&str>) -> Report {
        Report {
            id: "mesh/m/virtualNode/n".into(),
            mesh: "m".into(),
            kind: "virtualNode",
            name: "n".into(),
            revision: Some(1),
            published: published.then(BTreeMap::new),
            problem: problem.map(|reason| Problem {
                reason: reason.into(),
                since_seconds: 1.0,
            }),
            lints: Vec::new(),
        }
    }

    #[test]
    fn the_worst_state_is_shown() {
        let current = TypeDelivery {
            sent: mark("1"),
            acked: mark("1"),
            ..TypeDelivery::default()
        };
        let of = |report: Report, delivery: TypeDelivery| state(Some(&report), &[stream(delivery)]);
        assert_eq!(of(report(true, None), current.clone()), ("current", None));
        let delivering = TypeDelivery {
            sent: mark("2"),
            ..current.clone()
        };
        assert_eq!(of(report(true, None), delivering.clone()).0, "delivering");
        let silent = TypeDelivery {
            silent_since_seconds: Some(1.0),
            ..delivering
        };
        assert_eq!(of(report(true, None), silent).0, "silent");
        assert_eq!(
            of(report(false, Some("x")), current.clone()),
            ("waiting", Some("x".into()))
        );
        assert_eq!(
            of(report(true, Some("x")), current.clone()),
            ("stale", Some("x".into()))
        );
        let rejected = TypeDelivery {
            nacked: Some(Nack {
                version: "1".into(),
                at_seconds: 1.0,
                code: 13,
                message: "no".into(),
                resources: Default::default(),
            }),
            ..current
        };
        let (word, reason) = of(report(true, Some("x")), rejected);
        assert_eq!((word, reason.as_deref()), ("rejected", Some("Cluster: no")));
        assert_eq!(state(Some(&report(true, None)), &[]).0, "disconnected");
    }
}
