//! What was found.

use std::fmt;

use ferromesh_ir::Lint;
use serde::Serialize;

use crate::code::{Code, Explained};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Requests fail that their author means to be answered, or a resource has no effect at all.
    Error,
    /// It works, and not as its author may expect.
    Warning,
    /// Good to know.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// One finding. The order is that in which people should read them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Place of the resource in the mesh: `virtualRouter/r/route/t`.
    pub resource: String,
    /// `FM201`.
    pub code: &'static str,
    /// Member of the resource, in wire names; empty for the resource as a whole.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// What, lower case without a full stop.
    pub message: String,
    /// Why that is so.
    pub reason: &'static str,
    /// What to do about it.
    pub mend: &'static str,
    /// The page that says more, in the repository: `docs/lints/FM201.md`.
    pub page: String,
}

impl Finding {
    /// A finding about a resource.
    pub(crate) fn new(code: Code, resource: impl Into<String>, path: impl Into<String>, message: String) -> Self {
        Self::explained(code.explained(), resource.into(), path.into(), message)
    }

    /// What was found while a proxy's configuration was made.
    pub(crate) fn lowered(lint: &Lint) -> Self {
        let explained = Explained::lowered(lint.code);
        Self::explained(explained, lint.resource.clone(), String::new(), lint.message.clone())
    }

    fn explained(explained: Explained, resource: String, path: String, message: String) -> Self {
        let Explained {
            code,
            severity,
            reason,
            mend,
            title: _,
        } = explained;
        Self {
            severity,
            resource,
            code,
            path,
            message,
            reason,
            mend,
            page: format!("docs/lints/{code}.md"),
        }
    }
}
