//! The registry of tasks, below both APIs that reach it: ours (`/v1/registry`) and AWS Cloud Map's.
//!
//! Every change is one transaction, judged again if what it was judged by has changed meanwhile, and is on disk when the
//! call is answered. So an operation has always succeeded by the time its id is known.

pub(crate) mod discovery;
pub(crate) mod instances;
pub(crate) mod namespaces;
mod operations;
mod refusal;
pub(crate) mod services;
pub(crate) mod tags;

use ferromesh_model::registry::{Namespace, Service};
use ferromesh_store::{catalog, key, Change, Store, StoreError};
use serde::{Deserialize, Serialize};

pub(crate) use refusal::{Refused, Why};

use crate::view::View;

/// Which namespace a call means.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WhichNamespace<'a> {
    /// By its id or ARN.
    Id(&'a str),
    /// By its name.
    Named(&'a str),
}

/// Which service a call means.
#[derive(Debug, Clone, Copy)]
pub(crate) enum WhichService<'a> {
    /// By its id or ARN.
    Id(&'a str),
    /// By the names of its namespace and its own.
    Named(&'a str, &'a str),
}

/// Where the bearer of an id is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Place {
    namespace: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<String>,
}

/// The namespace that is meant.
pub(crate) fn namespace(view: &View<'_>, which: WhichNamespace<'_>) -> Result<Namespace, Refused> {
    let found = match which {
        WhichNamespace::Named(name) => read(view, &key::namespace(name))?,
        WhichNamespace::Id(id) => match place(view, id)? {
            Some(Place {
                namespace,
                service: None,
            }) => read(view, &key::namespace(&namespace))?,
            _ => None,
        },
    };
    let (WhichNamespace::Id(name) | WhichNamespace::Named(name)) = which;
    found.ok_or_else(|| Refused::new(Why::NamespaceNotFound, format!("namespace {name:?} is not present")))
}

/// The service that is meant.
pub(crate) fn service(view: &View<'_>, which: WhichService<'_>) -> Result<Service, Refused> {
    let absent = |text: String| Refused::new(Why::ServiceNotFound, text);
    match which {
        WhichService::Named(in_namespace, name) => {
            namespace(view, WhichNamespace::Named(in_namespace))?;
            read(view, &key::service(in_namespace, name))?
                .ok_or_else(|| absent(format!("service {name:?} is not present in namespace {in_namespace:?}")))
        }
        WhichService::Id(id) => {
            let found = match place(view, id)? {
                Some(Place {
                    namespace,
                    service: Some(service),
                }) => read(view, &key::service(&namespace, &service))?,
                _ => None,
            };
            found.ok_or_else(|| absent(format!("service {id:?} is not present")))
        }
    }
}

fn place(view: &View<'_>, id: &str) -> Result<Option<Place>, StoreError> {
    // `arn:aws:servicediscovery:<region>:<account>:service/srv-…`
    let id = match id.strip_prefix("arn:") {
        Some(rest) => rest.rsplit('/').next().unwrap_or(rest),
        None => id,
    };
    read(view, &key::registry_id(id))
}

/// A new id of a kind: `ns-` or `srv-` and 16 digits.
fn new_id(prefix: &str) -> String {
    let digits = uuid::Uuid::new_v4().simple().to_string();
    format!("{prefix}-{}", digits.get(..16).unwrap_or(&digits))
}

fn put_place(id: &str, namespace: &str, service: Option<&str>) -> Result<Change, StoreError> {
    let place = Place {
        namespace: namespace.to_owned(),
        service: service.map(str::to_owned),
    };
    catalog::put(key::registry_id(id), &place)
}

fn read<T: serde::de::DeserializeOwned>(view: &View<'_>, key: &str) -> Result<Option<T>, StoreError> {
    view.get(key)?.as_ref().map(catalog::read).transpose()
}

/// The values under a prefix that fit, in the order of their names: those after `after`, at most `limit`; and after which
/// the next page begins, if there is one.
pub(crate) fn page<T: serde::de::DeserializeOwned>(
    store: &dyn Store,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
    fits: impl Fn(&T) -> bool,
) -> Result<(Vec<T>, Option<String>), Refused> {
    let after = after.map(|after| format!("{prefix}{after}"));
    let listing = store.list(prefix, after.as_deref(), None)?;
    let (mut shown, mut last) = (Vec::new(), None);
    for stored in &listing.entries {
        let value: T = catalog::read(stored)?;
        if !fits(&value) {
            continue;
        }
        if shown.len() == limit {
            return Ok((shown, last));
        }
        shown.push(value);
        last = stored.key.strip_prefix(prefix).map(str::to_owned);
    }
    Ok((shown, None))
}
