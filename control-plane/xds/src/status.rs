//! What has reached which proxy: an observer that keeps the present state in memory, for people to see.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::observer::{DeliveryObserver, Event, EventKind, Update};

/// How long a stream that has ended is remembered.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Streams remembered at a time. An entry takes about 1 kB.
const MAX_STREAMS: usize = 20_000;
/// Names of rejected resources remembered for each type and stream.
const MAX_REJECTED_NAMES: usize = 100;
/// Bytes of a rejection's message that are kept: a message goes through every resource at fault.
const MAX_MESSAGE_BYTES: usize = 4 * 1024;

/// The delivery status of every stream of the last hour.
///
/// Bounded: streams that ended more than an hour ago are dropped, and beyond 20,000 the ones that ended
/// first. Open streams are bounded by the service's own limit, and never dropped for their number.
#[derive(Debug, Default)]
pub struct DeliveryStatus {
    streams: Mutex<BTreeMap<u64, StreamDelivery>>,
}

/// The status of one stream. A proxy has one at a time; proxies that share a node id each have their own.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamDelivery {
    /// The proxy's `node.id`.
    pub proxy: String,
    /// The proxy's `node.cluster`.
    pub cluster: String,
    /// Name and version of the client.
    pub user_agent: String,
    /// The stream's number.
    pub stream: u64,
    /// `state-of-the-world` or `delta`.
    pub protocol: &'static str,
    /// When the stream began, in seconds since 1970.
    pub connected_at_seconds: f64,
    /// When it ended; `None`: it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnected_at_seconds: Option<f64>,
    /// Why the server ended it, if it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnect_reason: Option<String>,
    /// By type URL. Types of which nothing had to be sent on this stream are not there.
    pub types: BTreeMap<String, TypeDelivery>,
}

/// The status of one type on a stream.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeDelivery {
    /// The newest response.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent: Option<Mark>,
    /// The newest response that the proxy has taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acked: Option<Mark>,
    /// What the proxy has refused and has not been sent in a form that it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nacked: Option<Nack>,
    /// Since when the proxy has not answered the newest response, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_since_seconds: Option<f64>,
}

/// A version at a time.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// The response's version.
    pub version: String,
    /// When, in seconds since 1970.
    pub at_seconds: f64,
}

/// A response that a proxy has refused.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Nack {
    /// The response's version.
    pub version: String,
    /// When, in seconds since 1970.
    pub at_seconds: f64,
    /// A gRPC status code.
    pub code: i32,
    /// The proxy's words, the first 4 kB.
    pub message: String,
    /// The names in the response that have not been taken since, 100 at most.
    pub resources: BTreeSet<String>,
}

impl DeliveryStatus {
    /// Every stream, newest first.
    pub fn streams(&self) -> Vec<StreamDelivery> {
        self.lock().values().rev().cloned().collect()
    }

    /// The streams of the proxies with that node id, newest first.
    pub fn proxy(&self, id: &str) -> Vec<StreamDelivery> {
        self.lock()
            .values()
            .rev()
            .filter(|stream| stream.proxy == id)
            .cloned()
            .collect()
    }

    /// `(node id, type URL, how long)` of every open stream that has left a response unanswered for longer
    /// than `limit`: such a proxy's main thread is stuck, or its connection is.
    pub fn silent(&self, limit: Duration, now: SystemTime) -> Vec<(String, String, Duration)> {
        let now = seconds(now);
        let mut found = Vec::new();
        for stream in self.lock().values() {
            for (type_url, delivery) in &stream.types {
                let silence = delivery.silent_since_seconds.map_or(0.0, |since| now - since);
                if silence > limit.as_secs_f64() {
                    let silence = Duration::try_from_secs_f64(silence).unwrap_or(Duration::MAX);
                    found.push((stream.proxy.clone(), type_url.clone(), silence));
                }
            }
        }
        found
    }

