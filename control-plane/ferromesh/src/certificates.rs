//! Certificates and authorities that were imported for ARNs.
//!
//! They are kept in the store, and with it in every backup of it; private keys are sealed in there with a key that is not
//! ([`keyring`]). What is imported goes before what the built-in authority would issue, and reaches the proxies that refer
//! to it like any other change of the store. Private keys go from here to those proxies and nowhere else: nothing prints
//! them, and no answer of the API holds one.

mod check;
pub mod keyring;

use std::{
    collections::BTreeMap,
    fmt,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use ferromesh_api::{ApiError, Certificates, Import};
use ferromesh_ir::Imported;
use ferromesh_model::{validate::Rejection, Violation};
use ferromesh_store::{catalog, key, Change, Compare, Store, StoreError, Stored, Transaction};
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};

use crate::{
    authority::{Authority, AuthorityError, Issued},
    timestamp::rfc3339,
};
use keyring::{Keyring, Sealed, Unsealable};

/// Most bytes of an ARN: keys of the store and names of secrets stay small.
const MAX_ARN: usize = 512;

/// What is stored for an ARN.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Record {
    arn: String,
    imported_at_seconds: u64,
    /// The authorities that callers believe, PEM.
    trust: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<SealedIdentity>,
}

/// A certificate with its sealed key.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SealedIdentity {
    chain: String,
    key: Sealed,
}

/// A key is sealed for its ARN and its certificate: moved to others in the store, it does not open.
fn bound_to(arn: &str, chain: &str) -> Vec<u8> {
    [arn.as_bytes(), b"\n", chain.as_bytes()].concat()
}

/// Everything that was imported, as it was read from the store.
pub struct Imports(BTreeMap<String, Record>);

impl Imports {
    /// Reads the values under [`key::CERTIFICATES`].
    ///
    /// # Errors
    /// One is no record of this version.
    pub fn read(stored: &[Stored]) -> Result<Self, StoreError> {
        let records = stored.iter().map(catalog::read::<Record>);
        let by_arn = records.map(|record| record.map(|record| (record.arn.clone(), record)));
        by_arn.collect::<Result<_, _>>().map(Self)
    }

    /// The ARN of one of those values.
    ///
    /// # Errors
    /// It is no record of this version.
    pub fn arn(stored: &Stored) -> Result<String, StoreError> {
        catalog::read::<Record>(stored).map(|record| record.arn)
    }

    /// The ARNs, for the lowering.
    pub fn arns(&self) -> Imported {
        let with_identity = self.0.values().filter(|record| record.identity.is_some());
        Imported {
            certificates: with_identity.map(|record| record.arn.clone()).collect(),
            authorities: self.0.keys().cloned().collect(),
        }
    }

    /// Whether an ARN has a certificate.
    pub fn has_certificate(&self, arn: &str) -> bool {
        self.0.get(arn).is_some_and(|record| record.identity.is_some())
    }

    /// The authorities of an ARN, PEM.
    pub fn authorities(&self, arn: &str) -> Option<&str> {
        self.0.get(arn).map(|record| record.trust.as_str())
    }

    /// The certificate of an ARN with its key.
    ///
    /// # Errors
    /// The key is sealed with a key that is not there.
    pub fn certificate(&self, arn: &str, keyring: &Keyring) -> Result<Option<ferromesh_emit::Certificate>, Unsealable> {
        let Some(SealedIdentity { chain, key }) = self.0.get(arn).and_then(|record| record.identity.as_ref()) else {
            return Ok(None);
        };
        let key = keyring.open(key, &bound_to(arn, chain))?;
        Ok(Some(ferromesh_emit::Certificate {
            chain: chain.clone(),
            key,
        }))
    }
}

/// The certificates of the control plane, imported and issued.
pub struct Vault {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    authority: Arc<Authority>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").finish_non_exhaustive()
    }
}

impl Vault {
    /// Over a store.
    pub fn new(store: Arc<dyn Store>, keyring: Arc<Keyring>, authority: Arc<Authority>) -> Self {
        Self {
            store,
            keyring,
            authority,
        }
    }

    /// Seals anew what was sealed with another key than the first of the ring, and says what cannot be opened. Returns how
    /// many were sealed anew.
    ///
    /// Blocks on the disk.
    ///
    /// # Errors
    /// The store failed.
    pub fn seal_anew(&self) -> Result<usize, StoreError> {
        let mut count = 0;
        for stored in self.store.list(key::CERTIFICATES, None, None)?.entries {
            let mut record: Record = catalog::read(&stored)?;
            let Some(identity) = &mut record.identity else { continue };
            if self.keyring.is_newest(&identity.key) {
                continue;
            }
            let context = bound_to(&record.arn, &identity.chain);
            let opened = self.keyring.open(&identity.key, &context);
            match opened.and_then(|pem| self.keyring.seal(&pem, &context)) {
                Ok(sealed) => {
                    identity.key = sealed;
                    let compare = Compare::Unchanged {
                        key: stored.key.clone(),
                        modified: Some(stored.modified),
                    };
                    self.commit(vec![compare], put(&record)?)?;
                    count += 1;
                }
                Err(error) => tracing::error!(arn = record.arn, %error, "an imported key cannot be read"),
            }
        }
        Ok(count)
    }

