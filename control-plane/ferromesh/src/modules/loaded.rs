//! Sets on their way from the store to proxies: put together, and judged again.

use bytes::Bytes;
use ferromesh_store::{key, Store, StoreError};

use super::{
    check::{judge, MAX_MODULE},
    record::{Described, ModuleSet},
    signature::TrustedKeys,
};

/// A set that proxies can be given.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// Its name.
    pub version: String,
    /// What proxies are configured with.
    pub modules: ferromesh_emit::Modules,
}

/// Why proxies cannot be given a set.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The store failed; it may be asked again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such set, or it is not what was put there, or not signed by a key that is trusted now.
    #[error("{0}")]
    Refused(String),
}

impl Loaded {
    /// A set with these modules.
    pub fn new(version: &str, modules: ferromesh_emit::Modules) -> Self {
        Self {
            version: version.to_owned(),
            modules,
        }
    }

    /// Whether proxies get the same bytes from both.
    pub fn is_same(&self, other: &Self) -> bool {
        let hashes = |of: &Self| {
            let modules = [&of.modules.mesh, &of.modules.lean];
            modules.map(|module| module.as_ref().map(|module| module.sha256.clone()))
        };
        hashes(self) == hashes(other)
    }
}

/// Reads the modules of a set that proxies get, and judges them.
pub(super) fn load(store: &dyn Store, set: &ModuleSet, keys: &TrustedKeys) -> Result<Loaded, Unusable> {
    let module = |name: &str| -> Result<Option<ferromesh_emit::Module>, Unusable> {
        let Some(described) = set.modules.get(name) else {
            return Ok(None);
        };
        let bytes = judged(store, described, keys).map_err(|unusable| match unusable {
            Unusable::Refused(why) => Unusable::Refused(format!(
                "module set {}: module {name} cannot be used: {why}",
                set.version
            )),
            failed @ Unusable::Store(_) => failed,
        })?;
        Ok(Some(ferromesh_emit::Module {
            sha256: described.sha256.clone(),
            bytes,
        }))
    };
    let modules = ferromesh_emit::Modules {
        mesh: module("mesh")?,
        lean: module("mesh-lean")?,
    };
    if modules.mesh.is_none() {
        let why = format!("module set {} has no module mesh", set.version);
        return Err(Unusable::Refused(why));
    }
    Ok(Loaded::new(&set.version, modules))
}

/// The bytes of a module, as good as when it was added.
pub(super) fn judged(store: &dyn Store, described: &Described, keys: &TrustedKeys) -> Result<Bytes, Unusable> {
    let parts = store.list(&key::module_bytes(&described.sha256), None, None)?.entries;
    let size: usize = parts.iter().map(|part| part.value.len()).sum();
    if size > MAX_MODULE || size != described.size {
        let why = format!("the store holds {size} bytes, {} were put there", described.size);
        return Err(Unusable::Refused(why));
    }
    let bytes: Vec<u8> = parts.into_iter().flat_map(|part| part.value).collect();
    let judged = judge(&bytes, Some(&described.sha256), described.signature.as_deref(), keys);
    match judged {
        Ok(_) => Ok(bytes.into()),
        Err(violations) => {
            let found: Vec<String> = violations.iter().map(ToString::to_string).collect();
            Err(Unusable::Refused(found.join("; ")))
        }
    }
}
