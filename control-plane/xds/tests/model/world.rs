//! What a snapshot may look like: clusters, their endpoints, routes that name clusters, listeners.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use ferromesh_xds::{Reference, Snapshot};
use proptest::prelude::*;

pub use ferromesh_xds::type_url::{CLUSTER, ENDPOINT, LISTENER, ROUTE};

#[derive(Debug, Clone)]
pub struct World {
    /// Name to content.
    pub clusters: BTreeMap<u8, u8>,
    pub endpoints: BTreeMap<u8, u8>,
    /// Name to cluster and content.
    pub routes: BTreeMap<u8, (u8, u8)>,
    pub listeners: BTreeMap<u8, u8>,
    /// Mixed into every content.
    pub generation: u8,
}

impl World {
    pub fn any() -> impl Strategy<Value = Self> {
        let contents = || prop::collection::btree_map(0..4u8, 0..3u8, 0..4);
        let routes = prop::collection::btree_map(0..4u8, (any::<prop::sample::Index>(), 0..3u8), 0..4);
        (contents(), contents(), routes, contents()).prop_map(|(clusters, mut endpoints, routes, listeners)| {
            let names: Vec<u8> = clusters.keys().copied().collect();
            endpoints.retain(|name, _| clusters.contains_key(name));
            let to = |(i, c): (prop::sample::Index, u8)| (!names.is_empty()).then(|| (*i.get(&names), c));
            let routes = routes
                .into_iter()
                .filter_map(|(name, route)| Some((name, to(route)?)))
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
        self.listeners.insert(9, 0);
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
        all.extend(plain(LISTENER, &self.listeners));
        all.extend(routes);
        all.into_iter().collect()
    }

    pub fn seal(&self) -> Arc<Snapshot> {
        let resources = self
            .contents()
            .into_iter()
            .map(|((type_url, name), value)| (type_url, name, value));
        let references = self
            .routes
            .iter()
            .map(|(n, (to, _))| Reference::new(CLUSTER, to.to_string(), n.to_string()));
        Arc::new(Snapshot::seal(resources, references).unwrap())
    }
}
