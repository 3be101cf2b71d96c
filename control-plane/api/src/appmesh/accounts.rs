//! Accounts: whose mesh a request means, and what those may do in it who do not own it.
//!
//! A mesh belongs to the account that made it. Its owner may share it with others, its consumers. As in App Mesh,
//! everybody reads everything in a mesh; consumers make virtual nodes, services, routers and routes, which are theirs;
//! nobody changes what another account made, but the mesh's owner may delete it; gateways are the mesh owner's alone;
//! tags are seen by the account only whose resource has them. When sharing ends, what consumers made stays, and only the
//! mesh's owner reaches it.

use ferromesh_model::record::{Record, Share};
use ferromesh_model::resource::{Key, Kind};
use ferromesh_store::{catalog, key, AccountStore, Change, Store, StoreError};

use super::input::Input;
use super::{Call, Scene};
use crate::view::View;
use crate::{ApiError, ErrorKind};

/// The account whose mesh a request means.
///
/// # Errors
/// An ARN that names no resource of App Mesh, or a resource whose tags are another account's.
pub(super) fn owner(scene: &Scene<'_>, call: &Call, input: &Input) -> Result<String, ApiError> {
    if call.kind.is_none() {
        let named = Named::read(input.query("resourceArn").map_or("", String::as_str))?;
        if named.account != scene.caller.account {
            let why = "tags belong to the account whose resource has them";
            return Err(forbidden(scene, call.operation.name, &named.arn, why));
        }
        return Ok(named.mesh_owner);
    }
    Ok(input.query("meshOwner").unwrap_or(&scene.caller.account).clone())
}

/// The same scene with the meshes of an account.
pub(crate) fn of_owner<T>(scene: &Scene<'_>, owner: &str, act: impl FnOnce(&Scene<'_>) -> T) -> T {
    if owner == scene.owner {
        return act(scene);
    }
    let theirs = AccountStore::new(scene.whole, owner);
    let store: &dyn Store = if owner == scene.config.account {
        scene.whole
    } else {
        &theirs
    };
    act(&Scene { store, owner, ..*scene })
}

/// Refuses a caller who may not do this in the mesh that the request means.
pub(super) fn enter(scene: &Scene<'_>, call: &Call, input: &Input) -> Result<(), ApiError> {
    if scene.caller.account == scene.owner {
        return Ok(());
    }
    let mesh = match input.query("resourceArn") {
        Some(arn) => Named::read(arn)?.key.mesh,
        None => input.label("meshName").to_owned(),
    };
    let refuse = |why: &str| {
        let arn = arn(scene, &Key::mesh(&mesh), scene.owner);
        Err(forbidden(scene, call.operation.name, &arn, why))
    };
    let share = key::share(&scene.caller.account, scene.owner, &mesh);
    if scene.store.get(&share)?.is_none() {
        return refuse("the mesh is not shared with this account");
    }
    let is_gateway = matches!(call.kind, Some(Kind::VirtualGateway | Kind::GatewayRoute));
    if is_gateway && call.verb.is_change() {
        return refuse("virtual gateways and their routes are the mesh owner's");
    }
    Ok(())
}

/// Refuses to change what another account made.
pub(crate) fn may_update(scene: &Scene<'_>, record: &Record) -> Result<(), ApiError> {
    let made = &record.metadata.resource_owner;
    if &scene.caller.account == made {
        return Ok(());
    }
    Err(of_another(scene, &format!("Update{}", record.key.kind), record))
}

/// Refuses to delete what another account made, unless the mesh is the caller's.
pub(crate) fn may_delete(scene: &Scene<'_>, record: &Record) -> Result<(), ApiError> {
    let caller = &scene.caller.account;
    if caller == &record.metadata.resource_owner || caller == &record.metadata.mesh_owner {
        return Ok(());
    }
    Err(of_another(scene, &format!("Delete{}", record.key.kind), record))
}

fn of_another(scene: &Scene<'_>, operation: &str, record: &Record) -> ApiError {
    let why = format!("the resource is account {}'s", record.metadata.resource_owner);
    forbidden(scene, operation, &record.metadata.arn, &why)
}

/// The writes that end all sharing of a mesh.
pub(super) fn unshare(view: &View<'_>, owner: &str, mesh: &str) -> Result<Vec<Change>, StoreError> {
    // Few meshes are shared, and a mesh is not often deleted: all are read.
    let shares = view.store().list(key::SHARES, None, None)?.entries;
    let mut changes = Vec::new();
    for stored in shares {
        let share: Share = catalog::read(&stored)?;
        if share.mesh_owner == owner && share.mesh == mesh {
            // Read again, so that the deletion holds only if it is still there.
            view.get(&stored.key)?;
            changes.push(Change::delete(stored.key));
        }
    }
    Ok(changes)
}

/// ARN of a resource that `account` makes in the scene's meshes. In a mesh of another account, the mesh's name says whose
/// it is, as it does in the names of proxies.
pub(crate) fn arn(scene: &Scene<'_>, key: &Key, account: &str) -> String {
    if account == scene.owner {
        return key.arn(&scene.config.region, account);
    }
    let mut key = key.clone();
    key.mesh = format!("{}@{}", key.mesh, scene.owner);
    key.arn(&scene.config.region, account)
}

/// What a caller hears who may not do something.
fn forbidden(scene: &Scene<'_>, operation: &str, arn: &str, why: &str) -> ApiError {
    let account = &scene.caller.account;
    ApiError::new(
        ErrorKind::Forbidden,
        format!(
            "User: arn:aws:iam::{account}:root is not authorized to perform: appmesh:{operation} on resource: {arn} \
             because {why}"
        ),
    )
}

/// What an ARN says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) arn: String,
    pub(super) key: Key,
    /// Account of the resource.
    account: String,
    mesh_owner: String,
}

/// The resource that an ARN names, without its accounts.
pub(crate) fn key_of(arn: &str) -> Option<Key> {
    Named::parse(arn).map(|named| named.key)
}

impl Named {
    /// Reads the ARN of a resource.
    pub(super) fn read(arn: &str) -> Result<Self, ApiError> {
        Self::parse(arn).ok_or_else(|| {
            ApiError::bad_request(format!(
                "resourceArn: must be the ARN of an App Mesh resource, is {arn:?}"
            ))
        })
    }

    fn parse(arn: &str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let ("arn", _partition, "appmesh", _region, account) = (
            parts.next()?,
            parts.next()?,
            parts.next()?,
            parts.next()?,
            parts.next()?,
        ) else {
            return None;
        };
        let mut key = Key::parse(parts.next()?)?;
        let mut mesh_owner = account.to_owned();
        if key.kind != Kind::Mesh {
            if let Some((mesh, owner)) = key.mesh.split_once('@') {
                mesh_owner = owner.to_owned();
                key.mesh = mesh.to_owned();
            }
        }
        Some(Self {
            arn: arn.to_owned(),
            key,
            account: account.to_owned(),
            mesh_owner,
        })
    }
}

#[cfg(test)]
mod tests;
