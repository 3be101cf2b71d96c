//! `/v1/registry`: the registry of tasks by names.
//!
//! | path below `/v1/registry/namespaces` | methods |
//! |---|---|
//! | nothing | GET |
//! | `/{namespace}` | GET, PUT `{"type": "HTTP", "description": …}`, DELETE |
//! | `/{namespace}/services` | GET |
//! | `/{namespace}/services/{service}` | GET, PUT `{"customHealth": true, "description": …}`, DELETE |
//! | `/{namespace}/services/{service}/instances` | GET |
//! | `/{namespace}/services/{service}/instances/{id}` | GET, PUT `{"attributes": {…}}`, DELETE |
//! | `/{namespace}/services/{service}/instances/{id}/health` | PUT `{"status": "UNHEALTHY"}` |
//!
//! A PUT says what is to be and may be sent again. Instances of a service with `customHealth` (the default) take part as
//! long as they are reported healthy, which they are until somebody says otherwise.

use std::collections::BTreeMap;

use ferromesh_model::registry::{Health, Instance, Namespace, NamespaceKind, Service};
use ferromesh_store::{key, Store};
use serde::de::DeserializeOwned;
use serde::Deserialize;
use serde_json::{json, Value};

use crate::appmesh::Scene;
use crate::registry::instances::{self, NewInstance};
use crate::registry::namespaces::{self, NewNamespace};
use crate::registry::services::{self, NewService};
use crate::registry::{self, discovery, WhichNamespace, WhichService};
use crate::request::Request;
use crate::view::View;
use crate::ApiError;

/// What a request to the registry means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    Namespaces,
    GetNamespace,
    PutNamespace,
    DeleteNamespace,
    Services,
    GetService,
    PutService,
    DeleteService,
    Instances,
    GetInstance,
    PutInstance,
    DeleteInstance,
    PutHealth,
}

impl Page {
    /// Name in logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Namespaces => "ListRegistryNamespaces",
            Self::GetNamespace => "GetRegistryNamespace",
            Self::PutNamespace => "PutRegistryNamespace",
            Self::DeleteNamespace => "DeleteRegistryNamespace",
            Self::Services => "ListRegistryServices",
            Self::GetService => "GetRegistryService",
            Self::PutService => "PutRegistryService",
            Self::DeleteService => "DeleteRegistryService",
            Self::Instances => "ListRegistryInstances",
            Self::GetInstance => "GetRegistryInstance",
            Self::PutInstance => "PutRegistryInstance",
            Self::DeleteInstance => "DeleteRegistryInstance",
            Self::PutHealth => "PutRegistryHealth",
        }
    }

    /// Whether it changes something.
    pub(crate) fn is_change(self) -> bool {
        matches!(
            self,
            Self::PutNamespace
                | Self::DeleteNamespace
                | Self::PutService
                | Self::DeleteService
                | Self::PutInstance
                | Self::DeleteInstance
                | Self::PutHealth
        )
    }
}

