//! Tasks that stand in the registry: which of them a cluster means, and where they are.
//!
//! Lowering only writes down the question ([`Query`]), so that a task that comes or goes changes nothing but its answer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use ferromesh_model::registry::{Absent, Directory, Instance};

use crate::cluster::{AddressFamily, Cluster, ClusterId, Discovery};
use crate::lint::Code;
use crate::{Lint, Proxy};

/// Which tasks are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// Namespace.
    pub namespace: String,
    /// Service.
    pub service: String,
    /// Attributes that a task must all have, with just these values.
    pub attributes: Vec<(String, String)>,
    /// Port at which the tasks are called: that of the virtual node's listener, which is the only one whose traffic their
    /// proxies take.
    pub port: u16,
    /// Which of a task's addresses is called. A task without one is left out.
    pub family: AddressFamily,
}

impl Query {
    /// The name by which the service goes: `service.namespace`.
    pub fn host(&self) -> String {
        format!("{}.{}", self.service, self.namespace)
    }

    /// Where the tasks are, in the order of their addresses.
    ///
    /// # Errors
    /// The service is not registered.
    pub fn tasks(&self, directory: &Directory) -> Result<Vec<SocketAddr>, Absent> {
        let available = directory.available(&self.namespace, &self.service)?;
        let wanted = available.filter(|instance| {
            let attributes = self.attributes.iter();
            instance.has_all(attributes.map(|(key, value)| (key.as_str(), value.as_str())))
        });
        let addresses = wanted.filter_map(|instance| address(instance, self.family));
        // One address is one task, however often it is registered.
        let addresses: BTreeSet<SocketAddr> = addresses.map(|ip| SocketAddr::new(ip, self.port)).collect();
        Ok(addresses.into_iter().collect())
    }
}

fn address(instance: &Instance, family: AddressFamily) -> Option<IpAddr> {
    let v4 = || instance.ipv4().map(IpAddr::from);
    let v6 = || instance.ipv6().map(IpAddr::from);
    match family {
        AddressFamily::Auto => v6().or_else(v4),
        AddressFamily::V4Only => v4(),
        AddressFamily::V6Only => v6(),
        AddressFamily::V4Preferred => v4().or_else(v6),
    }
}

/// The tasks of a proxy's clusters, of those that look in the registry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tasks {
    /// Addresses by cluster; a service that is not registered has none.
    pub addresses: BTreeMap<ClusterId, Vec<SocketAddr>>,
    /// What keeps clusters without tasks.
    pub lints: Vec<Lint>,
}

impl Cluster {
    /// Where its tasks are, and what keeps it without; `None` for a cluster that does not look in the registry.
    pub fn tasks(&self, directory: &Directory) -> Option<(Vec<SocketAddr>, Option<Lint>)> {
        Some(tasks_of(&self.id, self.query()?, directory))
    }

    /// What it asks of the registry.
    pub fn query(&self) -> Option<&Query> {
        match &self.discovery {
            Discovery::Registry(query) => Some(query),
            _ => None,
        }
    }
}

fn tasks_of(id: &ClusterId, query: &Query, directory: &Directory) -> (Vec<SocketAddr>, Option<Lint>) {
    let found = query.tasks(directory);
    let lint = match (id, &found) {
        (ClusterId::Node { node, .. }, Err(absent)) => Some(Lint {
            resource: format!("virtualNode/{node}"),
            message: format!("{absent}: calls to it are answered with 503"),
            code: Code::NotRegistered,
        }),
        _ => None,
    };
    (found.unwrap_or_default(), lint)
}

impl Proxy {
    /// Whether any cluster looks in the registry.
    pub fn looks_in_registry(&self) -> bool {
        self.clusters_in_registry().next().is_some()
    }

    /// Where the tasks of those clusters are.
    pub fn tasks(&self, directory: &Directory) -> Tasks {
        let mut tasks = Tasks::default();
        for (id, query) in self.clusters_in_registry() {
            let (addresses, lint) = tasks_of(id, query, directory);
            tasks.lints.extend(lint);
            tasks.addresses.insert(id.clone(), addresses);
        }
        tasks.lints.sort();
        tasks.lints.dedup();
        tasks
    }

    /// What is asked of the registry.
    pub fn queries(&self) -> impl Iterator<Item = &Query> {
        self.clusters_in_registry().map(|(_, query)| query)
    }

    fn clusters_in_registry(&self) -> impl Iterator<Item = (&ClusterId, &Query)> {
        let clusters = self.clusters.iter();
        clusters.filter_map(|cluster| Some((&cluster.id, cluster.query()?)))
    }
}