    /// What a panic elsewhere leaves behind is whole: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, StreamDelivery>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeliveryObserver for DeliveryStatus {
    fn on(&self, event: &Event<'_>) {
        let at = seconds(event.at);
        let mut streams = self.lock();
        if let EventKind::Connected { node, protocol } = event.kind {
            forget_old(&mut streams, at);
            let delivery = StreamDelivery {
                proxy: event.proxy.to_owned(),
                cluster: node.cluster.clone(),
                user_agent: node.user_agent.clone(),
                stream: event.stream,
                protocol: protocol.as_str(),
                connected_at_seconds: at,
                disconnected_at_seconds: None,
                disconnect_reason: None,
                types: BTreeMap::new(),
            };
            streams.insert(event.stream, delivery);
            return;
        }
        let Some(stream) = streams.get_mut(&event.stream) else {
            return;
        };
        match event.kind {
            EventKind::Connected { .. } => {}
            EventKind::Disconnected { reason } => {
                stream.disconnected_at_seconds = Some(at);
                stream.disconnect_reason = reason.map(str::to_owned);
                stream.types.values_mut().for_each(|t| t.silent_since_seconds = None);
            }
            EventKind::Sent(update) => {
                let delivery = stream.of(&update);
                delivery.sent = Some(mark(&update, at));
                delivery.silent_since_seconds = Some(at);
            }
            EventKind::Acked { update, .. } => stream.of(&update).on_ack(&update, at),
            EventKind::Nacked { update, rejection, .. } => {
                let names = update.resources.iter().map(|r| r.name()).chain(update.removed);
                let nack = Nack {
                    version: update.version.to_owned(),
                    at_seconds: at,
                    code: rejection.code,
                    message: cut(&rejection.message, MAX_MESSAGE_BYTES).to_owned(),
                    resources: names.take(MAX_REJECTED_NAMES).map(|name| name.to_string()).collect(),
                };
                let delivery = stream.of(&update);
                delivery.nacked = Some(nack);
                delivery.silent_since_seconds = None;
            }
        }
    }
}

impl StreamDelivery {
    fn of(&mut self, update: &Update<'_>) -> &mut TypeDelivery {
        self.types.entry(update.type_url.to_owned()).or_default()
    }
}

impl TypeDelivery {
    fn on_ack(&mut self, update: &Update<'_>, at: f64) {
        self.acked = Some(mark(update, at));
        self.silent_since_seconds = None;
        if let Some(nack) = &mut self.nacked {
            for name in update.resources.iter().map(|r| r.name()).chain(update.removed) {
                nack.resources.remove(&**name);
            }
        }
        self.nacked = self.nacked.take().filter(|nack| !nack.resources.is_empty());
    }
}

fn forget_old(streams: &mut BTreeMap<u64, StreamDelivery>, now: f64) {
    let remembered = REMEMBERED.as_secs_f64();
    streams.retain(|_, s| s.disconnected_at_seconds.is_none_or(|ended| now - ended <= remembered));
    if streams.len() < MAX_STREAMS {
        return;
    }
    let ended = |(id, s): (&u64, &StreamDelivery)| Some((s.disconnected_at_seconds?, *id));
    let first = streams.iter().filter_map(ended).min_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, id)) = first {
        streams.remove(&id);
    }
}

