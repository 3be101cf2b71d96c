//! `/v1/certificates`: certificates and authorities that resources name by ARN.

use ferromesh_model::Violation;
use ferromesh_store::Store;
use serde_json::{json, Value};

use crate::certificates::{Certificates, Import};
use crate::request::Request;
use crate::ApiError;

/// What a request means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    List,
    Get,
    Put,
    Delete,
    Renew,
}

impl Page {
    /// Name in logs and metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::List => "ListCertificates",
            Self::Get => "GetCertificate",
            Self::Put => "PutCertificate",
            Self::Delete => "DeleteCertificate",
            Self::Renew => "RenewCertificate",
        }
    }

    /// Whether it changes something.
    pub(crate) fn is_change(self) -> bool {
        matches!(self, Self::Put | Self::Delete | Self::Renew)
    }
}

/// The methods of a path below `/v1/certificates`, and what they mean. An ARN has slashes, encoded or not.
pub(crate) fn pages(rest: &[&str]) -> &'static [(&'static str, Page)] {
    match rest {
        [] => &[("GET", Page::List)],
        [first, .., "renew"] if !first.is_empty() => &[("POST", Page::Renew)],
        [first, ..] if !first.is_empty() => &[("GET", Page::Get), ("PUT", Page::Put), ("DELETE", Page::Delete)],
        _ => &[],
    }
}

/// The answer to one request.
pub(super) fn answer(
    store: &dyn Store,
    certificates: &dyn Certificates,
    page: Page,
    segments: &[String],
    request: &Request,
) -> Result<Value, ApiError> {
    let mut named = segments.get(2..).unwrap_or_default();
    if page == Page::Renew {
        named = named.split_last().map_or(named, |(_, before)| before);
    }
    let arn = named.join("/");
    let found = |found: Option<Value>| found.ok_or_else(|| absent(page, &arn));
    match page {
        Page::List => Ok(json!({ "certificates": certificates.list()? })),
        Page::Get => found(certificates.get(&arn)?),
        Page::Put => certificates.put_in(store, &arn, &import(request)?),
        Page::Delete => found(certificates.delete_in(store, &arn)?),
        Page::Renew => found(certificates.renew(&arn)?),
    }
}

fn absent(page: Page, arn: &str) -> ApiError {
    ApiError::not_found(match page {
        Page::Delete => format!("nothing was imported for {arn:?}"),
        Page::Renew => format!("no certificate was issued here for {arn:?}"),
        _ => format!("there is no certificate for {arn:?}"),
    })
}

/// Taken apart by hand: what a JSON library says of a wrong member can quote it, and it may be a key.
fn import(request: &Request) -> Result<Import, ApiError> {
    let mut import = Import::default();
    let mut violations = Vec::new();
    for (name, value) in request.object()? {
        let member = match name.as_str() {
            "certificateChain" => &mut import.certificate_chain,
            "privateKey" => &mut import.private_key,
            "trust" => &mut import.trust,
            _ => {
                let known = "is unknown; known are certificateChain, privateKey, trust";
                violations.push(Violation::new(name, known));
                continue;
            }
        };
        match value {
            Value::String(text) => *member = Some(text),
            _ => violations.push(Violation::new(name, "must be a string")),
        }
    }
    ApiError::refuse(violations)?;
    Ok(import)
}
