//! `/v1/keys` and `/v1/principals`: who may do what.
//!
//! | path | methods |
//! |---|---|
//! | `/v1/keys` | GET; POST `{"principal": "ci", "bindings": [{"role": "operator", "mesh": "shop-*"}]}` makes a key, `"bearer": true` a token |
//! | `/v1/keys/{id}` | GET, DELETE |
//! | `/v1/keys/{id}/enable`, `/v1/keys/{id}/disable` | POST |
//! | `/v1/principals` | GET |
//! | `/v1/principals/{name}` | GET, PUT `{"bindings": […]}`, DELETE |
//!
//! The secret of a key is in the answer to its making and nowhere else.

use serde::Deserialize;
use serde_json::{json, Value};

use crate::access::table::Table;
use crate::access::{self, keys, principals, Admission, Binding, NewKey, Principal, State};
use crate::appmesh::Scene;
use crate::request::Request;
use crate::{ApiError, ErrorKind};

/// What a request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    Keys,
    CreateKey,
    GetKey,
    DeleteKey,
    EnableKey,
    DisableKey,
    Principals,
    GetPrincipal,
    PutPrincipal,
    DeletePrincipal,
}

impl Page {
    /// Name in logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Keys => "ListKeys",
            Self::CreateKey => "CreateKey",
            Self::GetKey => "GetKey",
            Self::DeleteKey => "DeleteKey",
            Self::EnableKey => "EnableKey",
            Self::DisableKey => "DisableKey",
            Self::Principals => "ListPrincipals",
            Self::GetPrincipal => "GetPrincipal",
            Self::PutPrincipal => "PutPrincipal",
            Self::DeletePrincipal => "DeletePrincipal",
        }
    }

    /// Whether it changes something.
    pub(crate) fn is_change(self) -> bool {
        !matches!(self, Self::Keys | Self::GetKey | Self::Principals | Self::GetPrincipal)
    }
}

/// The pages with this path, by their methods.
pub(super) fn pages(segments: &[&str]) -> &'static [(&'static str, Page)] {
    if segments.iter().any(|segment| segment.is_empty()) {
        return &[];
    }
    match segments {
        ["v1", "keys"] => &[("GET", Page::Keys), ("POST", Page::CreateKey)],
        ["v1", "keys", _] => &[("GET", Page::GetKey), ("DELETE", Page::DeleteKey)],
        ["v1", "keys", _, "enable"] => &[("POST", Page::EnableKey)],
        ["v1", "keys", _, "disable"] => &[("POST", Page::DisableKey)],
        ["v1", "principals"] => &[("GET", Page::Principals)],
        ["v1", "principals", _] => &[
            ("GET", Page::GetPrincipal),
            ("PUT", Page::PutPrincipal),
            ("DELETE", Page::DeletePrincipal),
        ],
        _ => &[],
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PrincipalBody {
    bindings: Vec<Binding>,
    account: Option<String>,
}

fn body<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, ApiError> {
    let object = Value::Object(request.object()?);
    serde_json::from_value(object).map_err(|error| ApiError::bad_request(format!("body: {error}")))
}

/// The answer to one request.
pub(super) fn answer(
    scene: &Scene<'_>,
    admission: &Admission,
    page: Page,
    segments: &[String],
    request: &Request,
) -> Result<Value, ApiError> {
    let store = scene.store;
    let name = segments.get(2).map_or("", String::as_str);
    let (account, now) = (&scene.config.account, scene.clock.now());
    Ok(match page {
        Page::Keys => json!({ "keys": access::list(store)? }),
        Page::CreateKey => {
            let Admission::Keys { seal, .. } = admission else {
                return Err(ApiError::new(
                    ErrorKind::ServiceUnavailable,
                    "this server keeps no keys",
                ));
            };
            let new: NewKey = body(request)?;
            let created = access::create(store, seal.as_ref(), &new, account, now)?;
            let mut shown = created.shown;
            shown["secret"] = json!(created.secret);
            shown
        }
        Page::GetKey => keys::get(store, name)?,
        Page::DeleteKey => access::delete(store, name, now)?,
        Page::EnableKey => access::set_state(store, name, State::Enabled, now)?,
        Page::DisableKey => access::set_state(store, name, State::Disabled, now)?,
        Page::Principals => {
            let table = Table::now(store)?;
            json!({ "principals": table.principals.values().collect::<Vec<_>>() })
        }
        Page::GetPrincipal => {
            let table = Table::now(store)?;
            json!(table.principals.get(name).ok_or_else(|| principals::absent(name))?)
        }
        Page::PutPrincipal => {
            let PrincipalBody {
                bindings,
                account: named,
            } = body(request)?;
            let known = Table::now(store)?.principals.remove(name);
            let known = known.map(|known| known.account);
            let principal = Principal {
                name: name.to_owned(),
                account: named.or(known).unwrap_or_else(|| account.clone()),
                bindings,
            };
            access::bind(store, &principal, now)?;
            json!(principal)
        }
        Page::DeletePrincipal => json!(principals::delete(store, name)?),
    })
}
