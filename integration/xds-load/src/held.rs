//! What a simulated proxy holds and asks for: the names that its clusters and listeners refer to, and the versions it has.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use envoy_types::pb::envoy::config::listener::v3::{filter::ConfigType, Listener};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    http_connection_manager::RouteSpecifier, http_filter::ConfigType as HttpConfigType, HttpConnectionManager,
};
use ferromesh_xds::type_url::{CLUSTER, ENDPOINT, EXTENSION, LISTENER, ROUTE};
use prost::Message;

use crate::stamp::Stamp;

/// `Cluster.type` of a cluster whose endpoints come by EDS.
const BY_EDS: i32 = 3;

/// A cluster as far as its endpoints are concerned.
#[derive(Clone, PartialEq, Message)]
struct Cluster {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "2")]
    kind: i32,
    #[prost(message, optional, tag = "3")]
    by_eds: Option<ByEds>,
}

#[derive(Clone, PartialEq, Message)]
struct ByEds {
    #[prost(string, tag = "2")]
    service_name: String,
}

/// One type's share.
#[derive(Clone, Debug, Default)]
pub struct Subscription {
    /// Names asked for; empty where everything is.
    pub names: Vec<String>,
    known: HashSet<String>,
    /// Version of each resource, in the delta variant; empty texts in the other.
    pub versions: HashMap<String, String>,
    /// Version of the last response, in the state-of-the-world variant.
    pub version: String,
    is_answered: bool,
}

impl Subscription {
    fn add(&mut self, name: String) -> bool {
        let is_new = self.known.insert(name.clone());
        if is_new {
            self.names.push(name);
        }
        is_new
    }

    fn drop_name(&mut self, name: &str) -> bool {
        self.versions.remove(name);
        self.names.retain(|known| known != name);
        self.known.remove(name)
    }

    fn is_complete(&self) -> bool {
        self.is_answered && self.names.iter().all(|name| self.versions.contains_key(name))
    }
}

/// Everything that one proxy holds. It outlives a connection.
#[derive(Clone, Debug, Default)]
pub struct Held {
    types: BTreeMap<&'static str, Subscription>,
    /// Under which names clusters have their endpoints.
    services: HashMap<String, String>,
    /// The newest change that has come as a whole.
    newest: Option<Stamp>,
    /// Changes of which some resources have come.
    begun: BTreeMap<Stamp, usize>,
}

/// Names of a type that are to be asked for, or no more.
#[derive(Debug, Default)]
pub struct Wanted {
    pub added: Vec<String>,
    pub dropped: Vec<String>,
}

/// A resource that arrived: its name where the response says it, its version in the delta variant, its bytes.
pub struct Arrived {
    pub name: String,
    pub version: String,
    pub value: Bytes,
}

impl Held {
    /// The types that are asked for, in the order of a first connection.
    pub fn types(&self) -> impl Iterator<Item = (&'static str, &Subscription)> {
        self.types
            .iter()
            .map(|(type_url, subscription)| (*type_url, subscription))
    }

    /// One type's share.
    pub fn of(&mut self, type_url: &'static str) -> &mut Subscription {
        self.types.entry(type_url).or_default()
    }

    /// Whether everything that was asked for has come.
    pub fn is_complete(&self) -> bool {
        let begun = |type_url| self.types.get(type_url).is_some_and(Subscription::is_complete);
        begun(CLUSTER) && begun(LISTENER) && self.types.values().all(Subscription::is_complete)
    }

    /// Clusters or listeners that a full state has no more.
    pub fn missing(&self, type_url: &'static str, arrived: &[Arrived]) -> Vec<String> {
        let is_full = type_url == CLUSTER || type_url == LISTENER;
        let Some(own) = self.types.get(type_url).filter(|_| is_full) else {
            return Vec::new();
        };
        let there: HashSet<&str> = arrived.iter().map(|resource| resource.name.as_str()).collect();
        let gone = own.versions.keys().filter(|name| !there.contains(name.as_str()));
        gone.cloned().collect()
    }

