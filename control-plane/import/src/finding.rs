//! What could not be carried over, with its place.

use std::{collections::HashSet, fmt};

use serde::Serialize;

use crate::document::Lines;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Something was left aside that has no meaning here, or was assumed as documented.
    Note,
    /// Carried over, but somebody should look at it.
    Warning,
    /// Lost, or refused by the API: the resource is not what it was.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing that could not be carried over, or that should be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file.
    pub file: String,
    /// Line in the file, from 1, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// Which resource, in the words of the file: a logical id, `VirtualNode shop/cart`, `aws_appmesh_route.a`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub subject: String,
    /// Where in the file's structure: `Resources.Cart.Properties.Spec.Listeners[0]`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// What is wrong, lower case, without a full stop.
    pub reason: String,
}

impl fmt::Display for Finding {
    /// `mesh.yaml:12: error: Cart: Resources.Cart.Properties.Spec: no property …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}: ", self.severity)?;
        if !self.subject.is_empty() {
            write!(f, "{}: ", self.subject)?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.reason)
    }
}

/// Where something stands: a file, its lines, and the resource that is being read.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub file: &'a str,
    pub lines: &'a Lines,
    pub subject: &'a str,
}

/// Most findings that are kept: a file of the wrong kind would give one for every line.
const MAX_FINDINGS: usize = 10_000;

/// Collects findings.
#[derive(Debug, Default)]
pub struct Report {
    findings: Vec<Finding>,
    seen: HashSet<String>,
}

impl Report {
    pub fn add(&mut self, severity: Severity, place: Place<'_>, path: &str, reason: impl Into<String>) {
        self.push(Finding {
            severity,
            file: place.file.to_owned(),
            line: place.lines.at(path),
            subject: place.subject.to_owned(),
            path: path.to_owned(),
            reason: reason.into(),
        });
    }

    pub fn error(&mut self, place: Place<'_>, path: &str, reason: impl Into<String>) {
        self.add(Severity::Error, place, path, reason);
    }

    pub fn warning(&mut self, place: Place<'_>, path: &str, reason: impl Into<String>) {
        self.add(Severity::Warning, place, path, reason);
    }

    pub fn note(&mut self, place: Place<'_>, path: &str, reason: impl Into<String>) {
        self.add(Severity::Note, place, path, reason);
    }

    /// A finding on a file as a whole, or on one line of it.
    pub fn file(&mut self, severity: Severity, file: &str, line: Option<u32>, reason: impl Into<String>) {
        self.push(Finding {
            severity,
            file: file.to_owned(),
            line,
            subject: String::new(),
            path: String::new(),
            reason: reason.into(),
        });
    }

    pub fn push(&mut self, finding: Finding) {
        // What is read twice (a name that several resources refer to) is said once. The last place is an error's: no
        // file is taken for whole because it had too much wrong with it.
        let room = self.findings.len() < MAX_FINDINGS;
        let overflow = self.findings.len() == MAX_FINDINGS && finding.severity == Severity::Error;
        if (room || overflow) && self.seen.insert(finding.to_string()) {
            self.findings.push(finding);
        }
    }

    /// Whether something of a resource is lost already.
    pub fn has_error_on(&self, file: &str, subject: &str) -> bool {
        let is_it = |finding: &Finding| {
            finding.severity == Severity::Error && finding.file == file && finding.subject == subject
        };
        self.findings.iter().any(is_it)
    }

    pub fn into_findings(self) -> Vec<Finding> {
        self.findings
    }
}
