//! `/v1/registry`.

use serde_json::{json, Value};

use super::super::operation::Described;
use super::super::schema::{boolean, count, list, map, named, number, object, one_of, text};
use crate::ErrorKind::{Conflict, NotFound};

pub(super) fn operations() -> Vec<Described> {
    const NAMESPACES: &str = "/v1/registry/namespaces";
    const NAMESPACE: &str = "/v1/registry/namespaces/{namespace}";
    const SERVICES: &str = "/v1/registry/namespaces/{namespace}/services";
    const SERVICE: &str = "/v1/registry/namespaces/{namespace}/services/{service}";
    const INSTANCES: &str = "/v1/registry/namespaces/{namespace}/services/{service}/instances";
    const INSTANCE: &str = "/v1/registry/namespaces/{namespace}/services/{service}/instances/{instance}";
    const HEALTH: &str = "/v1/registry/namespaces/{namespace}/services/{service}/instances/{instance}/health";

    let kinds = one_of(&["HTTP", "DNS_PRIVATE", "DNS_PUBLIC"]);
    let or_null = |schema: Value| json!({"anyOf": [schema, {"type": "null"}]});
    let described = |method, path, name, summary| Described::new(method, path, name, summary).errors(&[NotFound]);
    vec![
        Described::new(
            "GET",
            NAMESPACES,
            "ListRegistryNamespaces",
            "Lists the namespaces of the registry",
        )
        .answers(object([("namespaces", list(named("Namespace")))], [])),
        described("GET", NAMESPACE, "GetRegistryNamespace", "Shows a namespace").answers(named("Namespace")),
        described("PUT", NAMESPACE, "PutRegistryNamespace", "Makes or changes a namespace")
            .body(object([], [("type", kinds), ("description", or_null(text()))]))
            .answers(named("Namespace"))
            .errors(&[Conflict]),
        described(
            "DELETE",
            NAMESPACE,
            "DeleteRegistryNamespace",
            "Deletes an empty namespace",
        )
        .answers(named("Namespace"))
        .errors(&[Conflict]),
        described(
            "GET",
            SERVICES,
            "ListRegistryServices",
            "Lists the services of a namespace",
        )
        .answers(object([("services", list(named("Service")))], [])),
        described("GET", SERVICE, "GetRegistryService", "Shows a service").answers(named("Service")),
        described("PUT", SERVICE, "PutRegistryService", "Makes or changes a service")
            .body(object(
                [],
                [("customHealth", boolean()), ("description", or_null(text()))],
            ))
            .answers(named("Service"))
            .errors(&[Conflict]),
        described(
            "DELETE",
            SERVICE,
            "DeleteRegistryService",
            "Deletes a service without instances",
        )
        .answers(named("Service"))
        .errors(&[Conflict]),
        described(
            "GET",
            INSTANCES,
            "ListRegistryInstances",
            "Lists the instances of a service",
        )
        .answers(object([("instances", list(named("Instance")))], [])),
        described("GET", INSTANCE, "GetRegistryInstance", "Shows an instance").answers(named("Instance")),
        described("PUT", INSTANCE, "PutRegistryInstance", "Registers an instance")
            .body(object([], [("attributes", map(text()))]))
            .answers(named("Instance"))
            .errors(&[Conflict]),
        described("DELETE", INSTANCE, "DeleteRegistryInstance", "Deregisters an instance").answers(named("Instance")),
        described("PUT", HEALTH, "PutRegistryHealth", "Reports an instance's health")
            .body(object([("status", one_of(&["HEALTHY", "UNHEALTHY"]))], []))
            .answers(named("Instance")),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let namespace = object(
        [
            ("name", text()),
            ("id", text()),
            ("type", one_of(&["HTTP", "DNS_PRIVATE", "DNS_PUBLIC"])),
            ("createdAt", number()),
        ],
        [
            ("description", text()),
            ("soaTtl", json!({"type": "integer"})),
            ("creatorRequestId", text()),
            ("operation", text()),
            ("tags", list(named("RegistryTag"))),
        ],
    );
    let record = object([("Type", one_of(&["SRV", "A", "AAAA", "CNAME"])), ("TTL", count())], []);
    let dns = object(
        [("DnsRecords", list(record))],
        [
            ("NamespaceId", text()),
            ("RoutingPolicy", one_of(&["MULTIVALUE", "WEIGHTED"])),
        ],
    );
    let service = object(
        [
            ("namespace", text()),
            ("namespaceId", text()),
            ("name", text()),
            ("id", text()),
            ("customHealth", boolean()),
            ("instancesRevision", count()),
            ("createdAt", number()),
        ],
        [
            ("description", text()),
            ("dns", dns),
            ("attributes", map(text())),
            ("creatorRequestId", text()),
            ("tags", list(named("RegistryTag"))),
        ],
    );
    let instance = object(
        [
            ("namespace", text()),
            ("service", text()),
            ("id", text()),
            ("health", one_of(&["HEALTHY", "UNHEALTHY", "UNKNOWN"])),
            ("registeredAt", number()),
        ],
        [
            ("attributes", map(text())),
            ("creatorRequestId", text()),
            ("operation", text()),
        ],
    );
    vec![
        ("Namespace", namespace),
        ("Service", service),
        ("Instance", instance),
        ("RegistryTag", object([("key", text()), ("value", text())], [])),
    ]
}
