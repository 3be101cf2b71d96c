//! What a snapshot may look like: clusters, their endpoints, routes that name clusters, listeners.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3 as core;
use envoy_types::pb::envoy::config::listener::v3::Listener;
use ferromesh_xds::{Reference, Snapshot};
use proptest::prelude::*;
use prost::Message as _;

pub use ferromesh_xds::type_url::{CLUSTER, ENDPOINT, LISTENER, ROUTE};

#[derive(Debug, Clone)]
pub struct World {
    /// Name to content.
    pub clusters: BTreeMap<u8, u8>,
    pub endpoints: BTreeMap<u8, u8>,
    /// Name to cluster and content.
    pub routes: BTreeMap<u8, (u8, u8)>,
    /// Name to cluster and content.
    pub listeners: BTreeMap<u8, (u8, u8)>,
    /// Mixed into every content.
    pub generation: u8,
}

impl World {
    pub fn any() -> impl Strategy<Value = Self> {
        let contents = || prop::collection::btree_map(0..4u8, 0..3u8, 0..4);
        let index = any::<prop::sample::Index>;
        let routes = prop::collection::btree_map(0..4u8, (index(), 0..3u8), 0..4);
        let listeners = prop::collection::btree_map(0..6u8, (index(), 0..3u8), 0..4);
        (contents(), contents(), routes, listeners).prop_map(|(clusters, mut endpoints, routes, listeners)| {
            let names: Vec<u8> = clusters.keys().copied().collect();
            endpoints.retain(|name, _| clusters.contains_key(name));
            let to = |i: prop::sample::Index| (!names.is_empty()).then(|| *i.get(&names));
            let routes = routes
                .into_iter()
                .filter_map(|(name, (i, content))| Some((name, (to(i)?, content))))
                .collect();
            let mut ports = BTreeSet::new();
            let listeners = listeners
                .into_iter()
                .filter(|(name, _)| ports.insert(port_of(*name)))
                .filter_map(|(name, (i, content))| Some((name, (to(i)?, content))))
                .collect();
            Self {
                clusters,
                endpoints,
                routes,
                listeners,
                generation: 0,
            }
        })
    }

    /// The same with contents, and states of clusters and listeners, that were never seen before.
    pub fn renewed(mut self) -> Self {
        self.generation = 1;
        self.clusters.insert(9, 0);
        self.listeners.insert(9, (9, 0));
        self
    }

    /// Everything, by type and name.
    pub fn contents(&self) -> BTreeMap<(&'static str, String), Bytes> {
        let plain = |type_url, of: &BTreeMap<u8, u8>| -> Vec<((&'static str, String), Bytes)> {
            of.iter()
                .map(|(n, c)| ((type_url, n.to_string()), Bytes::from(vec![*c, self.generation])))
                .collect()
        };
        let routes = self
            .routes
            .iter()
            .map(|(n, (to, c))| ((ROUTE, n.to_string()), Bytes::from(vec![*to, *c, self.generation])));
        let mut all = plain(CLUSTER, &self.clusters);
        all.extend(plain(ENDPOINT, &self.endpoints));
        let listeners = self.listeners.iter();
        let at = |n: &u8, to: &u8, c: &u8| listener(*to, port_of(*n), *c, self.generation);
        all.extend(listeners.map(|(n, (to, c))| ((LISTENER, n.to_string()), at(n, to, c))));
        all.extend(routes);
        all.into_iter().collect()
    }

    pub fn listener(&self, name: &str) -> Option<Bytes> {
        let name = name.parse().ok()?;
        let (to, content) = self.listeners.get(&name)?;
        Some(listener(*to, port_of(name), *content, self.generation))
    }

    pub fn seal(&self) -> Arc<Snapshot> {
        let resources = self
            .contents()
            .into_iter()
            .map(|((type_url, name), value)| (type_url, name, value));
        let routes = self.routes.iter().map(|(n, (to, _))| (n, to));
        let listeners = self.listeners.iter().map(|(n, (to, _))| (n, to));
        let references = routes
            .chain(listeners)
            .map(|(n, to)| Reference::new(CLUSTER, to.to_string(), n.to_string()));
        Arc::new(Snapshot::seal(resources, references).unwrap())
    }
}

/// Of a listener. As in App Mesh, one that changes its port is another one; two names share a port.
fn port_of(name: u8) -> u8 {
    80 + name / 2
}

fn listener(to: u8, port: u8, content: u8, generation: u8) -> Bytes {
    let socket = core::SocketAddress {
        address: "0.0.0.0".into(),
        port_specifier: Some(core::socket_address::PortSpecifier::PortValue(port.into())),
        ..Default::default()
    };
    let listener = Listener {
        name: to.to_string(),
        address: Some(core::Address {
            address: Some(core::address::Address::SocketAddress(socket)),
        }),
        stat_prefix: format!("{content}-{generation}"),
        ..Default::default()
    };
    listener.encode_to_vec().into()
}

/// What a listener says.
#[derive(Debug, PartialEq, Eq)]
pub struct Read {
    pub cluster: String,
    pub port: u32,
}

pub fn read(listener: &[u8]) -> Read {
    let listener = Listener::decode(listener).unwrap();
    let Some(core::address::Address::SocketAddress(socket)) = listener.address.and_then(|a| a.address) else {
        panic!("a listener without an address");
    };
    let Some(core::socket_address::PortSpecifier::PortValue(port)) = socket.port_specifier else {
        panic!("a listener without a port");
    };
    Read {
        cluster: listener.name,
        port,
    }
}
