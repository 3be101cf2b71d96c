//! The protocol of one discovery stream, without sockets and without a clock.
//!
//! A [`Stream`] is told what has happened — a request has come, there is a new snapshot — and is then
//! asked for the next response, until there is none. Responses are worked out when they can be sent, not
//! before: a client that reads slowly gets the newest state, and nothing queues.
//!
//! What is to be sent is always the difference between what the client holds, by its own
//! acknowledgements, and the newest snapshot. No history is kept. The order of a change:
//!
//! 1. Types go in the order of their stages, clusters first, and each waits until everything before it
//!    is acknowledged; so a route never names a cluster that the client has not taken. Envoy acknowledges
//!    clusters when they are warm. What they warm with, endpoints and secrets, doesn't wait.
//! 2. What is gone stays until all else is acknowledged, so that a client that refuses what comes instead
//!    loses nothing: listeners until whatever serves requests is there, then what they were made of, and
//!    clusters, endpoints and secrets at the very end. Only a listener in whose place, at the same
//!    address, another one comes goes together with its coming.
//! 3. What a client asks for in so many words is answered without waiting for acknowledgements: it may
//!    need just that to go on. Only before a listener or a route must the clusters have been sent.

mod address;
mod channel;
mod entry;
mod holdings;
mod plan;
mod push;
mod request;
mod subscription;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::node::NodeInfo;
use crate::resource::Resource;
use crate::snapshot::{Snapshot, Target};
use crate::type_url;

use channel::Channel;
pub use holdings::Holdings;
pub use request::{Refusal, Rejection, Request, Subscribe};

/// The two variants of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Every request names all that is wanted; cluster and listener responses are the full state.
    StateOfTheWorld,
    /// Requests and responses carry differences.
    Delta,
}

impl Protocol {
    /// `state-of-the-world` or `delta`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StateOfTheWorld => "state-of-the-world",
            Self::Delta => "delta",
        }
    }
}

/// What one client may ask of its stream, and how the stream paces its pushes.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Names subscribed to over all types, and those that the client says it has of one type. Default 10,000.
    pub max_names: usize,
    /// Bytes of those names together; and, beside them, of the names that the client says it has from an earlier stream.
    /// Default 2 MiB.
    pub max_name_bytes: usize,
    /// Types subscribed to. Default 32.
    pub max_types: usize,
    /// Bytes of the name of a type. Default 256; Envoy's longest has 75.
    pub max_type_url_bytes: usize,
    /// Bytes from which on a response is cut, where the protocol allows a part: clients on gRPC's C
    /// core refuse messages over 4 MiB. A single larger resource is sent alone. Default 3 MiB.
    pub max_response_bytes: usize,
    /// How long listeners and routes wait for the acknowledgement of clusters, which Envoy gives when they
    /// are warm (resolved, checked once). After that, those change which name no cluster that is still to
    /// be acknowledged, so that one cluster that never warms does not stop everything. Default 10 s.
    pub warming_patience: Duration,
    /// How long after its beginning a stream removes no cluster: a client that reconnects subscribes
    /// type by type, and its routes are to change before its clusters go. Default 1 s.
    pub removal_grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_names: 10_000,
            max_name_bytes: 2 * 1024 * 1024,
            max_types: 32,
            max_type_url_bytes: 256,
            max_response_bytes: 3 * 1024 * 1024,
            warming_patience: Duration::from_secs(10),
            removal_grace: Duration::from_secs(1),
        }
    }
}

/// A response to send.
#[derive(Debug, Clone)]
pub struct Response {
    /// The type of all its resources.
    pub type_url: Arc<str>,
    /// Unique over all streams.
    pub nonce: String,
    /// `version_info` or `system_version_info`.
    pub version: String,
    /// No name comes twice.
    pub resources: Vec<Arc<Resource>>,
    /// Delta only, there always present: names that don't exist (any more).
    pub removed: Option<Vec<Arc<str>>>,
}

/// The client's answer to a response.
#[derive(Debug)]
pub struct Answer {
    /// The response's type.
    pub type_url: Arc<str>,
    /// The response's version.
    pub version: String,
    /// The response's resources.
    pub resources: Vec<Arc<Resource>>,
    /// The names that the response removed.
    pub removed: Vec<Arc<str>>,
    /// When the response was handed out by [`Stream::next_response`].
    pub sent_at: Instant,
    /// Why the client refuses the response; `None`: it has taken it.
    pub rejection: Option<Rejection>,
}

/// The state of one discovery stream.
pub struct Stream {
    protocol: Protocol,
    id: u64,
    limits: Limits,
    opened: Instant,
    node: Option<NodeInfo>,
    /// In the order of a push.
    channels: Vec<Channel>,
    snapshot: Option<Arc<Snapshot>>,
    nonces: u64,
    /// What has to be sent again for a changed parent, of types not subscribed to yet (delta).
    rewarm: Vec<Target>,
    /// Bytes of the names in `initial_resource_versions` over all types.
    claimed_bytes: usize,
    /// From the client's stream before this one.
    recalled: Holdings,
}

impl Stream {
    /// A stream that was opened at `now`. `id` should be unique among all streams of all servers: nonces
    /// are made of it.
    pub fn new(protocol: Protocol, id: u64, limits: Limits, now: Instant) -> Self {
        Self {
            protocol,
            id,
            limits,
            opened: now,
            node: None,
            channels: Vec::new(),
            snapshot: None,
            nonces: 0,
            rewarm: Vec::new(),
            claimed_bytes: 0,
            recalled: Holdings::default(),
        }
    }

