//! Instances: registered, reported on, deregistered.

use std::collections::BTreeMap;

use ferromesh_model::registry::{check, Health, Instance, Service, INITIAL_HEALTH};
use ferromesh_store::{catalog, key, Change};

use super::{operations, read, service, services, Refused, WhichService, Why};
use crate::appmesh::Scene;
use crate::view::{self, View};

/// An instance to register.
#[derive(Debug, Clone)]
pub(crate) struct NewInstance {
    pub(crate) id: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) creator_request_id: Option<String>,
}

/// Registers an instance, in place of one with its id if there is one. The same registration again changes nothing.
pub(crate) fn register(scene: &Scene<'_>, which: WhichService<'_>, new: &NewInstance) -> Result<Instance, Refused> {
    let id = check::instance_id("InstanceId", &new.id);
    let attributes = check::attributes("Attributes", &new.attributes);
    Refused::unless_none(id.into_iter().chain(attributes))?;
    let now = scene.clock.now();
    view::commit(scene.store, |view| {
        let mut owner = service(view, which)?;
        Refused::unless_none(check::instance_attributes("Attributes", &owner, &new.attributes))?;
        let before: Option<Instance> = read(view, &key::instance(&owner.namespace, &owner.name, &new.id))?;
        if let Some(before) = before.as_ref().filter(|before| is_same(new, before)) {
            return Ok((Vec::new(), before.clone()));
        }
        let targets = [("SERVICE", owner.id.as_str()), ("INSTANCE", new.id.as_str())];
        let (operation, mut changes) = operations::done(view, now, "REGISTER_INSTANCE", &targets)?;
        let made = Instance {
            namespace: owner.namespace.clone(),
            service: owner.name.clone(),
            id: new.id.clone(),
            attributes: new.attributes.clone(),
            health: initial_health(new, before.as_ref()),
            registered_at: now,
            creator_request_id: new.creator_request_id.clone(),
            operation: Some(operation),
        };
        owner.instances_revision += 1;
        changes.push(services::put(&owner)?);
        changes.push(put(&made)?);
        Ok((changes, made))
    })
}

/// A call without a number of its own is the same whenever it says the same.
fn is_same(new: &NewInstance, before: &Instance) -> bool {
    new.attributes == before.attributes
        && (new.creator_request_id.is_none() || new.creator_request_id == before.creator_request_id)
}

/// What a registration says, else what was known, else healthy: who registers a task means it to be called, and a task
/// that was reported sick does not get well by being registered again.
fn initial_health(new: &NewInstance, before: Option<&Instance>) -> Health {
    match new.attributes.get(INITIAL_HEALTH).map(String::as_str) {
        Some("UNHEALTHY") => Health::Unhealthy,
        Some(_) => Health::Healthy,
        None => before.map_or(Health::Healthy, |before| before.health),
    }
}

fn put(instance: &Instance) -> Result<Change, ferromesh_store::StoreError> {
    let key = key::instance(&instance.namespace, &instance.service, &instance.id);
    catalog::put(key, instance)
}

/// Deregisters an instance; what it was, and the operation's id.
pub(crate) fn deregister(scene: &Scene<'_>, which: WhichService<'_>, id: &str) -> Result<(Instance, String), Refused> {
    let now = scene.clock.now();
    view::commit(scene.store, |view| {
        let mut owner = service(view, which)?;
        let gone = get(view, &owner, id)?;
        let targets = [("SERVICE", owner.id.as_str()), ("INSTANCE", id)];
        let (operation, mut changes) = operations::done(view, now, "DEREGISTER_INSTANCE", &targets)?;
        owner.instances_revision += 1;
        changes.push(services::put(&owner)?);
        changes.push(Change::delete(key::instance(&gone.namespace, &gone.service, id)));
        Ok((changes, (gone, operation)))
    })
}

/// Reports on an instance's health.
pub(crate) fn report(
    scene: &Scene<'_>,
    which: WhichService<'_>,
    id: &str,
    health: Health,
) -> Result<Instance, Refused> {
    view::commit(scene.store, |view| {
        let owner = service(view, which)?;
        if !owner.custom_health {
            let message = format!("service {:?} has no custom health check", owner.name);
            return Err(Refused::new(Why::CustomHealthNotFound, message));
        }
        let mut instance = get(view, &owner, id)?;
        if instance.health == health {
            return Ok((Vec::new(), instance));
        }
        instance.health = health;
        Ok((vec![put(&instance)?], instance))
    })
}

/// An instance of a service.
pub(crate) fn get(view: &View<'_>, owner: &Service, id: &str) -> Result<Instance, Refused> {
    let found = read(view, &key::instance(&owner.namespace, &owner.name, id))?;
    found.ok_or_else(|| {
        let message = format!("instance {id:?} is not present in service {:?}", owner.name);
        Refused::new(Why::InstanceNotFound, message)
    })
}

/// How many instances a service has.
pub(crate) fn count(view: &View<'_>, owner: &Service) -> Result<usize, Refused> {
    let prefix = key::instances(&owner.namespace, &owner.name);
    Ok(view.store().list(&prefix, None, None)?.entries.len())
}