    /// Takes a response, and gives what is to be asked for by type, and what no more.
    pub fn take(
        &mut self,
        type_url: &'static str,
        arrived: Vec<Arrived>,
        removed: &[String],
    ) -> BTreeMap<&'static str, Wanted> {
        let mut wanted: BTreeMap<&'static str, Wanted> = BTreeMap::new();
        for resource in &arrived {
            let named: Vec<(&'static str, String)> = match type_url {
                CLUSTER => match endpoints_of(&resource.value) {
                    Some(service) => {
                        self.services.insert(resource.name.clone(), service.clone());
                        vec![(ENDPOINT, service)]
                    }
                    None => Vec::new(),
                },
                LISTENER => of_listener(&resource.value),
                _ => Vec::new(),
            };
            for (of, name) in named {
                if self.of(of).add(name.clone()) {
                    wanted.entry(of).or_default().added.push(name);
                }
            }
        }
        let own = self.of(type_url);
        own.is_answered = true;
        for name in removed {
            own.versions.remove(name);
        }
        own.versions
            .extend(arrived.into_iter().map(|resource| (resource.name, resource.version)));
        if type_url == CLUSTER {
            for name in removed {
                let Some(service) = self.services.remove(name) else {
                    continue;
                };
                let is_shared = self.services.values().any(|other| *other == service);
                if !is_shared && self.of(ENDPOINT).drop_name(&service) {
                    wanted.entry(ENDPOINT).or_default().dropped.push(service);
                }
            }
        }
        wanted
    }

    /// The changes that have come as a whole with this response, newer than any before: each is counted once. `parts` says how
    /// many resources a change has.
    pub fn news(&mut self, arrived: &[Arrived], parts: impl Fn(Stamp) -> usize) -> Vec<Stamp> {
        let before = self.newest;
        for stamp in arrived.iter().flat_map(|one| Stamp::find_all(&one.value)) {
            if Some(stamp) > before {
                *self.begun.entry(stamp).or_default() += 1;
            }
        }
        let whole = self.begun.iter().filter(|(stamp, count)| **count >= parts(**stamp));
        let whole: Vec<Stamp> = whole.map(|(stamp, _)| *stamp).collect();
        self.newest = whole.last().copied().or(before);
        self.begun.retain(|stamp, _| Some(*stamp) > self.newest);
        whole
    }
}

fn endpoints_of(cluster: &[u8]) -> Option<String> {
    let cluster = Cluster::decode(cluster).ok().filter(|cluster| cluster.kind == BY_EDS)?;
    let service = cluster.by_eds.map(|by| by.service_name).unwrap_or_default();
    Some(if service.is_empty() { cluster.name } else { service })
}

/// Route tables and filter configurations that a listener names.
fn of_listener(listener: &[u8]) -> Vec<(&'static str, String)> {
    let Ok(listener) = Listener::decode(listener) else {
        return Vec::new();
    };
    let chains = listener.filter_chains.iter().chain(&listener.default_filter_chain);
    let managers = chains
        .flat_map(|chain| &chain.filters)
        .filter_map(|filter| match &filter.config_type {
            Some(ConfigType::TypedConfig(any)) if any.type_url.ends_with(".HttpConnectionManager") => {
                HttpConnectionManager::decode(any.value.as_slice()).ok()
            }
            _ => None,
        });
    let mut named = Vec::new();
    for manager in managers {
        if let Some(RouteSpecifier::Rds(rds)) = &manager.route_specifier {
            named.push((ROUTE, rds.route_config_name.clone()));
        }
        for filter in &manager.http_filters {
            if let Some(HttpConfigType::ConfigDiscovery(_)) = &filter.config_type {
                named.push((EXTENSION, filter.name.clone()));
            }
        }
    }
    named
}
