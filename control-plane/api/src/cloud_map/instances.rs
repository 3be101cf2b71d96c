//! Operations on instances, and discovery.

use std::collections::BTreeMap;

use bytes::Bytes;
use ferromesh_model::registry::{Health, Instance, Service};
use ferromesh_store::key;
use serde::Deserialize;
use serde_json::{json, Map, Value};

use super::input::{self, Page};
use super::shown;
use crate::appmesh::{write_token, Scene};
use crate::registry::discovery::{self, HealthFilter, Wanted};
use crate::registry::instances::{self, NewInstance};
use crate::registry::{self, Refused, WhichService};
use crate::view::View;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Register {
    service_id: String,
    instance_id: String,
    creator_request_id: Option<String>,
    attributes: BTreeMap<String, String>,
}

pub(super) fn register(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let register: Register = input::read(body)?;
    let new = NewInstance {
        id: register.instance_id,
        attributes: register.attributes,
        creator_request_id: register.creator_request_id,
    };
    let made = instances::register(scene, WhichService::Id(&register.service_id), &new)?;
    Ok(json!({ "OperationId": made.operation }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct One {
    service_id: String,
    instance_id: String,
}

pub(super) fn deregister(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let One {
        service_id,
        instance_id,
    } = input::read(body)?;
    let (_, operation) = instances::deregister(scene, WhichService::Id(&service_id), &instance_id)?;
    Ok(json!({ "OperationId": operation }))
}

pub(super) fn get(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let One {
        service_id,
        instance_id,
    } = input::read(body)?;
    let view = View::new(scene.store);
    let owner = registry::service(&view, WhichService::Id(&service_id))?;
    let found = instances::get(&view, &owner, &instance_id)?;
    Ok(json!({ "ResourceOwner": scene.config.account, "Instance": shown::instance(scene, &found, false) }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Report {
    service_id: String,
    instance_id: String,
    status: Health,
}

pub(super) fn report(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let report: Report = input::read(body)?;
    let which = WhichService::Id(&report.service_id);
    instances::report(scene, which, &report.instance_id, report.status)?;
    Ok(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct List {
    service_id: String,
    next_token: Option<String>,
    max_results: Option<usize>,
}

pub(super) fn list(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let list: List = input::read(body)?;
    let page = Page::new(list.next_token.as_ref(), list.max_results)?;
    let owner = registry::service(&View::new(scene.store), WhichService::Id(&list.service_id))?;
    let (found, next) = of_service(scene, &owner, &page, |_| true)?;
    let shown = found.iter().map(|instance| shown::instance(scene, instance, true));
    let mut answer = shown::page("Instances", shown.collect(), next.as_ref());
    if let Some(members) = answer.as_object_mut() {
        members.insert("ResourceOwner".to_owned(), json!(scene.config.account));
    }
    Ok(answer)
}

fn of_service(
    scene: &Scene<'_>,
    owner: &Service,
    page: &Page,
    fits: impl Fn(&Instance) -> bool,
) -> Result<(Vec<Instance>, Option<String>), Refused> {
    let prefix = key::instances(&owner.namespace, &owner.name);
    registry::page(scene.store, &prefix, page.after.as_deref(), page.limit, fits)
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct HealthOf {
    service_id: String,
    instances: Option<Vec<String>>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

pub(super) fn health(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let asked: HealthOf = input::read(body)?;
    let page = Page::new(asked.next_token.as_ref(), asked.max_results)?;
    let view = View::new(scene.store);
    let owner = registry::service(&view, WhichService::Id(&asked.service_id))?;
    for id in asked.instances.iter().flatten() {
        instances::get(&view, &owner, id)?;
    }
    let wanted = asked.instances.as_ref();
    let is_wanted = |instance: &Instance| wanted.is_none_or(|wanted| wanted.contains(&instance.id));
    let (found, next) = of_service(scene, &owner, &page, is_wanted)?;
    let status = found.iter().map(|instance| {
        let status = discovery::status(&owner, instance);
        (instance.id.clone(), json!(status))
    });
    let mut answer = Map::new();
    answer.insert("Status".to_owned(), Value::Object(status.collect()));
    if let Some(next) = next {
        answer.insert("NextToken".to_owned(), json!(write_token(&next)));
    }
    Ok(Value::Object(answer))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Discover {
    namespace_name: String,
    service_name: String,
    max_results: Option<usize>,
    query_parameters: Option<BTreeMap<String, String>>,
    optional_parameters: Option<BTreeMap<String, String>>,
    #[serde(default)]
    health_status: HealthFilter,
    owner_account: Option<String>,
}

pub(super) fn discover(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let asked: Discover = input::read(body)?;
    owner_is_us(scene, asked.owner_account.as_ref())?;
    let page = Page::of_at_most(1000, None, asked.max_results)?;
    let view = View::new(scene.store);
    let owner = registry::service(&view, WhichService::Named(&asked.namespace_name, &asked.service_name))?;
    let wanted = Wanted {
        health: asked.health_status,
        required: asked.query_parameters.as_ref(),
        preferred: asked.optional_parameters.as_ref(),
    };
    let mut found = discovery::discover(&view, &owner, &wanted)?;
    found.truncate(page.limit);
    let shown = found.iter().map(|instance| {
        json!({
            "InstanceId": instance.id,
            "NamespaceName": instance.namespace,
            "ServiceName": instance.service,
            "HealthStatus": discovery::status(&owner, instance),
            "Attributes": instance.attributes,
        })
    });
    Ok(json!({ "Instances": shown.collect::<Vec<_>>(), "InstancesRevision": owner.instances_revision }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct RevisionOf {
    namespace_name: String,
    service_name: String,
    owner_account: Option<String>,
}

pub(super) fn revision(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let asked: RevisionOf = input::read(body)?;
    owner_is_us(scene, asked.owner_account.as_ref())?;
    let view = View::new(scene.store);
    let owner = registry::service(&view, WhichService::Named(&asked.namespace_name, &asked.service_name))?;
    Ok(json!({ "InstancesRevision": owner.instances_revision }))
}

/// A namespace of another account would be one that is shared with us, and none is.
fn owner_is_us(scene: &Scene<'_>, owner: Option<&String>) -> Result<(), Refused> {
    let account = &scene.config.account;
    match owner.filter(|owner| *owner != account) {
        None => Ok(()),
        Some(other) => Err(Refused::invalid(format!(
            "OwnerAccount: must be {account}, the account of this control plane, is {other:?}"
        ))),
    }
}
