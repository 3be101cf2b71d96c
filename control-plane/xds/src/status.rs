//! What has reached which proxy: an observer that keeps the present state in memory, for people to see.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    streams: BTreeMap<u64, StreamDelivery>,
    /// The streams that have ended, and when, the first of them first: who comes and goes all the time must not make
    /// everybody look through all of them.
    ended: VecDeque<(f64, u64)>,
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
    /// The names of what the newest response brings, until it is answered.
    #[serde(skip)]
    pub pending: Vec<Arc<str>>,
}

/// The status of one resource on a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ResourceState {
    /// It was sent, and is not answered yet.
    Sent,
    /// The proxy has taken it.
    Acknowledged,
    /// The proxy has refused the response that it was in.
    Rejected,
    /// It was sent, and has not been answered for longer than a proxy needs.
    Silent,
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
        self.lock().streams.values().rev().cloned().collect()
    }

    /// The streams of the proxies with that node id, newest first.
    pub fn proxy(&self, id: &str) -> Vec<StreamDelivery> {
        self.lock()
            .streams
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
        for stream in self.lock().streams.values() {
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
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeliveryObserver for DeliveryStatus {
    fn on(&self, event: &Event<'_>) {
        let at = seconds(event.at);
        let mut known = self.lock();
        let Known { streams, ended } = &mut *known;
        if let EventKind::Connected { node, protocol } = event.kind {
            forget_old(streams, ended, at);
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
                if stream.disconnected_at_seconds.replace(at).is_none() {
                    ended.push_back((at, event.stream));
                }
                stream.disconnect_reason = reason.map(str::to_owned);
                for delivery in stream.types.values_mut() {
                    delivery.silent_since_seconds = None;
                    delivery.pending = Vec::new();
                }
            }
            EventKind::Sent(update) => {
                let delivery = stream.of(&update);
                delivery.sent = Some(mark(&update, at));
                delivery.silent_since_seconds = Some(at);
                delivery.pending = update
                    .resources
                    .iter()
                    .map(|resource| Arc::clone(resource.name()))
                    .collect();
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
                delivery.pending = Vec::new();
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
    /// The status of a resource that the stream has asked for. `silence` is how long an answer is waited for.
    pub fn of_resource(&self, name: &str, silence: Duration, now: SystemTime) -> ResourceState {
        if self.nacked.as_ref().is_some_and(|nack| nack.resources.contains(name)) {
            return ResourceState::Rejected;
        }
        if !self.pending.iter().any(|pending| **pending == *name) {
            return ResourceState::Acknowledged;
        }
        let waited = self.silent_since_seconds.map_or(0.0, |since| seconds(now) - since);
        match waited > silence.as_secs_f64() {
            true => ResourceState::Silent,
            false => ResourceState::Sent,
        }
    }

    fn on_ack(&mut self, update: &Update<'_>, at: f64) {
        self.acked = Some(mark(update, at));
        self.pending = Vec::new();
        self.silent_since_seconds = None;
        if let Some(nack) = &mut self.nacked {
            for name in update.resources.iter().map(|r| r.name()).chain(update.removed) {
                nack.resources.remove(&**name);
            }
        }
        self.nacked = self.nacked.take().filter(|nack| !nack.resources.is_empty());
    }
}

/// Makes room for one more.
fn forget_old(streams: &mut BTreeMap<u64, StreamDelivery>, ended: &mut VecDeque<(f64, u64)>, now: f64) {
    while let Some((at, id)) = ended.front() {
        if now - at <= REMEMBERED.as_secs_f64() && streams.len() < MAX_STREAMS {
            break;
        }
        streams.remove(id);
        ended.pop_front();
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
mod tests;
