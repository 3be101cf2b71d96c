//! The policy itself as an executor: the same state machine that the modules run, without a host.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Action, Configured, Executor, HeaderValue, Headers, LocalReply, Metric};
use super::{Request, RequestOutcome, Response};
use crate::mesh::Features;
use crate::observability::{MetricKind, Sink};
use crate::rate_limit::{Memory, Shared, SharedRead, SharedWrite};
use crate::{Exchange, Flow, Now, Plugin, Property, Reply, View, Violation, Vm, Write};

/// A header that a filter wrote, and what it did.
pub type Written = (String, OwnedWrite);

/// [`Write`] without its borrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnedWrite {
    /// All values were replaced.
    Set(Vec<u8>),
    /// A value was added.
    Add(Vec<u8>),
    /// All values were removed.
    Remove,
}

impl From<Write<'_>> for OwnedWrite {
    fn from(write: Write<'_>) -> Self {
        match write {
            Write::Set(value) => Self::Set(value.to_vec()),
            Write::Add(value) => Self::Add(value.to_vec()),
            Write::Remove => Self::Remove,
        }
    }
}

/// One VM with one plugin. Every callback may come at any time, for any stream.
#[derive(Debug)]
pub struct Native {
    features: Features,
    vm: Vm,
    plugin: Option<Plugin>,
    streams: BTreeMap<usize, (Exchange, Stream)>,
    shared: Memory,
    unix_ms: u64,
    stats: Stats,
    writes: Vec<Written>,
    violations: Vec<Violation>,
    delay: Option<Duration>,
}

impl Native {
    /// A VM that runs these features; `seed` determines its random numbers.
    #[must_use]
    pub fn new(features: Features, seed: u64) -> Self {
        Self {
            features,
            vm: Vm::new(seed),
            plugin: None,
            streams: BTreeMap::new(),
            shared: Memory::default(),
            unix_ms: 0,
            stats: Stats::default(),
            writes: Vec::new(),
            violations: Vec::new(),
            delay: None,
        }
    }

    /// The same VM where the wall clock shows `unix_ms` milliseconds since 1970-01-01 UTC at 0 ms.
    #[must_use]
    pub fn at_unix(self, unix_ms: u64) -> Self {
        Self { unix_ms, ..self }
    }

    /// What the latest request or response callback wrote, in order.
    #[must_use]
    pub fn writes(&self) -> &[Written] {
        &self.writes
    }

    /// How long the latest request is to wait; `None`: it was not paused.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.delay
    }

    /// The delay of a stream is over: the answer that it gets, or it goes on.
    pub fn resume(&mut self, stream: usize) -> Option<LocalReply> {
        let (exchange, _) = self.streams.get_mut(&stream)?;
        exchange.on_resume().as_ref().map(local_reply)
    }

    /// What was wrong with the latest plugin configuration, or with a policy that the latest request met first.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

/// What the host would show of one stream.
#[derive(Debug, Default)]
struct Stream {
    properties: BTreeMap<&'static [&'static str], Vec<u8>>,
    request: Headers,
    response: Headers,
}

impl Stream {
    fn set(&mut self, property: Property, value: Option<Vec<u8>>) {
        if let Some(value) = value {
            self.properties.insert(property.path(), value);
        }
    }
}

impl View for Stream {
    type Value<'a> = &'a [u8];

    fn request_header(&self, name: &str) -> Option<&[u8]> {
        first(&self.request, name)
    }

    fn response_header(&self, name: &str) -> Option<&[u8]> {
        first(&self.response, name)
    }

    fn property(&self, property: Property) -> Option<&[u8]> {
        self.properties.get(property.path()).map(Vec::as_slice)
    }
}

fn local_reply(reply: &Reply<'_>) -> LocalReply {
    let mut headers = BTreeMap::new();
    reply.for_each_header(|name, value| {
        headers.insert(name.to_owned(), String::from_utf8_lossy(value).into_owned());
    });
    LocalReply {
        status: reply.status,
        headers,
    }
}

fn at(at_ms: u64, unix_ms: u64) -> Now {
    Now {
        monotonic: Duration::from_millis(at_ms),
        unix: Duration::from_millis(unix_ms.saturating_add(at_ms)),
    }
}

/// A stream with what its worker shares with others.
struct Host<'a> {
    stream: &'a Stream,
    shared: &'a Memory,
}

impl View for Host<'_> {
    type Value<'a>
        = &'a [u8]
    where
        Self: 'a;

    fn request_header(&self, name: &str) -> Option<&[u8]> {
        self.stream.request_header(name)
    }

    fn response_header(&self, name: &str) -> Option<&[u8]> {
        self.stream.response_header(name)
    }

    fn property(&self, property: Property) -> Option<&[u8]> {
        self.stream.property(property)
    }
}

impl Shared for Host<'_> {
    type Value<'a>
        = Vec<u8>
    where
        Self: 'a;

    fn get(&self, key: &[u8]) -> SharedRead<Vec<u8>> {
        self.shared.get(key)
    }

    fn set(&self, key: &[u8], value: &[u8], cas: u32) -> SharedWrite {
        self.shared.set(key, value, cas)
    }
}

