//! A hand on the state machine: builds requests, takes responses, keeps the time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ferromesh_xds::stream::{Answer, Limits, Protocol, Refusal, Rejection, Request, Response, Stream, Subscribe};
use ferromesh_xds::{NodeInfo, Reference, Snapshot};

pub use ferromesh_xds::type_url::{CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE, SECRET};

/// A snapshot of `(type, name, content)` without references.
pub fn snapshot(resources: &[(&'static str, &str, &str)]) -> Arc<Snapshot> {
    linked(resources, &[])
}

/// A snapshot with references `(from, type, name)`.
pub fn linked(resources: &[(&'static str, &str, &str)], references: &[(&str, &'static str, &str)]) -> Arc<Snapshot> {
    let resources = resources
        .iter()
        .map(|(t, n, v)| (*t, *n, Bytes::copy_from_slice(v.as_bytes())));
    let references = references.iter().map(|(from, t, n)| Reference::new(*t, *n, *from));
    Arc::new(Snapshot::seal(resources, references).unwrap())
}

pub fn node(id: &str) -> NodeInfo {
    NodeInfo {
        id: id.into(),
        cluster: "c".into(),
        ..NodeInfo::default()
    }
}

/// Limits under which nothing waits for time to pass.
pub fn at_once() -> Limits {
    Limits {
        removal_grace: Duration::ZERO,
        ..Limits::default()
    }
}

pub struct Client {
    pub stream: Stream,
    pub now: Instant,
    introduced: bool,
}

impl Client {
    pub fn new(protocol: Protocol, limits: Limits) -> Self {
        let now = Instant::now();
        Self {
            stream: Stream::new(protocol, 0xabc, limits, now),
            now,
            introduced: false,
        }
    }

    pub fn sotw() -> Self {
        Self::new(Protocol::StateOfTheWorld, at_once())
    }

    pub fn delta() -> Self {
        Self::new(Protocol::Delta, at_once())
    }

    /// With a snapshot from the beginning.
    pub fn on(mut self, snapshot: &Arc<Snapshot>) -> Self {
        self.publish(snapshot);
        self
    }

    pub fn publish(&mut self, snapshot: &Arc<Snapshot>) {
        self.stream.on_snapshot(snapshot.clone());
    }

    pub fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    pub fn request(&mut self, mut request: Request) -> Result<Option<Answer>, Refusal> {
        if !std::mem::replace(&mut self.introduced, true) {
            request.node = Some(node("n"));
        }
        self.stream.on_request(request)
    }

    fn tell(
        &mut self,
        type_url: &str,
        nonce: &str,
        rejection: Option<Rejection>,
        subscribe: Subscribe,
    ) -> Option<Answer> {
        let request = Request {
            type_url: type_url.into(),
            nonce: nonce.into(),
            rejection,
            subscribe,
            node: None,
        };
        self.request(request).unwrap()
    }

    /// State of the world: a request without acknowledgement.
    pub fn ask(&mut self, type_url: &str, names: &[&str]) {
        assert!(self.send(type_url, "", "", names).is_none());
    }

    /// State of the world: any request.
    pub fn send(&mut self, type_url: &str, version: &str, nonce: &str, names: &[&str]) -> Option<Answer> {
        self.tell(type_url, nonce, None, wants(version, names))
    }

    /// State of the world.
    pub fn ack(&mut self, response: &Response, names: &[&str]) {
        let answer = self.send(&response.type_url, &response.version, &response.nonce, names);
        assert!(answer.unwrap().rejection.is_none());
    }

    /// State of the world.
    pub fn nack(&mut self, response: &Response, accepted_version: &str, names: &[&str]) -> Answer {
        let subscribe = wants(accepted_version, names);
        self.tell(&response.type_url, &response.nonce, Some(bad()), subscribe)
            .unwrap()
    }

    /// Delta: a request without acknowledgement.
    pub fn subscribe(&mut self, type_url: &str, subscribe: &[&str], unsubscribe: &[&str]) {
        assert!(self
            .tell(type_url, "", None, differs(subscribe, unsubscribe, &[]))
            .is_none());
    }

    /// Delta: the first request of a type on a new stream.
    pub fn resume(&mut self, type_url: &str, subscribe: &[&str], versions: &[(&str, &str)]) {
        assert!(self
            .tell(type_url, "", None, differs(subscribe, &[], versions))
            .is_none());
    }

    /// Delta: an acknowledgement that changes the subscription.
    pub fn ack_and(&mut self, nonce: &str, type_url: &str, subscribe: &[&str], unsubscribe: &[&str]) -> Option<Answer> {
        self.tell(type_url, nonce, None, differs(subscribe, unsubscribe, &[]))
    }

    /// Delta.
    pub fn take(&mut self, response: &Response) {
        let answer = self.tell(&response.type_url, &response.nonce, None, differs(&[], &[], &[]));
        assert!(answer.unwrap().rejection.is_none());
    }

    /// Delta.
    pub fn refuse(&mut self, response: &Response) -> Answer {
        self.tell(&response.type_url, &response.nonce, Some(bad()), differs(&[], &[], &[]))
            .unwrap()
    }

    pub fn next(&mut self) -> Option<Response> {
        let response = self.stream.next_response(self.now)?;
        let mut names: Vec<&str> = response.resources.iter().map(|r| &**r.name()).collect();
        names.extend(response.removed.iter().flatten().map(|n| &**n));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "a name comes twice in {response:?}");
        Some(response)
    }

    /// The next response, which must be of this type and hold exactly these resources.
    #[track_caller]
    pub fn expect(&mut self, type_url: &str, resources: &[&str]) -> Response {
        self.expect_change(type_url, resources, &[])
    }

    #[track_caller]
    pub fn expect_change(&mut self, type_url: &str, resources: &[&str], removed: &[&str]) -> Response {
        let response = self.next().expect("there is a response");
        assert_eq!(&*response.type_url, type_url);
        assert_eq!(names(&response), resources);
        let gone: Vec<&str> = response.removed.iter().flatten().map(|n| &**n).collect();
        assert_eq!(gone, removed);
        response
    }

    #[track_caller]
    pub fn expect_silence(&mut self) {
        if let Some(response) = self.next() {
            panic!("unexpected {response:?}");
        }
    }
}

pub fn names(response: &Response) -> Vec<&str> {
    response.resources.iter().map(|r| &**r.name()).collect()
}

pub fn bad() -> Rejection {
    Rejection {
        code: 13,
        message: "no good".into(),
    }
}

fn owned(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| n.to_string()).collect()
}

pub fn wants(version: &str, names: &[&str]) -> Subscribe {
    Subscribe::StateOfTheWorld {
        version: version.into(),
        names: owned(names),
    }
}

pub fn differs(subscribe: &[&str], unsubscribe: &[&str], versions: &[(&str, &str)]) -> Subscribe {
    let initial_versions: HashMap<String, String> =
        versions.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    Subscribe::Delta {
        subscribe: owned(subscribe),
        unsubscribe: owned(unsubscribe),
        initial_versions,
    }
}
