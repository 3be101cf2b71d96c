//! Which instances a client that discovers a service gets to see.

use std::collections::BTreeMap;

use ferromesh_model::registry::{Health, Instance, Service};
use ferromesh_store::{catalog, key};

use super::Refused;
use crate::view::View;

/// Which health is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
pub(crate) enum HealthFilter {
    #[serde(rename = "HEALTHY")]
    Healthy,
    #[serde(rename = "UNHEALTHY")]
    Unhealthy,
    #[default]
    #[serde(rename = "ALL")]
    All,
    #[serde(rename = "HEALTHY_OR_ELSE_ALL")]
    HealthyOrElseAll,
}

/// What is asked for.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    pub(crate) health: HealthFilter,
    /// Attributes that an instance must have.
    pub(crate) required: Option<&'a BTreeMap<String, String>>,
    /// Attributes that it must have too, if there is one that does.
    pub(crate) preferred: Option<&'a BTreeMap<String, String>>,
}

/// The health of an instance in the words of the wire: of a service without a health check nothing is known.
pub(crate) fn status(service: &Service, instance: &Instance) -> &'static str {
    if service.custom_health {
        instance.health.as_str()
    } else {
        "UNKNOWN"
    }
}

/// The instances of a service that fit.
pub(crate) fn discover(view: &View<'_>, service: &Service, wanted: &Wanted<'_>) -> Result<Vec<Instance>, Refused> {
    let listing = view
        .store()
        .list(&key::instances(&service.namespace, &service.name), None, None)?;
    let mut found = Vec::new();
    for stored in &listing.entries {
        let instance: Instance = catalog::read(stored)?;
        if fits(&instance, wanted.required) {
            found.push(instance);
        }
    }
    if found.iter().any(|instance| fits(instance, wanted.preferred)) {
        found.retain(|instance| fits(instance, wanted.preferred));
    }
    if service.custom_health {
        let any_healthy = found.iter().any(|instance| instance.health == Health::Healthy);
        found.retain(|instance| match wanted.health {
            HealthFilter::All => true,
            HealthFilter::Healthy => instance.health == Health::Healthy,
            HealthFilter::Unhealthy => instance.health == Health::Unhealthy,
            HealthFilter::HealthyOrElseAll => !any_healthy || instance.health == Health::Healthy,
        });
    }
    Ok(found)
}

fn fits(instance: &Instance, attributes: Option<&BTreeMap<String, String>>) -> bool {
    let attributes = attributes.into_iter().flatten();
    instance.has_all(attributes.map(|(key, value)| (key.as_str(), value.as_str())))
}
