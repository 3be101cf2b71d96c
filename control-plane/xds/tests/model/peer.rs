//! A simulated client with its stream, and the rules of the protocol.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use ferromesh_xds::stream::{Limits, Rejection, Request, Response, Stream, Subscribe};
use ferromesh_xds::NodeInfo;
use proptest::prelude::*;

use crate::listeners::Listeners;
use crate::view::{is_full, value, Held, Verdict, View, TYPES};
use crate::world::{read, World, CLUSTER, ENDPOINT, LISTENER, ROUTE};
pub use ferromesh_xds::stream::Protocol;

/// Little patience, so that the histories are long enough to exhaust it.
fn limits() -> Limits {
    let warming_patience = Duration::from_millis(500);
    Limits {
        warming_patience,
        ..Limits::default()
    }
}

pub struct Peer {
    pub protocol: Protocol,
    stream: Stream,
    streams: u64,
    now: Instant,
    up: VecDeque<Request>,
    down: VecDeque<Response>,
    /// Nobody tells a client of the state of the world that a route table is gone: what it has of one
    /// that was sent before counts for nothing.
    gone: BTreeMap<String, u64>,
    clock: u64,
    sent_at: BTreeMap<String, u64>,
    /// When a name was last asked for in so many words.
    asked_at: BTreeMap<(String, String), u64>,
    routes_from: BTreeMap<String, u64>,
    pub views: BTreeMap<&'static str, View>,
    pub listeners: Listeners,
    world: Option<World>,
    /// Type and name to the refused version.
    refused: BTreeMap<(String, String), String>,
    refused_states: BTreeMap<String, String>,
    /// Removals that the client refused: they come again only with something else.
    pub refused_removals: BTreeSet<(String, String)>,
    /// Endpoints that may come once more, because their cluster has changed.
    warming: BTreeSet<String>,
    has_rejected: bool,
    /// A client of the state of the world that comes from another server: this one does not know what it has, and
    /// cannot keep a cluster for it.
    is_unknown: bool,
}

impl Peer {
    pub fn new(protocol: Protocol) -> Self {
        let now = Instant::now();
        let mut peer = Self {
            protocol,
            stream: Stream::new(protocol, 0, limits(), now),
            streams: 0,
            now,
            up: VecDeque::new(),
            down: VecDeque::new(),
            gone: BTreeMap::new(),
            clock: 0,
            sent_at: BTreeMap::new(),
            asked_at: BTreeMap::new(),
            routes_from: BTreeMap::new(),
            views: TYPES.map(|t| (t, View::default())).into(),
            listeners: Listeners::default(),
            world: None,
            refused: BTreeMap::new(),
            refused_states: BTreeMap::new(),
            refused_removals: BTreeSet::new(),
            warming: BTreeSet::new(),
            has_rejected: false,
            is_unknown: false,
        };
        peer.hello();
        peer
    }

    pub fn publish(&mut self, world: &World) {
        self.clock += 1;
        for name in (0..10).filter(|name| !world.routes.contains_key(name)) {
            self.gone.insert(name.to_string(), self.clock);
        }
        self.world = Some(world.clone());
        self.stream.on_snapshot(world.seal());
    }