    fn commit(&self, compares: Vec<Compare>, change: Change) -> Result<(), StoreError> {
        commit(self.store.as_ref(), compares, change)
    }

    fn record(&self, arn: &str) -> Result<Option<Record>, StoreError> {
        let stored = self.store.get(&key::certificate(arn))?;
        stored.as_ref().map(catalog::read).transpose()
    }
}

fn commit(store: &dyn Store, compares: Vec<Compare>, change: Change) -> Result<(), StoreError> {
    let changes = vec![change];
    store.commit(Transaction { compares, changes }).map(drop)
}

fn put(record: &Record) -> Result<Change, StoreError> {
    let value = serde_json::to_vec(record).map_err(|error| StoreError::Engine(error.into()))?;
    Ok(Change::put(key::certificate(&record.arn), value))
}

impl Certificates for Vault {
    fn list(&self) -> Result<Vec<Value>, ApiError> {
        let mut shown = BTreeMap::new();
        for issued in self.authority.issued() {
            shown.insert(issued.arn.clone(), of_issued(&issued));
        }
        for stored in self.store.list(key::CERTIFICATES, None, None)?.entries {
            let record: Record = catalog::read(&stored)?;
            shown.insert(record.arn.clone(), of_imported(&record));
        }
        Ok(shown.into_values().collect())
    }

    fn get(&self, arn: &str) -> Result<Option<Value>, ApiError> {
        if let Some(record) = self.record(arn)? {
            return Ok(Some(of_imported(&record)));
        }
        let issued = self.authority.issued().into_iter().find(|issued| issued.arn == arn);
        Ok(issued.as_ref().map(of_issued))
    }

    fn put(&self, arn: &str, import: &Import) -> Result<Value, ApiError> {
        self.put_in(self.store.as_ref(), arn, import)
    }

    fn put_in(&self, store: &dyn Store, arn: &str, import: &Import) -> Result<Value, ApiError> {
        let now = SystemTime::now();
        let checked = arn_violations(arn);
        let checked = if checked.is_empty() {
            check::import(import, now)
        } else {
            Err(checked)
        };
        let checked = checked.map_err(|violations| ApiError::from(Rejection::Invalid(violations)))?;
        let identity = checked.identity.map(|(chain, pem)| {
            let key = self.keyring.seal(&pem, &bound_to(arn, &chain))?;
            Ok::<_, Unsealable>(SealedIdentity { chain, key })
        });
        let record = Record {
            arn: arn.to_owned(),
            imported_at_seconds: now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            trust: checked.trust,
            identity: identity
                .transpose()
                .map_err(|error| StoreError::Engine(Box::new(error)))?,
        };
        commit(store, Vec::new(), put(&record)?)?;
        Ok(of_imported(&record))
    }

    fn delete(&self, arn: &str) -> Result<Option<Value>, ApiError> {
        self.delete_in(self.store.as_ref(), arn)
    }

    fn delete_in(&self, store: &dyn Store, arn: &str) -> Result<Option<Value>, ApiError> {
        let Some(record) = self.record(arn)? else {
            return Ok(None);
        };
        commit(store, Vec::new(), Change::delete(key::certificate(arn)))?;
        Ok(Some(of_imported(&record)))
    }

    fn renew(&self, arn: &str) -> Result<Option<Value>, ApiError> {
        let renewed = self.authority.renew(arn, SystemTime::now());
        let renewed = renewed.map_err(|error| match error {
            AuthorityError::Store(error) => error,
            AuthorityError::ReadOnly => StoreError::Unavailable(error.to_string()),
            AuthorityError::Contended(_) => StoreError::Conflict(error.to_string()),
            _ => StoreError::Engine(Box::new(error)),
        })?;
        Ok(renewed.as_ref().map(of_issued))
    }
}

fn arn_violations(arn: &str) -> Vec<Violation> {
    let is_arn = arn.starts_with("arn:") && !arn.chars().any(|c| c.is_control() || c.is_whitespace());
    if is_arn && arn.len() <= MAX_ARN {
        Vec::new()
    } else {
        let message = format!("must begin with arn: and have at most {MAX_ARN} bytes without white space, is {arn:?}");
        vec![Violation::new("arn", message)]
    }
}

fn of_issued(issued: &Issued) -> Value {
    let mut shown = json!({
        "arn": issued.arn,
        "source": "issued",
    });
    describe(&mut shown, &issued.chain);
    shown
}

fn of_imported(record: &Record) -> Value {
    let mut shown = json!({
        "arn": record.arn,
        "source": "imported",
        "importedAt": rfc3339(record.imported_at_seconds as f64),
        "trust": record.trust,
    });
    if let Some(identity) = &record.identity {
        describe(&mut shown, &identity.chain);
    }
    shown
}

/// Adds the chain, and what can be read from its first certificate.
fn describe(shown: &mut Value, chain: &str) {
    shown["certificateChain"] = json!(chain);
    if let Some(summary) = check::summary(chain) {
        shown["subjectAlternativeNames"] = json!(summary.names);
        shown["notBefore"] = json!(rfc3339(summary.not_before));
        shown["notAfter"] = json!(rfc3339(summary.not_after));
        shown["keyType"] = json!(summary.key_type);
        shown["sha256"] = json!(summary.sha256);
    }
}

#[cfg(test)]
mod tests;
