//! What meshes choose.

use ferromesh_api::{ApiError, Author};
use ferromesh_model::{resource::Key, validate::Rejection, Violation};
use ferromesh_store::{catalog, key, Change, Compare, Revision, Store, StoreError, Transaction};

use super::{
    catalogue::Catalogue,
    keep::Tried,
    loaded::Unusable,
    record::{Choice, BUILT_IN},
};

/// A mesh's choice as it was read, and what must hold for a change of it.
struct Read {
    choice: Choice,
    compares: Vec<Compare>,
}

impl Catalogue {
    /// What a mesh has chosen; `None` if there is no such mesh.
    pub(super) fn choice_of(&self, store: &dyn Store, mesh: &str) -> Result<Option<Choice>, StoreError> {
        Ok(read(store, mesh)?.map(|read| read.choice))
    }

    pub(super) fn try_to_choose(
        &self,
        store: &dyn Store,
        by: &Author,
        mesh: &str,
        version: &str,
        reason: Option<&str>,
    ) -> Result<Option<Choice>, Tried> {
        let Some(Read { mut choice, compares }) = read(store, mesh)? else {
            return Ok(None);
        };
        if choice.version == version {
            return Ok(Some(choice));
        }
        let of_set = self.usable(version)?;
        choice.roll_out(by.at, &by.principal, version, reason);
        write(store, &choice, compares.into_iter().chain(of_set))?;
        Ok(Some(choice))
    }

    /// Goes back, unless the mesh has left the set `only_from` already.
    pub(super) fn try_to_roll_back(
        &self,
        store: &dyn Store,
        by: &Author,
        mesh: &str,
        only_from: Option<&str>,
        reason: Option<&str>,
    ) -> Result<Option<Choice>, Tried> {
        let Some(Read { mut choice, compares }) = read(store, mesh)? else {
            return Ok(None);
        };
        if only_from.is_some_and(|version| version != choice.version) {
            return Ok(None);
        }
        let Some(previous) = choice.previous.clone() else {
            let message = format!(
                "mesh {mesh:?} has no module set that it could go back to from {:?}",
                choice.version
            );
            return Err(ApiError::bad_request(message).into());
        };
        let of_set = self.usable(&previous)?;
        choice.roll_back(by.at, &by.principal, reason);
        write(store, &choice, compares.into_iter().chain(of_set))?;
        Ok(Some(choice))
    }

    /// What must hold for a set to be there still, if it can be used.
    fn usable(&self, version: &str) -> Result<Option<Compare>, Tried> {
        if version == BUILT_IN {
            return Ok(None);
        }
        let wrong = |message: String| {
            let violation = Violation::new("version", message);
            Tried::Refused(Rejection::Invalid(vec![violation]).into())
        };
        let key = key::module_set(version);
        // Before it is loaded: what is loaded is of this revision or a later one, which the compare then refuses.
        let Some(stored) = self.store.get(&key)? else {
            return Err(wrong(format!("there is no module set {version:?}")));
        };
        match self.set(version) {
            Ok(_) => Ok(Some(unchanged(key, Some(stored.modified)))),
            Err(Unusable::Store(error)) => Err(error.into()),
            Err(Unusable::Refused(why)) => Err(wrong(why)),
        }
    }
}

fn read(store: &dyn Store, mesh: &str) -> Result<Option<Read>, StoreError> {
    let (of_mesh, of_choice) = (key::record(&Key::mesh(mesh)), key::module_choice(mesh));
    let Some(record) = store.get(&of_mesh)? else {
        return Ok(None);
    };
    let stored = store.get(&of_choice)?;
    let choice = stored.as_ref().map(catalog::read).transpose()?;
    Ok(Some(Read {
        choice: choice.unwrap_or_else(|| Choice::none(mesh)),
        compares: vec![
            unchanged(of_mesh, Some(record.modified)),
            unchanged(of_choice, stored.map(|stored| stored.modified)),
        ],
    }))
}

fn write(store: &dyn Store, choice: &Choice, compares: impl Iterator<Item = Compare>) -> Result<(), StoreError> {
    let changes: Vec<Change> = vec![catalog::put(key::module_choice(&choice.mesh), choice)?];
    let compares = compares.collect();
    store.commit(Transaction { compares, changes }).map(drop)
}

fn unchanged(key: String, modified: Option<Revision>) -> Compare {
    Compare::Unchanged { key, modified }
}
