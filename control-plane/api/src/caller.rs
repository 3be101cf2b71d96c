//! Who calls: the account that they act for, the name that they are known by, and what they may do.

use std::sync::Arc;

use crate::access::{Binding, Need, Reach, Role, Subject};
use crate::{ApiError, ErrorKind};

/// Name of a caller of whom nothing is known.
pub const ANONYMOUS: &str = "anonymous";

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Account that they act for, 12 digits: owner of what they make.
    pub account: String,
    /// Name that their keys were made for; [`ANONYMOUS`] where no key is asked for.
    pub principal: String,
    /// Id of the key that they showed, if they had to show one.
    pub key: Option<String>,
    pub(crate) grants: Grants,
}

/// What a caller may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Grants {
    /// Everything.
    All,
    /// What one of these allows.
    Bound(Arc<[Binding]>),
}

impl Caller {
    /// A caller of whom nothing is known, at a server that asks for no keys: they act for the server's own account and may do
    /// everything.
    pub fn anonymous(account: impl Into<String>) -> Self {
        Self {
            account: account.into(),
            principal: ANONYMOUS.to_owned(),
            key: None,
            grants: Grants::All,
        }
    }

    /// Whether the caller has a role, or a higher one, for resources of a kind in a mesh.
    pub fn may(&self, role: Role, kind: Subject, mesh: &str) -> bool {
        self.fulfils(&Need {
            role,
            kind,
            reach: Reach::Mesh(mesh.to_owned()),
        })
    }

    /// Refuses a caller without a role, or a higher one, for resources of a kind in a mesh. To be asked before anything is
    /// looked up, so that the answer does not say what there is.
    ///
    /// # Errors
    /// [`ErrorKind::AccessDenied`].
    pub fn require(&self, role: Role, kind: Subject, mesh: &str) -> Result<(), ApiError> {
        self.require_need(&Need {
            role,
            kind,
            reach: Reach::Mesh(mesh.to_owned()),
        })
    }

    /// Whether the caller sees the resources of a kind in every mesh.
    pub(crate) fn sees_all(&self, kind: Subject) -> bool {
        self.fulfils(&Need {
            role: Role::Reader,
            kind,
            reach: Reach::Server,
        })
    }

    pub(crate) fn fulfils(&self, need: &Need) -> bool {
        match &self.grants {
            Grants::All => true,
            Grants::Bound(bindings) => bindings.iter().any(|binding| binding.allows(need)),
        }
    }

    pub(crate) fn require_need(&self, need: &Need) -> Result<(), ApiError> {
        if self.fulfils(need) {
            return Ok(());
        }
        let message = format!("{} is not allowed to do this: it takes {need}", self.principal);
        Err(ApiError::new(ErrorKind::AccessDenied, message))
    }
}
