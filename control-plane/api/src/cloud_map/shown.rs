//! Namespaces, services and instances in the form of Cloud Map's answers. What is not there is left out, not null.

use ferromesh_model::registry::{Instance, Namespace, NamespaceKind, Service};
use serde_json::{json, Map, Value};

use crate::appmesh::{write_token, Scene};

fn object(members: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Value {
    let members = members.into_iter();
    let present = members.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect::<Map<_, _>>())
}

/// The ARN of a namespace or service.
pub(super) fn arn(scene: &Scene<'_>, kind: &str, id: &str) -> String {
    let (region, account) = (&scene.config.region, &scene.config.account);
    format!("arn:aws:servicediscovery:{region}:{account}:{kind}/{id}")
}

/// A namespace; in lists without the call that made it.
pub(super) fn namespace(scene: &Scene<'_>, namespace: &Namespace, services: usize, in_list: bool) -> Value {
    let dns = match namespace.kind {
        NamespaceKind::Http => None,
        NamespaceKind::DnsPrivate | NamespaceKind::DnsPublic => {
            Some(object([("SOA", namespace.soa_ttl.map(|ttl| json!({ "TTL": ttl })))]))
        }
    };
    let properties = object([
        ("DnsProperties", dns),
        ("HttpProperties", Some(json!({ "HttpName": namespace.name }))),
    ]);
    object([
        ("Id", Some(json!(namespace.id))),
        ("Arn", Some(json!(arn(scene, "namespace", &namespace.id)))),
        ("ResourceOwner", Some(json!(scene.config.account))),
        ("Name", Some(json!(namespace.name))),
        ("Type", Some(json!(namespace.kind.as_str()))),
        ("Description", namespace.description.as_ref().map(|text| json!(text))),
        ("ServiceCount", Some(json!(services))),
        ("Properties", Some(properties)),
        ("CreateDate", Some(json!(namespace.created_at))),
        (
            "CreatorRequestId",
            namespace
                .creator_request_id
                .as_ref()
                .filter(|_| !in_list)
                .map(|id| json!(id)),
        ),
    ])
}

/// A service; in lists without the call that made it and its namespace.
pub(super) fn service(scene: &Scene<'_>, service: &Service, instances: usize, in_list: bool) -> Value {
    let health = service.custom_health.then(|| json!({ "FailureThreshold": 1 }));
    object([
        ("Id", Some(json!(service.id))),
        ("Arn", Some(json!(arn(scene, "service", &service.id)))),
        ("ResourceOwner", Some(json!(scene.config.account))),
        ("Name", Some(json!(service.name))),
        ("NamespaceId", (!in_list).then(|| json!(service.namespace_id))),
        ("Description", service.description.as_ref().map(|text| json!(text))),
        ("InstanceCount", Some(json!(instances))),
        ("DnsConfig", service.dns.as_ref().map(|dns| json!(dns))),
        ("Type", Some(json!(service.kind()))),
        ("HealthCheckCustomConfig", health),
        ("CreateDate", Some(json!(service.created_at))),
        (
            "CreatorRequestId",
            service
                .creator_request_id
                .as_ref()
                .filter(|_| !in_list)
                .map(|id| json!(id)),
        ),
        ("CreatedByAccount", Some(json!(scene.config.account))),
    ])
}

/// An instance; in lists without the call that registered it.
pub(super) fn instance(scene: &Scene<'_>, instance: &Instance, in_list: bool) -> Value {
    object([
        ("Id", Some(json!(instance.id))),
        (
            "CreatorRequestId",
            instance
                .creator_request_id
                .as_ref()
                .filter(|_| !in_list)
                .map(|id| json!(id)),
        ),
        ("Attributes", Some(json!(instance.attributes))),
        ("CreatedByAccount", Some(json!(scene.config.account))),
    ])
}

/// A page of a list.
pub(super) fn page(member: &'static str, elements: Vec<Value>, next: Option<&String>) -> Value {
    let next = next.map(|next| json!(write_token(next)));
    object([(member, Some(Value::Array(elements))), ("NextToken", next)])
}
