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
//! 2. Removed clusters, endpoints and secrets stay until all else is acknowledged.
//! 3. What a client asks for in so many words is answered without waiting for acknowledgements: it may
//!    need just that to go on. Only before a listener or a route must the clusters have been sent.

mod channel;
mod entry;
mod plan;
mod request;

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::node::NodeInfo;
use crate::resource::Resource;
use crate::snapshot::Snapshot;
use crate::type_url::{self, Stage};

use channel::Channel;
use entry::Due;
use plan::Turn;
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
    /// Names subscribed to over all types. Default 10,000.
    pub max_names: usize,
    /// Bytes of those names together. Default 2 MiB.
    pub max_name_bytes: usize,
    /// Types subscribed to. Default 32.
    pub max_types: usize,
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
    rewarm: Vec<(Arc<str>, Arc<str>)>,
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

    /// There is a new snapshot. It takes the place of the one before, also of one that was never sent.
    pub fn on_snapshot(&mut self, snapshot: Arc<Snapshot>) {
        for channel in &mut self.channels {
            channel.on_snapshot(snapshot.resources(&channel.type_url));
        }
        self.snapshot = Some(snapshot);
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
        if let Subscribe::Delta { initial_versions, .. } = &request.subscribe {
            let (names, limit) = (initial_versions.len(), self.limits.max_names);
            if names > limit {
                return Err(Refusal::TooManyNames { names, limit });
            }
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

    /// The next response to send, if there is one at `now`. To be called until it gives `None` after
    /// each request, each snapshot, and when the time of [`Self::wake_at`] has come; it need not be called
    /// while nothing can be sent.
    pub fn next_response(&mut self, now: Instant) -> Option<Response> {
        let snapshot = self.snapshot.clone()?;
        let mut in_turn = true;
        let mut all_there = true;
        // Whether the clusters have been sent as they are now, be it without an answer yet.
        let mut clusters_sent = true;
        // Whether some of them take so long to warm that the rest goes on without them.
        let mut without_warming = false;
        for i in 0..self.channels.len() {
            let target = snapshot.resources(&self.channels[i].type_url);
            self.channels[i].resolve_claim(target);
            let channel = &self.channels[i];
            if let Some(outstanding) = &channel.outstanding {
                all_there = false;
                if channel.stage == Stage::Clusters {
                    clusters_sent = outstanding.is_whole_of(target);
                    without_warming = now >= outstanding.sent_at + self.limits.warming_patience;
                }
                in_turn &= without_warming && channel.stage == Stage::Clusters;
                continue;
            }
            if channel.settled == Some(target.version()) {
                continue;
            }
            let turn = Turn {
                asks: clusters_sent || !channel.stage.routes(),
                changes: in_turn || (clusters_sent && channel.stage.is_leaf()),
                removals: in_turn && channel.stage >= Stage::Listeners,
            };
            let stage = channel.stage;
            let is_blocked = |r: &Resource| {
                self.is_blocked(&snapshot, stage, r) || (without_warming && self.names_a_cluster_to_come(&snapshot, r))
            };
            let work = channel.work(target, turn, &is_blocked, &self.limits);
            if let Some(plan) = work.plan {
                return Some(self.send(i, plan, &snapshot, now));
            }
            if turn.asks && channel.due == Due::Now {
                // Whoever asked for all there is has its answer, also when there is nothing.
                self.channels[i].due = Due::No;
            }
            if turn.changes && !work.lagging && !work.deferred {
                self.channels[i].settled = Some(target.version());
            }
            all_there &= !work.lagging;
        }
        if !(in_turn && all_there) || now < self.opened + self.limits.removal_grace {
            return None;
        }
        self.next_removal(&snapshot, now)
    }

    /// Clusters and endpoints that are gone, when nothing refers to them any more.
    fn next_removal(&mut self, snapshot: &Snapshot, now: Instant) -> Option<Response> {
        let turn = Turn {
            asks: true,
            changes: true,
            removals: true,
        };
        for i in 0..self.channels.len() {
            let channel = &self.channels[i];
            let target = snapshot.resources(&channel.type_url);
            if channel.stage >= Stage::Listeners || channel.settled == Some(target.version()) {
                continue;
            }
            let work = channel.work(
                target,
                turn,
                &|r| self.is_blocked(snapshot, channel.stage, r),
                &self.limits,
            );
            if let Some(plan) = work.plan {
                return Some(self.send(i, plan, snapshot, now));
            }
            self.channels[i].settled = Some(target.version());
        }
        None
    }

    /// When [`Self::next_response`] may have something new to say although nothing has happened.
    pub fn wake_at(&self, now: Instant) -> Option<Instant> {
        let warming = self
            .channel(type_url::CLUSTER)
            .and_then(|clusters| clusters.outstanding.as_ref());
        let patience = warming.map(|clusters| clusters.sent_at + self.limits.warming_patience);
        let removals = Some(self.opened + self.limits.removal_grace);
        [patience, removals].into_iter().flatten().filter(|at| *at > now).min()
    }

    fn send(&mut self, index: usize, plan: plan::Plan, snapshot: &Snapshot, now: Instant) -> Response {
        self.nonces += 1;
        let nonce = format!("{:x}.{}", self.id, self.nonces);
        let changed = self.channels[index].changed_by(&plan);
        // The client comes from another stream with something else; what of it changes is not known.
        let all_changed = self.channels[index].due == Due::InTurn;
        let response = self.channels[index].send(plan, nonce, snapshot, now);
        let type_url = response.type_url.clone();
        let children = type_url::warming_within(&type_url);
        match self.protocol {
            Protocol::StateOfTheWorld if all_changed || !changed.is_empty() => {
                for channel in &mut self.channels {
                    channel.warming |= children.contains(&&*channel.type_url);
                }
            }
            Protocol::StateOfTheWorld => {}
            Protocol::Delta => self.rewarm_children(children, changed, snapshot),
        }
        response
    }

    /// Envoy takes a changed cluster or listener into service only when its endpoints or routes have
    /// come once more, and in the delta variant it does not ask for names that it is subscribed to.
    fn rewarm_children(&mut self, children: &[&str], changed: Vec<Arc<Resource>>, snapshot: &Snapshot) {
        // A filter configuration is shared by the old and the new listener, and may be large.
        let sent_again = |t: &str| children.contains(&t) && t != type_url::EXTENSION;
        for parent in changed.iter().filter(|_| !children.is_empty()) {
            let mut names: Vec<(Arc<str>, Arc<str>)> = snapshot
                .references_of(parent.name())
                .iter()
                .filter(|(t, _)| sent_again(t))
                .cloned()
                .collect();
            if children.contains(&type_url::ENDPOINT) {
                // Endpoints go by the cluster's name unless it says otherwise.
                names.push((type_url::ENDPOINT.into(), parent.name().clone()));
            }
            for (type_url, name) in names {
                let waits = (type_url, name);
                if self.renew(&waits.0, &waits.1) || snapshot.resources(&waits.0).get(&waits.1).is_none() {
                    continue;
                }
                // Bounded: a client that never asks for the type would gather names for ever.
                if self.rewarm.len() < self.limits.max_names && !self.rewarm.contains(&waits) {
                    self.rewarm.push(waits);
                }
            }
        }
    }

    /// Whether the type is subscribed to; then the name will be sent again in its turn.
    fn renew(&mut self, type_url: &str, name: &str) -> bool {
        match self.channels.iter_mut().find(|c| &*c.type_url == type_url) {
            Some(channel) => {
                channel.renew(name);
                true
            }
            None => false,
        }
    }

    /// Whether a resource in this stage names something before it that the client has refused and has no
    /// older version of.
    fn is_blocked(&self, snapshot: &Snapshot, stage: Stage, resource: &Resource) -> bool {
        let references = snapshot.references_of(resource.name()).iter();
        references
            .filter(|(type_url, _)| type_url::stage(type_url) < stage)
            .any(|(type_url, name)| self.channel(type_url).is_some_and(|channel| channel.lacks(name)))
    }

    /// Whether the resource names a cluster of which the client has no version.
    fn names_a_cluster_to_come(&self, snapshot: &Snapshot, resource: &Resource) -> bool {
        let references = snapshot.references_of(resource.name()).iter();
        let mut clusters = references.filter(|(type_url, _)| &**type_url == type_url::CLUSTER);
        let channel = self.channel(type_url::CLUSTER);
        clusters.any(|(_, name)| channel.is_some_and(|channel| !channel.has_any(name)))
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
        let (names, bytes) = self
            .channels
            .iter()
            .fold((0, 0), |(n, b), c| (n + c.names, b + c.name_bytes));
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