/// The methods of a path below `/v1/registry`.
pub(super) fn pages(segments: &[&str]) -> &'static [(&'static str, Page)] {
    if segments.iter().any(|segment| segment.is_empty()) {
        return &[];
    }
    match segments {
        ["namespaces"] => &[("GET", Page::Namespaces)],
        ["namespaces", _] => &[
            ("GET", Page::GetNamespace),
            ("PUT", Page::PutNamespace),
            ("DELETE", Page::DeleteNamespace),
        ],
        ["namespaces", _, "services"] => &[("GET", Page::Services)],
        ["namespaces", _, "services", _] => &[
            ("GET", Page::GetService),
            ("PUT", Page::PutService),
            ("DELETE", Page::DeleteService),
        ],
        ["namespaces", _, "services", _, "instances"] => &[("GET", Page::Instances)],
        ["namespaces", _, "services", _, "instances", _] => &[
            ("GET", Page::GetInstance),
            ("PUT", Page::PutInstance),
            ("DELETE", Page::DeleteInstance),
        ],
        ["namespaces", _, "services", _, "instances", _, "health"] => &[("PUT", Page::PutHealth)],
        _ => &[],
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NamespaceBody {
    #[serde(rename = "type", default = "http")]
    kind: NamespaceKind,
    description: Option<String>,
}

fn http() -> NamespaceKind {
    NamespaceKind::Http
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ServiceBody {
    description: Option<String>,
    #[serde(default = "yes")]
    custom_health: bool,
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct InstanceBody {
    #[serde(default)]
    attributes: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HealthBody {
    status: Health,
}

fn body<T: DeserializeOwned>(request: &Request) -> Result<T, ApiError> {
    let object = Value::Object(request.object()?);
    serde_json::from_value(object).map_err(|error| ApiError::bad_request(format!("body: {error}")))
}

/// The answer to one request; `segments` are those of the whole path.
pub(super) fn answer(scene: &Scene<'_>, page: Page, segments: &[String], request: &Request) -> Result<Value, ApiError> {
    let segment = |index: usize| segments.get(index).map_or("", String::as_str);
    let (namespace, service, instance) = (segment(3), segment(5), segment(7));
    let within = WhichNamespace::Named(namespace);
    let which = WhichService::Named(namespace, service);
    let view = View::new(scene.store);
    Ok(match page {
        Page::Namespaces => json!({ "namespaces": all::<Namespace>(scene.store, key::NAMESPACES)? }),
        Page::GetNamespace => json!(registry::namespace(&view, within)?),
        Page::PutNamespace => {
            let NamespaceBody { kind, description } = body(request)?;
            let new = NewNamespace {
                name: namespace.to_owned(),
                kind,
                description,
                soa_ttl: None,
                creator_request_id: None,
                tags: Vec::new(),
            };
            json!(namespaces::put(scene, &new)?)
        }
        Page::DeleteNamespace => json!(namespaces::delete(scene, within)?.0),
        Page::Services => {
            registry::namespace(&view, within)?;
            json!({ "services": all::<Service>(scene.store, &key::services(namespace))? })
        }
        Page::GetService => json!(registry::service(&view, which)?),
        Page::PutService => {
            let ServiceBody {
                description,
                custom_health,
            } = body(request)?;
            let new = NewService {
                name: service.to_owned(),
                description,
                dns: None,
                custom_health,
                creator_request_id: None,
                tags: Vec::new(),
            };
            json!(services::put_named(scene, namespace, &new)?)
        }
        Page::DeleteService => json!(services::delete(scene, which)?),
        Page::Instances => {
            let owner = registry::service(&view, which)?;
            let instances = all::<Instance>(scene.store, &key::instances(namespace, service))?;
            let shown: Vec<Value> = instances.iter().map(|instance| show(&owner, instance)).collect();
            json!({ "instances": shown })
        }
        Page::GetInstance => {
            let owner = registry::service(&view, which)?;
            show(&owner, &instances::get(&view, &owner, instance)?)
        }
        Page::PutInstance => {
            let InstanceBody { attributes } = body(request)?;
            let new = NewInstance {
                id: instance.to_owned(),
                attributes,
                creator_request_id: None,
            };
            let made = instances::register(scene, which, &new)?;
            show(&registry::service(&view, which)?, &made)
        }
        Page::DeleteInstance => {
            let owner = registry::service(&view, which)?;
            show(&owner, &instances::deregister(scene, which, instance)?.0)
        }
        Page::PutHealth => {
            let HealthBody { status } = body(request)?;
            let reported = instances::report(scene, which, instance, status)?;
            show(&registry::service(&view, which)?, &reported)
        }
    })
}

fn all<T: DeserializeOwned>(store: &dyn Store, prefix: &str) -> Result<Vec<T>, ApiError> {
    Ok(registry::page(store, prefix, None, usize::MAX, |_| true)?.0)
}

/// An instance with its health as far as it is known.
fn show(owner: &Service, instance: &Instance) -> Value {
    let mut shown = json!(instance);
    if let Some(members) = shown.as_object_mut() {
        members.insert("health".to_owned(), json!(discovery::status(owner, instance)));
    }
    shown
}
