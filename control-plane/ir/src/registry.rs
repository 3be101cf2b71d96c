//! Tasks that stand in the registry: which of them a cluster means, and where they are.
//!
//! Lowering only writes down the question ([`Query`]), so that a task that comes or goes changes nothing but its answer.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use ferromesh_model::registry::{Absent, Directory, Instance};

use crate::cluster::{AddressFamily, ClusterId, Discovery};
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

impl Proxy {
    /// Whether any cluster looks in the registry.
    pub fn looks_in_registry(&self) -> bool {
        self.clusters_in_registry().next().is_some()
    }

    /// Where the tasks of those clusters are.
    pub fn tasks(&self, directory: &Directory) -> Tasks {
        let mut tasks = Tasks::default();
        for (id, query) in self.clusters_in_registry() {
            let found = query.tasks(directory);
            if let (ClusterId::Node { node, .. }, Err(absent)) = (id, &found) {
                tasks.lints.push(Lint {
                    resource: format!("virtualNode/{node}"),
                    message: format!("{absent}: calls to it are answered with 503"),
                    code: Code::NotRegistered,
                });
            }
            tasks.addresses.insert(id.clone(), found.unwrap_or_default());
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
        self.clusters.iter().filter_map(|cluster| match &cluster.discovery {
            Discovery::Registry(query) => Some((&cluster.id, query)),
            _ => None,
        })
    }
}
