//! Principals: names that keys are made for, with what they may do.

use ferromesh_model::Violation;
use ferromesh_store::{catalog, key, Change, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::table::{self, Table};
use super::Binding;
use crate::view::{self, View};
use crate::{ApiError, ErrorKind};

/// Most bindings of a principal.
const MAX_BINDINGS: usize = 100;
/// Most characters of a principal's name, and of a pattern of meshes.
const MAX_NAME: usize = 64;
/// Most characters of a pattern: App Mesh's names have at most 255.
const MAX_PATTERN: usize = 255;

/// A principal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Principal {
    /// Its name: letters, digits and `+=,.@_-`, at most 64.
    pub name: String,
    /// Account that it acts for, 12 digits.
    pub account: String,
    /// What it may do.
    pub bindings: Vec<Binding>,
}

impl Principal {
    /// Everything that is wrong with it.
    pub(crate) fn check(&self) -> Vec<Violation> {
        let mut found = Vec::new();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte);
        if !(1..=MAX_NAME).contains(&self.name.len()) || !self.name.bytes().all(is_name) {
            let message = format!(
                "must have 1 to {MAX_NAME} letters, digits and +=,.@_-, is {:?}",
                self.name
            );
            found.push(Violation::new("principal", message));
        }
        if self.name == crate::ANONYMOUS {
            found.push(Violation::new(
                "principal",
                "must not be anonymous, the name of callers without a key",
            ));
        }
        if self.account.len() != 12 || !self.account.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = format!("must be 12 digits, is {:?}", self.account);
            found.push(Violation::new("account", message));
        }
        if !(1..=MAX_BINDINGS).contains(&self.bindings.len()) {
            let message = format!("must have 1 to {MAX_BINDINGS} elements, has {}", self.bindings.len());
            found.push(Violation::new("bindings", message));
        }
        for (index, binding) in self.bindings.iter().enumerate() {
            if !(1..=MAX_PATTERN).contains(&binding.mesh.chars().count()) {
                let message = format!("must have 1 to {MAX_PATTERN} characters");
                found.push(Violation::new(format!("bindings[{index}].mesh"), message));
            }
        }
        found
    }

    /// Whether it may do everything.
    pub(crate) fn is_unlimited(&self) -> bool {
        self.bindings.iter().any(Binding::is_unlimited)
    }
}

/// Makes or changes a principal.
///
/// # Errors
/// It cannot be as it is asked for, or nobody would be left who may handle keys.
pub fn bind(store: &dyn Store, principal: &Principal, now: f64) -> Result<(), ApiError> {
    ApiError::refuse(principal.check())?;
    view::commit(store, |view| {
        let mut table = Table::read(view)?;
        let before = table.has_admin(now);
        table.principals.insert(principal.name.clone(), principal.clone());
        table::leaves_an_admin(before, &table, now)?;
        Ok::<_, ApiError>((vec![put(principal)?], ()))
    })
}

/// Deletes a principal that has no keys, and gives back what it was.
pub(crate) fn delete(store: &dyn Store, name: &str) -> Result<Principal, ApiError> {
    view::commit(store, |view: &View<'_>| {
        let mut table = Table::read(view)?;
        let principal = table.principals.remove(name).ok_or_else(|| absent(name))?;
        let keys = table.keys.values().filter(|key| key.principal == name).count();
        if keys > 0 {
            let message = format!("principal {name:?} has {keys} keys: delete them first");
            return Err(ApiError::new(ErrorKind::ResourceInUse, message));
        }
        Ok((vec![Change::delete(key::principal(name))], principal))
    })
}

pub(crate) fn absent(name: &str) -> ApiError {
    ApiError::not_found(format!("there is no principal {name:?}"))
}

pub(crate) fn put(principal: &Principal) -> Result<Change, StoreError> {
    catalog::put(key::principal(&principal.name), principal)
}
