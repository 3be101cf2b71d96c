//! Services: made, changed, deleted.

use std::collections::BTreeMap;

use ferromesh_model::record::Tag;
use ferromesh_model::registry::{check, DnsConfig, NamespaceKind, Service};
use ferromesh_model::Violation;
use ferromesh_store::{catalog, key, Change};

use super::{
    namespace, new_id, operations, put_place, read, service, tags, Refused, WhichNamespace, WhichService, Why,
};
use crate::appmesh::Scene;
use crate::view::{self, View};

/// A service to make.
#[derive(Debug, Clone)]
pub(crate) struct NewService {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) dns: Option<DnsConfig>,
    pub(crate) custom_health: bool,
    pub(crate) creator_request_id: Option<String>,
    pub(crate) tags: Vec<Tag>,
}

impl NewService {
    fn check(&self) -> Result<(), Refused> {
        let name = check::service_name("Name", &self.name);
        let text = self.description.iter();
        let text = text.filter_map(|text| check::description("Description", text));
        let records = self.dns.iter().flat_map(dns_rules);
        Refused::unless_none(name.into_iter().chain(text).chain(records))?;
        tags::check(&self.tags)
    }

    /// Whether a call is the one that made this service, sent twice.
    fn made(&self, existing: &Service) -> bool {
        self.creator_request_id.is_some()
            && self.creator_request_id == existing.creator_request_id
            && (&self.description, &self.dns, self.custom_health)
                == (&existing.description, &existing.dns, existing.custom_health)
    }
}

fn dns_rules(dns: &DnsConfig) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, record) in dns.dns_records.iter().enumerate() {
        if !(0..=i64::from(i32::MAX)).contains(&record.ttl) {
            let path = format!("DnsConfig.DnsRecords[{index}].TTL");
            let message = format!("must be from 0 to 2147483647, is {}", record.ttl);
            violations.push(Violation::new(path, message));
        }
    }
    violations
}

/// Makes a service; gives back the one that the same call has made before.
pub(crate) fn create(scene: &Scene<'_>, within: WhichNamespace<'_>, new: &NewService) -> Result<Service, Refused> {
    new.check()?;
    let now = scene.clock.now();
    view::commit(scene.store, |view| {
        let within = namespace(view, within)?;
        if let Some(existing) = read::<Service>(view, &key::service(&within.name, &new.name))? {
            if new.made(&existing) {
                return Ok((Vec::new(), existing));
            }
            let message = format!(
                "service {:?} is present in namespace {:?} already",
                new.name, within.name
            );
            let refused = Refused::new(Why::ServiceAlreadyExists, message).with("ServiceId", &existing.id);
            let creator = existing.creator_request_id.unwrap_or_default();
            return Err(refused.with("CreatorRequestId", creator));
        }
        if new.dns.is_some() && within.kind == NamespaceKind::Http {
            let message = format!(
                "DnsConfig: namespace {:?} is of type HTTP and has no records",
                within.name
            );
            return Err(Refused::invalid(message));
        }
        make(now, &within.name, &within.id, new)
    })
}

fn make(now: f64, namespace: &str, namespace_id: &str, new: &NewService) -> Result<(Vec<Change>, Service), Refused> {
    let made = Service {
        namespace: namespace.to_owned(),
        namespace_id: namespace_id.to_owned(),
        name: new.name.clone(),
        id: new_id("srv"),
        description: new.description.clone(),
        dns: new.dns.clone(),
        custom_health: new.custom_health,
        attributes: BTreeMap::new(),
        instances_revision: 1,
        created_at: now,
        creator_request_id: new.creator_request_id.clone(),
        tags: tags::sorted(new.tags.clone()),
    };
    let changes = vec![put(&made)?, put_place(&made.id, &made.namespace, Some(&made.name))?];
    Ok((changes, made))
}

/// The write that stores a service.
pub(super) fn put(service: &Service) -> Result<Change, ferromesh_store::StoreError> {
    catalog::put(key::service(&service.namespace, &service.name), service)
}