fn first<'h>(headers: &'h Headers, name: &str) -> Option<&'h [u8]> {
    headers
        .iter()
        .find(|(header, _)| header == name)
        .map(|(_, value)| value.0.as_slice())
}

fn apply(headers: &mut Headers, writes: &[Written]) {
    for (name, write) in writes {
        if !matches!(write, OwnedWrite::Add(_)) {
            headers.retain(|(header, _)| header != name);
        }
        if let OwnedWrite::Set(value) | OwnedWrite::Add(value) = write {
            headers.push((name.clone(), HeaderValue(value.clone())));
        }
    }
}

#[derive(Debug, Default)]
struct Stats {
    metrics: Vec<(String, Metric)>,
}

impl Sink for Stats {
    fn define(&mut self, kind: MetricKind, name: &str) -> Option<u32> {
        let metric = match kind {
            MetricKind::DurationMilliseconds => Metric::Histogram(Vec::new()),
            _ => Metric::Counter(0),
        };
        self.metrics.push((name.to_owned(), metric));
        u32::try_from(self.metrics.len() - 1).ok()
    }

    fn add(&mut self, id: u32, amount: u64) {
        let metric = &mut self.metrics[id as usize];
        assert!(matches!(metric.1, Metric::Counter(_)), "{} is no counter", metric.0);
        metric.1.add(&Metric::Counter(amount));
    }

    fn record(&mut self, id: u32, sample: u64) {
        let metric = &mut self.metrics[id as usize];
        assert!(matches!(metric.1, Metric::Histogram(_)), "{} is no histogram", metric.0);
        metric.1.add(&Metric::Histogram(vec![sample]));
    }
}

impl Executor for Native {
    fn configure(&mut self, _: u64, plugin: &[u8]) -> Configured {
        match Plugin::configure(plugin, self.features, &mut self.vm) {
            Ok(plugin) => {
                self.plugin = Some(plugin);
                self.violations.clear();
                Configured::Accepted
            }
            Err(violations) => {
                self.violations = violations;
                Configured::Rejected
            }
        }
    }

    fn request(&mut self, at_ms: u64, stream: usize, request: &Request) -> RequestOutcome {
        let now = at(at_ms, self.unix_ms);
        let (exchange, view) = self.streams.entry(stream).or_default();
        let bytes = |text: &Option<String>| text.as_ref().map(|text| text.clone().into_bytes());
        view.request.clone_from(&request.headers);
        view.set(Property::RouteName, bytes(&request.route));
        view.set(Property::SourceAddress, bytes(&request.source));
        view.set(Property::PeerIdentity, bytes(&request.identity));
        let policy = request.policy.as_ref().map(|policy| policy.0.clone());
        view.set(Property::RoutePolicy, policy);
        self.writes.clear();
        self.violations.clear();
        self.delay = None;
        let mut action = Action::Continue;
        if let Some(plugin) = &mut self.plugin {
            let host = Host {
                stream: view,
                shared: &self.shared,
            };
            let mut effects = exchange.on_request(plugin, &mut self.vm, &host, now);
            self.violations = std::mem::take(&mut effects.invalid_policy);
            match &effects.flow {
                Flow::Continue => {}
                Flow::Delay(delay) => {
                    self.delay = Some(*delay);
                    action = Action::Paused;
                }
                Flow::Reply(reply) => action = Action::LocalReply(local_reply(reply)),
            }
            if !matches!(action, Action::LocalReply(_)) {
                effects.for_each_write(|name, write| self.writes.push((name.to_owned(), write.into())));
            }
        }
        apply(&mut view.request, &self.writes);
        RequestOutcome {
            headers: view.request.clone(),
            action,
        }
    }

    fn response(&mut self, at_ms: u64, stream: usize, response: &Response) -> Headers {
        let now = at(at_ms, self.unix_ms);
        let (exchange, view) = self.streams.entry(stream).or_default();
        view.response.clone_from(&response.headers);
        let attempts = response.attempts.map(|count| count.to_le_bytes().to_vec());
        view.set(Property::AttemptCount, attempts);
        let cluster = response.cluster.as_ref().map(|name| name.clone().into_bytes());
        view.set(Property::ClusterName, cluster);
        for (property, number) in [
            (Property::GrpcStatus, response.grpc_status),
            (Property::RequestBytes, response.request_bytes),
            (Property::ResponseBytes, response.response_bytes),
        ] {
            view.set(property, number.map(|number| number.to_le_bytes().to_vec()));
        }
        self.writes.clear();
        exchange
            .on_response(&mut self.vm, view, now)
            .for_each_write(|name, write| self.writes.push((name.to_owned(), write.into())));
        apply(&mut view.response, &self.writes);
        view.response.clone()
    }

    fn end(&mut self, at_ms: u64, stream: usize) {
        let now = at(at_ms, self.unix_ms);
        if let Some((mut exchange, view)) = self.streams.remove(&stream) {
            // What it tells access logs is the host's to show.
            let _ = exchange.on_end(&mut self.vm, &view, now);
        }
    }

    fn tick(&mut self, _: u64) {
        self.vm.ledger.flush(&mut self.stats);
    }

    fn metrics(&mut self) -> Vec<(String, Metric)> {
        self.stats.metrics.clone()
    }
}
