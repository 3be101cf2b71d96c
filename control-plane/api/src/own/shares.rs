//! `/v1/shares`: meshes that their owners let other accounts use.
//!
//! | path | methods |
//! |---|---|
//! | `/v1/shares` | GET: what the caller shares, and what others share with the caller |
//! | `/v1/shares/{mesh}/{account}` | PUT, DELETE: the caller's mesh, the other's account |
//!
//! What a consumer may do in a shared mesh: `crate::appmesh::accounts`.

use ferromesh_model::record::Share;
use ferromesh_model::resource::Key;
use ferromesh_model::validate::{self, Lookup};
use ferromesh_model::Violation;
use ferromesh_store::{catalog, key, Change};
use serde_json::{json, Value};

use crate::access::{Role, Subject};
use crate::appmesh::Scene;
use crate::state::is_account;
use crate::view;
use crate::ApiError;

/// What a request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    List,
    Put,
    Delete,
}

impl Page {
    /// Name in logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::List => "ListShares",
            Self::Put => "PutShare",
            Self::Delete => "DeleteShare",
        }
    }

    /// Whether it changes something.
    pub(crate) fn is_change(self) -> bool {
        self != Self::List
    }
}

/// The methods of a path below `/v1/shares`.
pub(super) fn pages(rest: &[&str]) -> &'static [(&'static str, Page)] {
    match rest {
        [] => &[("GET", Page::List)],
        [mesh, account] if !mesh.is_empty() && !account.is_empty() => &[("PUT", Page::Put), ("DELETE", Page::Delete)],
        _ => &[],
    }
}

/// The answer to one request.
pub(crate) fn answer(scene: &Scene<'_>, page: Page, mesh: &str, account: &str) -> Result<Value, ApiError> {
    match page {
        Page::List => list(scene),
        Page::Put => put(scene, mesh, account),
        Page::Delete => delete(scene, mesh, account),
    }
}

fn list(scene: &Scene<'_>) -> Result<Value, ApiError> {
    let caller = &scene.caller.account;
    let mut shares = Vec::new();
    for stored in scene.store.list(key::SHARES, None, None)?.entries {
        let share: Share = catalog::read(&stored)?;
        let is_theirs = &share.mesh_owner == caller || &share.account == caller;
        if is_theirs && scene.caller.may(Role::Reader, Subject::Mesh, &share.mesh) {
            shares.push(share);
        }
    }
    Ok(json!({ "shares": shares }))
}

/// Shares a mesh. Doing it again changes nothing.
fn put(scene: &Scene<'_>, mesh: &str, account: &str) -> Result<Value, ApiError> {
    let owner = &scene.caller.account;
    if !is_account(account) {
        let message = format!("must be 12 digits, is {account:?}");
        ApiError::refuse(vec![Violation::new("account", message)])?;
    }
    if account == owner {
        let message = format!("must be another account than the mesh's owner, {owner}");
        ApiError::refuse(vec![Violation::new("account", message)])?;
    }
    let now = scene.clock.now();
    view::commit(scene.store, |view| {
        let of_mesh = Key::mesh(mesh);
        if view.record(&of_mesh)?.is_none() {
            return Err(validate::not_found(owner, &of_mesh).into());
        }
        let key = key::share(account, owner, mesh);
        if let Some(stored) = view.get(&key)? {
            return Ok((Vec::new(), json!(catalog::read::<Share>(&stored)?)));
        }
        let share = Share {
            mesh: mesh.to_owned(),
            mesh_owner: owner.clone(),
            account: account.to_owned(),
            shared_at: now,
        };
        Ok::<_, ApiError>((vec![catalog::put(key, &share)?], json!(share)))
    })
}

/// Ends sharing. What the other account made in the mesh stays.
fn delete(scene: &Scene<'_>, mesh: &str, account: &str) -> Result<Value, ApiError> {
    view::commit(scene.store, |view| {
        let key = key::share(account, &scene.caller.account, mesh);
        let Some(stored) = view.get(&key)? else {
            let message = format!("mesh {mesh:?} is not shared with account {account:?}");
            return Err(ApiError::not_found(message));
        };
        let share: Share = catalog::read(&stored)?;
        Ok((vec![Change::delete(key)], json!(share)))
    })
}
