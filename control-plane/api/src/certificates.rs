//! What the API knows of certificates: that somebody keeps and issues them.

use std::fmt;

use ferromesh_store::Store;
use serde_json::Value;

use crate::{ApiError, ErrorKind};

/// What is imported for an ARN, all PEM.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Import {
    /// A certificate and those that lead to its authority, in this order.
    pub certificate_chain: Option<String>,
    /// Its private key.
    pub private_key: Option<String>,
    /// The authorities that callers believe.
    pub trust: Option<String>,
}

/// Without the key.
impl fmt::Debug for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Import")
            .field("certificate_chain", &self.certificate_chain)
            .field("private_key", &self.private_key.as_ref().map(|_| "(private)"))
            .field("trust", &self.trust)
            .finish()
    }
}

/// Keeps what was imported for ARNs, and knows what was issued for others. Private keys go in and never come out.
///
/// Calls block on the disk.
pub trait Certificates: Send + Sync {
    /// Everything, imported and issued, each a JSON object with at least `arn`.
    ///
    /// # Errors
    /// The store failed.
    fn list(&self) -> Result<Vec<Value>, ApiError>;

    /// What there is for one ARN.
    ///
    /// # Errors
    /// The store failed.
    fn get(&self, arn: &str) -> Result<Option<Value>, ApiError>;

    /// Imports something, in the place of what was imported before.
    ///
    /// # Errors
    /// It cannot be used, each reason with its member; nothing was stored.
    fn put(&self, arn: &str, import: &Import) -> Result<Value, ApiError>;

    /// As [`Certificates::put`], by a store that writes more with each change, such as the record of who made it.
    ///
    /// # Errors
    /// As there.
    fn put_in(&self, store: &dyn Store, arn: &str, import: &Import) -> Result<Value, ApiError>;

    /// Forgets what was imported; `None` if nothing was.
    ///
    /// # Errors
    /// The store failed.
    fn delete(&self, arn: &str) -> Result<Option<Value>, ApiError>;

    /// As [`Certificates::delete`], by a store that writes more with each change.
    ///
    /// # Errors
    /// As there.
    fn delete_in(&self, store: &dyn Store, arn: &str) -> Result<Option<Value>, ApiError>;

    /// Issues the certificate of an ARN anew; `None` if there is none that was issued here.
    ///
    /// # Errors
    /// It cannot be issued or kept.
    fn renew(&self, arn: &str) -> Result<Option<Value>, ApiError>;
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCertificates;

impl Certificates for NoCertificates {
    fn list(&self) -> Result<Vec<Value>, ApiError> {
        Ok(Vec::new())
    }

    fn get(&self, _: &str) -> Result<Option<Value>, ApiError> {
        Ok(None)
    }

    fn put(&self, _: &str, _: &Import) -> Result<Value, ApiError> {
        let why = "this server keeps no certificates";
        Err(ApiError::new(ErrorKind::ServiceUnavailable, why))
    }

    fn put_in(&self, _: &dyn Store, arn: &str, import: &Import) -> Result<Value, ApiError> {
        self.put(arn, import)
    }

    fn delete(&self, _: &str) -> Result<Option<Value>, ApiError> {
        Ok(None)
    }

    fn delete_in(&self, _: &dyn Store, _: &str) -> Result<Option<Value>, ApiError> {
        Ok(None)
    }

    fn renew(&self, _: &str) -> Result<Option<Value>, ApiError> {
        Ok(None)
    }
}
