//! What is registered, as the lowering asks for it.

use std::collections::BTreeMap;
use std::fmt;

use super::{Health, Instance, Service};

/// Instances by namespace and service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Directory {
    services: BTreeMap<String, BTreeMap<String, Entry>>,
}

#[derive(Debug, Clone, PartialEq)]
struct Entry {
    custom_health: bool,
    instances: Vec<Instance>,
}

/// A service that is not registered, and so has no instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absent {
    /// Name of the namespace.
    pub namespace: String,
    /// Name of the service.
    pub service: String,
}

impl fmt::Display for Absent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, service } = self;
        write!(f, "the registry has no service {service} in a namespace {namespace}")
    }
}

impl std::error::Error for Absent {}

impl Directory {
    /// A directory of these services and instances. Instances of other services are left out.
    pub fn new(services: impl IntoIterator<Item = Service>, instances: impl IntoIterator<Item = Instance>) -> Self {
        let mut directory = Self::default();
        for service in services {
            let entry = Entry {
                custom_health: service.custom_health,
                instances: Vec::new(),
            };
            let namespace = directory.services.entry(service.namespace).or_default();
            namespace.insert(service.name, entry);
        }
        for instance in instances {
            let services = directory.services.get_mut(&instance.namespace);
            if let Some(entry) = services.and_then(|services| services.get_mut(&instance.service)) {
                entry.instances.push(instance);
            }
        }
        directory
    }

    /// The instances of a service that may get requests: where somebody reports health, the healthy ones; else all.
    ///
    /// # Errors
    /// The service is not registered.
    pub fn available(&self, namespace: &str, service: &str) -> Result<impl Iterator<Item = &Instance>, Absent> {
        let services = self.services.get(namespace);
        let entry = services.and_then(|services| services.get(service));
        let entry = entry.ok_or_else(|| Absent {
            namespace: namespace.to_owned(),
            service: service.to_owned(),
        })?;
        let custom_health = entry.custom_health;
        let instances = entry.instances.iter();
        Ok(instances.filter(move |instance| !custom_health || instance.health == Health::Healthy))
    }
}
