//! Operations on namespaces. DNS namespaces are kept as they are asked for; no zone is served for them.

use std::borrow::Cow;

use bytes::Bytes;
use ferromesh_model::registry::{Namespace, NamespaceKind};
use ferromesh_store::key;
use serde::Deserialize;
use serde_json::{json, Value};

use super::input::{self, Comparable, Known, List, Page, Tag};
use super::shown;
use crate::appmesh::Scene;
use crate::registry::namespaces::{self, NewNamespace};
use crate::registry::{self, services, Refused, WhichNamespace};
use crate::view::View;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Create {
    name: String,
    creator_request_id: Option<String>,
    description: Option<String>,
    /// The network that a private zone would be for.
    vpc: Option<String>,
    #[serde(default)]
    tags: Vec<Tag>,
    properties: Option<Properties>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Properties {
    dns_properties: DnsProperties,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DnsProperties {
    #[serde(rename = "SOA")]
    soa: Soa,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Soa {
    #[serde(rename = "TTL")]
    ttl: i64,
}

impl Properties {
    fn ttl(&self, path: &str) -> Result<i64, Refused> {
        let ttl = self.dns_properties.soa.ttl;
        if !(0..=i64::from(i32::MAX)).contains(&ttl) {
            let message = format!("{path}Properties.DnsProperties.SOA.TTL: must be from 0 to 2147483647, is {ttl}");
            return Err(Refused::invalid(message));
        }
        Ok(ttl)
    }
}

pub(super) fn create_http(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    create(scene, NamespaceKind::Http, body)
}

pub(super) fn create_private(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    create(scene, NamespaceKind::DnsPrivate, body)
}

pub(super) fn create_public(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    create(scene, NamespaceKind::DnsPublic, body)
}

fn create(scene: &Scene<'_>, kind: NamespaceKind, body: &Bytes) -> Result<Value, Refused> {
    let create: Create = input::read(body)?;
    match (kind, &create.vpc) {
        (NamespaceKind::DnsPrivate, None) => return Err(Refused::invalid("Vpc: is required")),
        (NamespaceKind::Http | NamespaceKind::DnsPublic, Some(_)) => {
            return Err(Refused::invalid("Vpc: only private DNS namespaces have one"))
        }
        _ => {}
    }
    if kind == NamespaceKind::Http && create.properties.is_some() {
        return Err(Refused::invalid("Properties: only DNS namespaces have them"));
    }
    let new = NewNamespace {
        name: create.name,
        kind,
        description: create.description,
        soa_ttl: create.properties.map(|properties| properties.ttl("")).transpose()?,
        creator_request_id: create.creator_request_id,
        tags: input::tags(create.tags),
    };
    let made = namespaces::create(scene, &new)?;
    Ok(json!({ "OperationId": made.operation }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Id {
    id: String,
}

pub(super) fn get(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let Id { id } = input::read(body)?;
    let view = View::new(scene.store);
    let found = registry::namespace(&view, WhichNamespace::Id(&id))?;
    let services = services::count(&view, &found.name)?;
    Ok(json!({ "Namespace": shown::namespace(scene, &found, services, false) }))
}

pub(super) fn delete(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let Id { id } = input::read(body)?;
    let (_, operation) = namespaces::delete(scene, WhichNamespace::Id(&id))?;
    Ok(json!({ "OperationId": operation }))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Update {
    id: String,
    /// An update says what is to be, so that it may run twice.
    #[serde(rename = "UpdaterRequestId")]
    _updater_request_id: Option<String>,
    namespace: Change,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Change {
    description: Option<String>,
    properties: Option<Properties>,
}

pub(super) fn update_http(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    update(scene, NamespaceKind::Http, body)
}

pub(super) fn update_private(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    update(scene, NamespaceKind::DnsPrivate, body)
}

pub(super) fn update_public(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    update(scene, NamespaceKind::DnsPublic, body)
}

fn update(scene: &Scene<'_>, kind: NamespaceKind, body: &Bytes) -> Result<Value, Refused> {
    let Update { id, namespace, .. } = input::read(body)?;
    let ttl = namespace
        .properties
        .map(|properties| properties.ttl("Namespace."))
        .transpose()?;
    if kind == NamespaceKind::Http && (ttl.is_some() || namespace.description.is_none()) {
        let message = "Namespace: of an HTTP namespace the Description, and nothing else, can be changed";
        return Err(Refused::invalid(message));
    }
    let which = WhichNamespace::Id(&id);
    let operation = namespaces::update(scene, which, kind, namespace.description.as_ref(), ttl)?;
    Ok(json!({ "OperationId": operation }))
}

const FILTERS: &Known = &[
    ("TYPE", Comparable::Whole),
    ("NAME", Comparable::Beginning),
    ("HTTP_NAME", Comparable::Beginning),
    ("RESOURCE_OWNER", Comparable::Whole),
];

pub(super) fn list(scene: &Scene<'_>, body: &Bytes) -> Result<Value, Refused> {
    let list: List = input::read(body)?;
    input::check(&list.filters, FILTERS)?;
    let page = Page::new(list.next_token.as_ref(), list.max_results)?;
    let fits = |namespace: &Namespace| {
        input::fits(&list.filters, |name| {
            Some(match name {
                "TYPE" => Cow::Borrowed(namespace.kind.as_str()),
                "NAME" | "HTTP_NAME" => Cow::Owned(namespace.name.clone()),
                _ => Cow::Borrowed("SELF"),
            })
        })
    };
    let (found, next) = registry::page(scene.store, key::NAMESPACES, page.after.as_deref(), page.limit, fits)?;
    let view = View::new(scene.store);
    let shown = found.iter().map(|namespace| {
        let services = services::count(&view, &namespace.name)?;
        Ok(shown::namespace(scene, namespace, services, true))
    });
    let shown = shown.collect::<Result<_, Refused>>()?;
    Ok(shown::page("Namespaces", shown, next.as_ref()))
}