fn mark(update: &Update<'_>, at_seconds: f64) -> Mark {
    Mark {
        version: update.version.to_owned(),
        at_seconds,
    }
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::NodeInfo;
    use crate::resource::Resource;
    use crate::stream::{Protocol, Rejection};
    use crate::type_url::CLUSTER;
    use std::sync::Arc;

    struct Story {
        status: DeliveryStatus,
        start: SystemTime,
    }

    impl Story {
        fn new() -> Self {
            Self {
                status: DeliveryStatus::default(),
                start: UNIX_EPOCH + Duration::from_secs(1000),
            }
        }

        fn tell(&self, stream: u64, after: u64, kind: EventKind<'_>) {
            let at = self.start + Duration::from_secs(after);
            self.status.on(&Event {
                proxy: "p",
                stream,
                at,
                kind,
            });
        }

        fn connect(&self, stream: u64, after: u64) {
            let node = NodeInfo {
                id: "p".into(),
                ..NodeInfo::default()
            };
            self.tell(
                stream,
                after,
                EventKind::Connected {
                    node: &node,
                    protocol: Protocol::Delta,
                },
            );
        }

        fn clusters(&self, stream: u64) -> TypeDelivery {
            let streams = self.status.proxy("p");
            streams.iter().find(|s| s.stream == stream).unwrap().types[CLUSTER].clone()
        }
    }

    fn update<'a>(version: &'a str, resources: &'a [Arc<Resource>]) -> Update<'a> {
        Update {
            type_url: CLUSTER,
            version,
            resources,
            removed: &[],
        }
    }

    #[test]
    fn tells_what_was_sent_taken_and_refused_and_since_when_there_is_silence() {
        let story = Story::new();
        let [a, b] = ["a", "b"].map(|n| Arc::new(Resource::encode(CLUSTER, n.into(), b"")));
        let after = Duration::from_millis(3);
        story.connect(1, 0);
        story.tell(1, 1, EventKind::Sent(update("v1", &[])));
        assert_eq!(story.clusters(1).silent_since_seconds, Some(1001.0));
        let later = story.start + Duration::from_secs(21);
        let silent = story.status.silent(Duration::from_secs(10), later);
        assert_eq!(silent, [("p".to_owned(), CLUSTER.to_owned(), Duration::from_secs(20))]);

        story.tell(
            1,
            2,
            EventKind::Acked {
                update: update("v1", &[]),
                after,
            },
        );
        assert_eq!(story.clusters(1).silent_since_seconds, None);
        assert!(story.status.silent(Duration::ZERO, later).is_empty());
        let refused = [a.clone(), b.clone()];
        let rejection = Rejection {
            code: 13,
            message: "é".repeat(4000),
        };
        story.tell(
            1,
            3,
            EventKind::Nacked {
                update: update("v2", &refused),
                after,
                rejection: &rejection,
            },
        );
        let delivery = story.clusters(1);
        assert_eq!(delivery.acked.unwrap().version, "v1");
        let nack = delivery.nacked.unwrap();
        assert_eq!(
            (nack.version.as_str(), nack.at_seconds, nack.message.len()),
            ("v2", 1003.0, 4096)
        );
        // What is still refused stays visible until the proxy takes it.
        story.tell(
            1,
            4,
            EventKind::Acked {
                update: update("v3", &[a]),
                after,
            },
        );
        assert_eq!(
            story.clusters(1).nacked.unwrap().resources,
            BTreeSet::from(["b".to_owned()])
        );
        story.tell(
            1,
            5,
            EventKind::Acked {
                update: update("v4", &[b]),
                after,
            },
        );
        assert_eq!(story.clusters(1).nacked, None);
    }

    #[test]
    fn streams_of_proxies_with_the_same_id_are_kept_apart() {
        let story = Story::new();
        story.connect(1, 0);
        story.connect(2, 1);
        story.tell(1, 2, EventKind::Sent(update("v1", &[])));
        story.tell(2, 2, EventKind::Sent(update("v2", &[])));
        assert_eq!(story.clusters(1).sent.unwrap().version, "v1");
        assert_eq!(story.clusters(2).sent.unwrap().version, "v2");
    }

    #[test]
    fn a_stream_that_has_ended_is_not_silent_and_is_forgotten_after_an_hour() {
        let story = Story::new();
        story.connect(1, 0);
        story.tell(1, 1, EventKind::Sent(update("v1", &[])));
        story.tell(
            1,
            2,
            EventKind::Disconnected {
                reason: Some("old enough"),
            },
        );
        assert_eq!(story.clusters(1).silent_since_seconds, None);
        story.connect(2, 3600);
        assert_eq!(story.status.streams().len(), 2);
        story.connect(3, 3603);
        let left: Vec<u64> = story.status.streams().iter().map(|s| s.stream).collect();
        assert_eq!(left, [3, 2]);
    }

    #[test]
    fn becomes_json_with_units_in_the_names() {
        let story = Story::new();
        story.connect(1, 0);
        story.tell(1, 1, EventKind::Sent(update("v1", &[])));
        let json = serde_json::to_value(story.status.streams()).unwrap();
        let expected = serde_json::json!([{
            "proxy": "p", "cluster": "", "userAgent": "", "stream": 1, "protocol": "delta",
            "connectedAtSeconds": 1000.0,
            "types": {CLUSTER: {"sent": {"version": "v1", "atSeconds": 1001.0}, "silentSinceSeconds": 1001.0}},
        }]);
        assert_eq!(json, expected);
    }
}
