//! Operations on services.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use ferromesh_model::registry::{DnsConfig, DnsRecord, Service};
use ferromesh_store::key;
use serde::Deserialize;
use serde_json::{json, Value};

use super::input::{self, Comparable, Known, List, Page, Tag};
use super::shown;
use crate::appmesh::Scene;
use crate::registry::services::{self, NewService};
use crate::registry::{self, instances, Refused, WhichNamespace, WhichService};
use crate::view::View;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Create {
    name: String,
    namespace_id: Option<String>,
    creator_request_id: Option<String>,
    description: Option<String>,
    dns_config: Option<DnsConfig>,
    health_check_config: Option<Value>,
    health_check_custom_config: Option<CustomHealth>,
    #[serde(default)]
    tags: Vec<Tag>,
    /// `HTTP` makes a service without records in a DNS namespace.
    #[serde(rename = "Type")]
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct CustomHealth {
    failure_threshold: Option<i64>,
}

/// There is nobody here who would probe from outside.
fn no_route53_check(path: &str, given: bool) -> Result<(), Refused> {
    if !given {
        return Ok(());
    }
    Err(Refused::invalid(format!(
        "{path}: needs Route 53's health checkers, which there are none of here: use HealthCheckCustomConfig, or the \
         health check of the virtual node's listener"
    )))
}

pub(super) fn create(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let create: Create = input::read(body)?;
    no_route53_check("HealthCheckConfig", create.health_check_config.is_some())?;
    let threshold = create.health_check_custom_config.as_ref();
    let threshold = threshold.and_then(|config| config.failure_threshold);
    if let Some(threshold) = threshold.filter(|threshold| !(1..=10).contains(threshold)) {
        let message = format!("HealthCheckCustomConfig.FailureThreshold: must be from 1 to 10, is {threshold}");
        return Err(Refused::invalid(message));
    }
    if let Some(kind) = create
        .kind
        .as_ref()
        .filter(|kind| *kind != "HTTP" || create.dns_config.is_some())
    {
        let message = format!("Type: must be HTTP, and then there is no DnsConfig, is {kind:?}");
        return Err(Refused::invalid(message));
    }
    let old_place = create.dns_config.as_ref().and_then(|dns| dns.namespace_id.clone());
    let Some(within) = create.namespace_id.or(old_place) else {
        return Err(Refused::invalid("NamespaceId: is required"));
    };
    let new = NewService {
        name: create.name,
        description: create.description,
        dns: create.dns_config,
        custom_health: create.health_check_custom_config.is_some(),
        creator_request_id: create.creator_request_id,
        tags: input::tags(create.tags),
    };
    let made = services::create(scene, WhichNamespace::Id(&within), &new)?;
    show(scene, &made)
}

fn show(scene: &Scene<'_>, service: &Service) -> Result<Value, Refused> {
    let instances = instances::count(&View::new(scene.store), service)?;
    Ok(json!({ "Service": shown::service(scene, service, instances, false) }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Id {
    id: String,
}

pub(super) fn get(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let Id { id } = input::read(body)?;
    show(
        scene,
        &registry::service(&View::new(scene.store), WhichService::Id(&id))?,
    )
}

pub(super) fn delete(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let Id { id } = input::read(body)?;
    services::delete(scene, WhichService::Id(&id))?;
    Ok(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Update {
    id: String,
    service: Change,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Change {
    description: Option<String>,
    dns_config: Option<Records>,
    health_check_config: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Records {
    dns_records: Vec<DnsRecord>,
}

pub(super) fn update(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let Update { id, service } = input::read(body)?;
    no_route53_check("Service.HealthCheckConfig", service.health_check_config.is_some())?;
    let records = service.dns_config.map(|Records { dns_records }| DnsConfig {
        namespace_id: None,
        routing_policy: None,
        dns_records,
    });
    let which = WhichService::Id(&id);
    let operation = services::update(scene, which, service.description.as_ref(), records.as_ref())?;
    Ok(json!({ "OperationId": operation }))
}

const FILTERS: &Known = &[
    ("NAMESPACE_ID", Comparable::Whole),
    ("RESOURCE_OWNER", Comparable::Whole),
];

pub(super) fn list(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let list: List = input::read(body)?;
    input::check(&list.filters, FILTERS)?;
    let page = Page::new(list.next_token.as_ref(), list.max_results)?;
    let fits = |service: &Service| {
        input::fits(&list.filters, |name| {
            Some(match name {
                "NAMESPACE_ID" => Cow::Owned(service.namespace_id.clone()),
                _ => Cow::Borrowed("SELF"),
            })
        })
    };
    let (found, next) = registry::page(scene.store, key::SERVICES, page.after.as_deref(), page.limit, fits)?;
    let view = View::new(scene.store);
    let shown = found.iter().map(|service| {
        let instances = instances::count(&view, service)?;
        Ok(shown::service(scene, service, instances, true))
    });
    let shown = shown.collect::<Result<_, Refused>>()?;
    Ok(shown::page("Services", shown, next.as_ref()))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct ServiceId {
    service_id: String,
}

pub(super) fn attributes(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let ServiceId { service_id } = input::read(body)?;
    let found = registry::service(&View::new(scene.store), WhichService::Id(&service_id))?;
    Ok(json!({ "ServiceAttributes": {
        "ServiceArn": shown::arn(scene, "service", &found.id),
        "ResourceOwner": scene.config.account,
        "Attributes": found.attributes,
    }}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Attributes<T> {
    service_id: String,
    attributes: T,
}

pub(super) fn update_attributes(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let given: Attributes<BTreeMap<String, String>> = input::read(body)?;
    services::change_attributes(scene, WhichService::Id(&given.service_id), &given.attributes, &[])?;
    Ok(json!({}))
}

pub(super) fn delete_attributes(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let given: Attributes<Vec<String>> = input::read(body)?;
    let which = WhichService::Id(&given.service_id);
    services::change_attributes(scene, which, &BTreeMap::new(), &given.attributes)?;
    Ok(json!({}))
}