    pub fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }

    /// The first requests of a stream, all at once, as Envoy sends them.
    fn hello(&mut self) {
        self.up.clear();
        for type_url in TYPES {
            let view = &self.views[type_url];
            if !is_full(type_url) && view.names.is_empty() {
                continue;
            }
            let names: Vec<String> = view.names.iter().cloned().collect();
            let subscribe = match self.protocol {
                Protocol::StateOfTheWorld => Subscribe::StateOfTheWorld {
                    version: view.version.clone(),
                    names,
                },
                Protocol::Delta => Subscribe::Delta {
                    subscribe: names,
                    unsubscribe: vec![],
                    initial_versions: view.held.iter().map(|(n, (v, _))| (n.clone(), v.clone())).collect(),
                },
            };
            self.request(type_url, None, subscribe);
        }
    }

    /// The stream breaks, and all that is under way is lost. `forgets`: it is another server that the client comes to.
    pub fn reconnect(&mut self, forgets: bool) -> Result<(), TestCaseError> {
        self.streams += 1;
        self.listeners.is_unknown = true;
        let holdings = self.stream.holdings();
        self.stream = Stream::new(self.protocol, self.streams, limits(), self.now);
        if !forgets {
            self.stream.recall(holdings);
        }
        if let Some(world) = &self.world {
            self.stream.on_snapshot(world.seal());
        }
        self.down.clear();
        self.views.values_mut().for_each(|v| v.nonce.clear());
        self.refused.clear();
        self.refused_states.clear();
        self.refused_removals.clear();
        self.is_unknown |= forgets && self.protocol == Protocol::StateOfTheWorld;
        self.hello();
        self.up(usize::MAX)
    }

    pub fn subscribe(&mut self, type_url: &'static str, name: u8) {
        let name = name.to_string();
        let view = self.views.get_mut(type_url).unwrap();
        if view.names.insert(name.clone()) {
            self.change(type_url, vec![name], vec![]);
        }
    }

    pub fn unsubscribe(&mut self, type_url: &'static str, name: u8) {
        let name = name.to_string();
        let view = self.views.get_mut(type_url).unwrap();
        if view.names.remove(&name) {
            view.held.remove(&name);
            self.change(type_url, vec![], vec![name]);
        }
    }

    fn change(&mut self, type_url: &'static str, subscribe: Vec<String>, unsubscribe: Vec<String>) {
        let subscribe = match self.protocol {
            Protocol::StateOfTheWorld => self.all_of(type_url),
            Protocol::Delta => Subscribe::Delta {
                subscribe,
                unsubscribe,
                initial_versions: Default::default(),
            },
        };
        // Only the state of the world repeats the nonce.
        self.request(type_url, None, subscribe);
    }

    fn all_of(&self, type_url: &str) -> Subscribe {
        let view = &self.views[type_url];
        let names = view.names.iter().cloned().collect();
        Subscribe::StateOfTheWorld {
            version: view.version.clone(),
            names,
        }
    }

    fn request(&mut self, type_url: &str, answer: Option<(String, Option<Rejection>)>, subscribe: Subscribe) {
        let (nonce, rejection) = answer.unwrap_or_else(|| match self.protocol {
            Protocol::StateOfTheWorld => (self.views[type_url].nonce.clone(), None),
            Protocol::Delta => (String::new(), None),
        });
        let node = Some(NodeInfo {
            id: "n".into(),
            ..NodeInfo::default()
        });
        self.up.push_back(Request {
            node,
            type_url: type_url.into(),
            nonce,
            rejection,
            subscribe,
        });
    }

    /// Requests reach the server.
    pub fn up(&mut self, n: usize) -> Result<(), TestCaseError> {
        for _ in 0..n {
            let Some(request) = self.up.pop_front() else { break };
            // What a client asks for, it may be sent, be it refused before.
            if let Subscribe::Delta { subscribe, .. } = &request.subscribe {
                self.clock += 1;
                for name in subscribe {
                    self.asked_at
                        .insert((request.type_url.clone(), name.clone()), self.clock);
                    self.refused.remove(&(request.type_url.clone(), name.clone()));
                }
            }
            self.stream
                .on_request(request)
                .map_err(|e| TestCaseError::fail(e.to_string()))?;
            self.pump()?;
        }
        Ok(())
    }

    /// The server sends what it has.
    pub fn pump(&mut self) -> Result<(), TestCaseError> {
        loop {
            let before: BTreeSet<String> = self.stream.outstanding().map(|(t, _)| t.to_string()).collect();
            let Some(response) = self.stream.next_response(self.now) else {
                return Ok(());
            };
            prop_assert!(!before.contains(&*response.type_url), "two under way: {response:?}");
            self.check_sent(&response)?;
            self.clock += 1;
            self.sent_at.insert(response.nonce.clone(), self.clock);
            self.down.push_back(response);
        }
    }

    fn check_sent(&mut self, response: &Response) -> Result<(), TestCaseError> {
        let mut seen = BTreeSet::new();
        let names = response
            .resources
            .iter()
            .map(|r| r.name())
            .chain(response.removed.iter().flatten());
        for name in names {
            prop_assert!(seen.insert(name.clone()), "{name} comes twice");
        }
        let type_url = response.type_url.to_string();
        if type_url == LISTENER && !self.is_unknown {
            let world = self.world.as_ref().unwrap();
            let change = self.listeners.change(response);
            change.loses_nothing(&self.listeners, &self.views[LISTENER].held, world)?;
        }
        if is_full(&type_url) && self.protocol == Protocol::StateOfTheWorld {
            let refused = self.refused_states.remove(&type_url);
            prop_assert!(
                refused.as_ref() != Some(&response.version),
                "refused before: {response:?}"
            );
            return Ok(());
        }
        let gone = response
            .removed
            .iter()
            .flatten()
            .map(|name| (type_url.clone(), name.to_string()));
        gone.for_each(|key| drop(self.refused.remove(&key)));
        for resource in &response.resources {
            let key = (type_url.clone(), resource.name().to_string());
            let version = resource.version().to_string();
            if type_url == CLUSTER {
                // Its endpoints warm again, whatever is said of them.
                self.warming.insert(key.1.clone());
            }
            let mut refused = self.refused.remove(&key);
            if type_url == ENDPOINT && self.warming.remove(&key.1) {
                refused = None;
            }
            // A state-of-the-world client asks for a name by listing it after it was not listed; that
            // is not followed here.
            if self.protocol == Protocol::Delta {
                prop_assert!(refused.as_ref() != Some(&version), "refused before: {resource:?}");
            }
        }
        Ok(())
    }

    /// Responses reach the client.
    pub fn down(&mut self, n: usize, verdict: Verdict) -> Result<(), TestCaseError> {
        let reject = verdict != Verdict::Take;
        for _ in 0..n {
            let Some(response) = self.down.pop_front() else { break };
            let type_url = TYPES.into_iter().find(|t| *t == &*response.type_url).unwrap();
            self.views.get_mut(type_url).unwrap().nonce.clone_from(&response.nonce);
            if type_url == LISTENER {
                self.listeners.apply(&response, verdict);
                self.listeners.check_ports()?;
            }
            let rejection = reject.then(|| Rejection {
                code: 3,
                message: "no".into(),
            });
            if reject {
                self.has_rejected |= type_url != LISTENER;
                self.refused_states.insert(type_url.into(), response.version.clone());
                for r in &response.resources {
                    let key = (type_url.to_owned(), r.name().to_string());
                    // Unless it was asked for since.
                    if self.asked_at.get(&key) <= self.sent_at.get(&response.nonce) {
                        self.refused.insert(key, r.version().to_string());
                    }
                }
                let removed = response.removed.iter().flatten();
                self.refused_removals
                    .extend(removed.map(|n| (type_url.to_owned(), n.to_string())));
            } else {
                self.accept(type_url, &response);
                self.check_references()?;
            }
            let subscribe = match self.protocol {
                Protocol::StateOfTheWorld => self.all_of(type_url),
                Protocol::Delta => Subscribe::Delta {
                    subscribe: vec![],
                    unsubscribe: vec![],
                    initial_versions: Default::default(),
                },
            };
            self.request(type_url, Some((response.nonce, rejection)), subscribe);
        }
        Ok(())
    }

    fn accept(&mut self, type_url: &str, response: &Response) {
        let full = is_full(type_url);
        let view = self.views.get_mut(type_url).unwrap();
        if type_url == ROUTE {
            let sent_at = self.sent_at[&response.nonce];
            self.routes_from
                .extend(response.resources.iter().map(|r| (r.name().to_string(), sent_at)));
        }
        let news: Held = response
            .resources
            .iter()
            .map(|r| (r.name().to_string(), (r.version().to_string(), value(r))))
            .filter(|(name, _)| full || view.names.contains(name))
            .collect();
        match self.protocol {
            Protocol::StateOfTheWorld if full => view.held = news,
            Protocol::StateOfTheWorld | Protocol::Delta => view.held.extend(news),
        }
        for name in response.removed.iter().flatten() {
            view.held.remove(&**name);
        }
        view.version.clone_from(&response.version);
    }

    /// Make before break: a route that the client has never names a cluster that it does not have.
    fn check_references(&self) -> Result<(), TestCaseError> {
        if self.has_rejected || self.is_unknown {
            return Ok(());
        }
        for (name, (_, value)) in &self.views[ROUTE].held {
            let is_gone = self.gone.get(name) > self.routes_from.get(name);
            let exists = self.views[CLUSTER].held.contains_key(&value[0].to_string());
            let tells = self.protocol == Protocol::Delta;
            prop_assert!(
                exists || (is_gone && !tells),
                "{:?}: route {name} names {}",
                self.protocol,
                value[0]
            );
        }
        for (name, (_, value)) in &self.views[LISTENER].held {
            let cluster = read(value).cluster;
            prop_assert!(
                !self.listeners.serves(name) || self.views[CLUSTER].held.contains_key(&cluster),
                "{:?}: listener {name} names {cluster}",
                self.protocol,
            );
        }
        Ok(())
    }

    /// Everything is delivered and accepted until nothing happens any more.
    pub fn settle(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..200 {
            self.up(usize::MAX)?;
            self.pump()?;
            self.down(usize::MAX, Verdict::Take)?;
            self.pass(300);
        }
        prop_assert!(self.up.is_empty() && self.down.is_empty(), "it does not end");
        prop_assert_eq!(self.stream.outstanding().count(), 0);
        Ok(())
    }
}