/// Makes a service, or gives an existing one this description and health check.
pub(crate) fn put_named(scene: &Scene<'_>, within: &str, new: &NewService) -> Result<Service, Refused> {
    new.check()?;
    let now = scene.clock.now();
    view::commit(scene.store, |view| {
        let within = namespace(view, WhichNamespace::Named(within))?;
        let Some(existing) = read::<Service>(view, &key::service(&within.name, &new.name))? else {
            return make(now, &within.name, &within.id, new);
        };
        let changed = Service {
            description: new.description.clone(),
            custom_health: new.custom_health,
            ..existing.clone()
        };
        let changes = if changed == existing {
            Vec::new()
        } else {
            vec![put(&changed)?]
        };
        Ok((changes, changed))
    })
}

/// Gives a service another description, if there is one, and these records; the operation's id.
pub(crate) fn update(
    scene: &Scene<'_>,
    which: WhichService<'_>,
    description: Option<&String>,
    records: Option<&DnsConfig>,
) -> Result<String, Refused> {
    let text = description.and_then(|text| check::description("Service.Description", text));
    Refused::unless_none(text.into_iter().chain(records.into_iter().flat_map(dns_rules)))?;
    let now = scene.clock.now();
    view::commit(scene.store, |view| {
        let mut changed = service(view, which)?;
        changed.description = description.cloned().or(changed.description);
        match (&mut changed.dns, records) {
            (Some(dns), Some(records)) => dns.dns_records.clone_from(&records.dns_records),
            // Records that an update leaves out are gone, and the service stays what it is.
            (Some(dns), None) => dns.dns_records.clear(),
            (None, Some(_)) => {
                let message = format!("Service.DnsConfig: service {:?} was made without one", changed.name);
                return Err(Refused::invalid(message));
            }
            (None, None) => {}
        }
        let targets = [("SERVICE", changed.id.as_str())];
        let (operation, mut changes) = operations::done(view, now, "UPDATE_SERVICE", &targets)?;
        changes.push(put(&changed)?);
        Ok((changes, operation))
    })
}

/// Changes a service's own attributes: adds some, removes those with these keys.
pub(crate) fn change_attributes(
    scene: &Scene<'_>,
    which: WhichService<'_>,
    added: &BTreeMap<String, String>,
    removed: &[String],
) -> Result<(), Refused> {
    for (key, value) in added {
        let lengths = (key.chars().count(), value.chars().count());
        if !(1..=255).contains(&lengths.0) || lengths.1 > 1024 {
            let message =
                format!("Attributes: keys have 1 to 255 characters and values at most 1024, {key:?} has {lengths:?}");
            return Err(Refused::invalid(message));
        }
    }
    view::commit(scene.store, |view| {
        let mut changed = service(view, which)?;
        changed
            .attributes
            .extend(added.iter().map(|(key, value)| (key.clone(), value.clone())));
        changed.attributes.retain(|key, _| !removed.contains(key));
        let count = changed.attributes.len();
        if count > check::MOST_ATTRIBUTES {
            let message = format!(
                "Attributes: a service can have at most {}, would have {count}",
                check::MOST_ATTRIBUTES
            );
            return Err(Refused::new(Why::ServiceAttributesLimitExceeded, message));
        }
        Ok((vec![put(&changed)?], ()))
    })
}

/// Deletes a service without instances; what it was.
pub(crate) fn delete(scene: &Scene<'_>, which: WhichService<'_>) -> Result<Service, Refused> {
    view::commit(scene.store, |view| {
        let gone = service(view, which)?;
        let instances = view.keys(&key::instances(&gone.namespace, &gone.name))?.len();
        if instances > 0 {
            let message = format!(
                "service {:?} has {instances} instances: deregister them first",
                gone.name
            );
            return Err(Refused::new(Why::ResourceInUse, message));
        }
        let changes = vec![
            Change::delete(key::service(&gone.namespace, &gone.name)),
            Change::delete(key::registry_id(&gone.id)),
        ];
        Ok((changes, gone))
    })
}

/// How many services a namespace has.
pub(crate) fn count(view: &View<'_>, namespace: &str) -> Result<usize, Refused> {
    Ok(view.store().list(&key::services(namespace), None, None)?.entries.len())
}