    /// The variant of the protocol.
    pub fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Who the client is; known after its first request.
    pub fn node(&self) -> Option<&NodeInfo> {
        self.node.as_ref()
    }

    /// Whether the client has asked for the type on this stream.
    pub fn has_requested(&self, type_url: &str) -> bool {
        self.channel(type_url).is_some()
    }

    /// Whether the client has asked for anything on this stream.
    pub fn has_requested_anything(&self) -> bool {
        !self.channels.is_empty()
    }

    /// The responses without an answer, and when they were sent. At most one for each type.
    pub fn outstanding(&self) -> impl Iterator<Item = (&Arc<str>, Instant)> {
        self.channels
            .iter()
            .filter_map(|c| Some((&c.type_url, c.outstanding.as_ref()?.sent_at)))
    }

    /// What the client holds now, to be told to its next stream. Empty in the delta variant, where the client says it
    /// itself.
    pub fn holdings(&self) -> Holdings {
        Holdings::of(&self.channels, &self.recalled)
    }

    /// What the client held when its stream before this one ended. To be told before the first response.
    pub fn recall(&mut self, holdings: Holdings) {
        self.recalled = holdings;
    }

    /// There is a new snapshot. It takes the place of the one before, also of one that was never sent.
    pub fn on_snapshot(&mut self, snapshot: Arc<Snapshot>) {
        for channel in &mut self.channels {
            channel.on_snapshot(snapshot.resources(&channel.type_url));
        }
        self.snapshot = Some(snapshot);
        if !self.recalled.is_open(&self.channels) {
            self.recalled = Holdings::default();
        }
    }

    /// A request has come. `Some` when it answers a response.
    ///
    /// # Errors
    /// The stream must be ended with the refusal.
    pub fn on_request(&mut self, request: Request) -> Result<Option<Answer>, Refusal> {
        self.identify(request.node)?;
        if request.type_url.is_empty() {
            return Err(Refusal::MissingTypeUrl);
        }
        if request.type_url.len() > self.limits.max_type_url_bytes {
            return Err(Refusal::TypeUrlTooLong {
                bytes: request.type_url.len(),
                limit: self.limits.max_type_url_bytes,
            });
        }
        if let Subscribe::Delta { initial_versions, .. } = &request.subscribe {
            // Only the first request of a type is remembered.
            if self.channel(&request.type_url).is_none() {
                self.claimed_bytes += initial_versions.keys().map(String::len).sum::<usize>();
            }
            self.check((initial_versions.len(), self.claimed_bytes))?;
        }
        let index = self.open_channel(&request.type_url)?;
        let answer = self.channels[index].on_request(request.nonce, request.rejection, request.subscribe);
        self.check_names()?;
        let rewarm = std::mem::take(&mut self.rewarm);
        self.rewarm = rewarm.into_iter().filter(|(t, n)| !self.renew(t, n)).collect();
        Ok(answer.map(|(outstanding, rejection)| Answer {
            type_url: self.channels[index].type_url.clone(),
            version: outstanding.version,
            resources: outstanding.resources,
            removed: outstanding.removed,
            sent_at: outstanding.sent_at,
            rejection,
        }))
    }

    fn channel(&self, type_url: &str) -> Option<&Channel> {
        self.channels.iter().find(|c| &*c.type_url == type_url)
    }

    fn open_channel(&mut self, type_url: &str) -> Result<usize, Refusal> {
        if let Some(index) = self.channels.iter().position(|c| &*c.type_url == type_url) {
            return Ok(index);
        }
        if self.channels.len() >= self.limits.max_types {
            return Err(Refusal::TooManyTypes {
                limit: self.limits.max_types,
            });
        }
        let mut channel = Channel::new(self.protocol, type_url);
        // The request may have been sent before the client saw what changed its parents.
        channel.warming = self.protocol == Protocol::StateOfTheWorld
            && self
                .channels
                .iter()
                .any(|c| c.has_sent() && type_url::warming_within(&c.type_url).contains(&type_url));
        let index = self
            .channels
            .partition_point(|c| (c.stage, &c.type_url) < (channel.stage, &channel.type_url));
        self.channels.insert(index, channel);
        Ok(index)
    }

    fn identify(&mut self, node: Option<NodeInfo>) -> Result<(), Refusal> {
        match (&self.node, node) {
            (None, None) => Err(Refusal::MissingNode),
            (None, Some(node)) if node.id.is_empty() => Err(Refusal::MissingNodeId),
            (None, Some(node)) => {
                self.node = Some(node);
                Ok(())
            }
            (Some(known), Some(node)) if (&node.id, &node.cluster) != (&known.id, &known.cluster) => {
                Err(Refusal::NodeChanged {
                    from: known.id.clone(),
                    to: node.id,
                })
            }
            (Some(_), _) => Ok(()),
        }
    }

    fn check_names(&self) -> Result<(), Refusal> {
        let named = self
            .channels
            .iter()
            .fold((0, 0), |(n, b), c| (n + c.names, b + c.name_bytes));
        self.check(named)
    }

    fn check(&self, (names, bytes): (usize, usize)) -> Result<(), Refusal> {
        if names > self.limits.max_names {
            return Err(Refusal::TooManyNames {
                names,
                limit: self.limits.max_names,
            });
        }
        if bytes > self.limits.max_name_bytes {
            return Err(Refusal::NamesTooLong {
                bytes,
                limit: self.limits.max_name_bytes,
            });
        }
        Ok(())
    }
}
