//! Certificates that are no longer good, one by one or all of a proxy up to now.

use ferromesh_model::Violation;
use ferromesh_store::{catalog, key, Change};
use serde::Deserialize;
use serde_json::{json, Value};

use super::{at_most, own_proxy};
use crate::appmesh::Scene;
use crate::identity::{JoinToken, Revocation};
use crate::view;
use crate::ApiError;

/// Longest serial number, in digits: 20 bytes (RFC 5280 4.1.2.2), and one that makes it positive.
const MAX_SERIAL: usize = 42;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewRevocation {
    serial: Option<String>,
    proxy: Option<String>,
}

/// Lower case, without colons, as tools print them in many ways.
fn serial(text: &str) -> Result<String, ApiError> {
    let digits: String = text
        .chars()
        .filter(|c| *c != ':')
        .collect::<String>()
        .to_ascii_lowercase();
    let is_serial = (2..=MAX_SERIAL).contains(&digits.len())
        && digits.len().is_multiple_of(2)
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_serial {
        let message = format!("must be 2 to {MAX_SERIAL} hexadecimal digits, two for each byte");
        ApiError::refuse(vec![Violation::new("serial", message)])?;
    }
    Ok(digits)
}

/// Revokes a certificate, or all of a proxy up to now, with its join tokens: whoever has stolen one would come again by it.
pub(super) fn revoke(scene: &Scene<'_>, new: NewRevocation) -> Result<Value, ApiError> {
    let created_at = scene.clock.now();
    let revocation = match (new.serial, new.proxy) {
        (Some(text), None) => Revocation {
            serial: Some(serial(&text)?),
            proxy: None,
            created_at,
        },
        (None, Some(text)) => Revocation {
            serial: None,
            proxy: Some(own_proxy(scene, "proxy", &text)?.0),
            created_at,
        },
        _ => return Err(ApiError::bad_request("body: must have either serial or proxy")),
    };
    view::commit(scene.store, |view| {
        let key = key::revocation(id(&revocation));
        let mut changes = vec![catalog::put(key.clone(), &revocation)?];
        let known = view.keys(key::REVOCATIONS)?;
        if !known.contains(&key) {
            at_most("revocations", known.len())?;
        }
        if let Some(proxy) = &revocation.proxy {
            for stored in view.values(key::JOIN_TOKENS)? {
                let token: JoinToken = catalog::read(&stored)?;
                if token.proxy == *proxy {
                    changes.push(Change::delete(stored.key));
                }
            }
        }
        Ok::<_, ApiError>((changes, ()))
    })?;
    Ok(json!(revocation))
}

pub(super) fn id(revocation: &Revocation) -> &str {
    let serial = revocation.serial.as_deref();
    serial.or(revocation.proxy.as_deref()).unwrap_or_default()
}

pub(super) fn restore(scene: &Scene<'_>, named: &str) -> Result<Value, ApiError> {
    let id = match named.contains('/') {
        true => own_proxy(scene, "id", named)?.0,
        false => serial(named)?,
    };
    view::commit(scene.store, |view| {
        let key = key::revocation(&id);
        let Some(stored) = view.get(&key)? else {
            return Err(ApiError::not_found(format!("{named:?} is not revoked")));
        };
        let revocation: Revocation = catalog::read(&stored)?;
        Ok((vec![Change::delete(key)], json!(revocation)))
    })
}
