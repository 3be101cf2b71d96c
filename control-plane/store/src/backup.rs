//! Everything in a store as one file, and back.
//!
//! A backup is text: a line that says what it is, a line about it, a line for each value, and a line with the SHA-256 of all
//! before. What is sealed in the store stays sealed in it. It is read and checked as a whole before anything is written.
//!
//! ```text
//! ferromesh-backup 1
//! {"schema":1,"revision":42,"takenAtSeconds":1795396634,"values":2,"by":"0.1.0"}
//! {"key":"mesh/shop","text":"{…}"}
//! {"key":"schema","text":"1"}
//! sha256 0f3a…
//! ```
//!
//! Restored values are of a later revision than any of the backup and of the store, and resources have later versions: what
//! somebody saw after the backup was taken is never taken for newer than what was restored.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use ferromesh_model::record::Record;
use ferromesh_model::registry::Service;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{key, schema, EtcdStore, RedbStore, Revision, Store, StoreError};

/// First words of the file.
const MAGIC: &str = "ferromesh-backup";
/// Version of the file's form.
const FORMAT: u64 = 1;
/// By how much revisions and versions go forward in a restore. A store makes some hundred revisions a second: nobody sees
/// so many between a backup and its restore.
pub const JUMP: u64 = 1_000_000_000;

/// What was in a store at one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    /// Schema of the values.
    pub schema: u64,
    /// Revision of the store.
    pub revision: Revision,
    /// When it was taken, in seconds since 1970.
    pub taken_at_seconds: u64,
    /// Keys and values, in the order of the keys.
    pub values: Vec<(String, Vec<u8>)>,
}

/// Why a file is no backup that can be restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file is none.
    #[error("the file is no backup: it does not begin with {MAGIC:?}")]
    NoBackup,
    /// The file has another form.
    #[error("the backup has format {0}, this version reads {FORMAT}")]
    Format(String),
    /// The file is cut off or was changed.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    /// There is something in the store.
    #[error("the store is not empty, it holds {0} values: they would be replaced")]
    NotEmpty(usize),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Header {
    schema: u64,
    revision: Revision,
    taken_at_seconds: u64,
    values: usize,
    /// Version of Ferromesh.
    by: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Line {
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// Hexadecimal digits of a value that is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

impl Backup {
    /// Reads a store at one revision.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn take(store: &dyn Store) -> Result<Self, StoreError> {
        let everything = store.list("", None, None)?;
        let values: Vec<_> = everything.entries.into_iter().map(|one| (one.key, one.value)).collect();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            schema: schema::of(&values)?,
            revision: everything.revision,
            taken_at_seconds: now.as_secs(),
            values,
        })
    }

    /// The file.
    pub fn to_file(&self) -> String {
        let header = Header {
            schema: self.schema,
            revision: self.revision,
            taken_at_seconds: self.taken_at_seconds,
            values: self.values.len(),
            by: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let mut text = format!("{MAGIC} {FORMAT}\n{}\n", line(&header));
        for (key, value) in &self.values {
            let as_text = std::str::from_utf8(value).ok();
            text.push_str(&line(&Line {
                key: key.clone(),
                text: as_text.map(str::to_owned),
                bytes: as_text.is_none().then(|| hex(value)),
            }));
            text.push('\n');
        }
        let digest = hex(&Sha256::digest(text.as_bytes()));
        text.push_str(&format!("sha256 {digest}\n"));
        text
    }

    /// Reads a file.
    ///
    /// # Errors
    /// It is no backup, of another form or schema, cut off or changed.
    pub fn parse(file: &[u8]) -> Result<Self, BackupError> {
        let damaged = |what: &str| BackupError::Damaged(what.to_owned());
        if !file.starts_with(MAGIC.as_bytes()) {
            return Err(BackupError::NoBackup);
        }
        let text = std::str::from_utf8(file).map_err(|_| damaged("it is no text"))?;
        let (first, _) = text.split_once('\n').ok_or_else(|| damaged("it is cut off"))?;
        let format = first.trim_start_matches(MAGIC).trim();
        if format != FORMAT.to_string() {
            return Err(BackupError::Format(format.to_owned()));
        }
        let body = text.strip_suffix('\n').ok_or_else(|| damaged("it is cut off"))?;
        let (body, last) = body.rsplit_once('\n').ok_or_else(|| damaged("it is cut off"))?;
        let told = last.strip_prefix("sha256 ").ok_or_else(|| damaged("it is cut off"))?;
        let body = &text[..=body.len()];
        if hex(&Sha256::digest(body.as_bytes())) != told {
            return Err(damaged("its SHA-256 is not the one that it ends with"));
        }
        let mut lines = body.lines().skip(1);
        let header = lines.next().ok_or_else(|| damaged("it has no second line"))?;
        let header: Header = serde_json::from_str(header).map_err(|error| damaged(&format!("line 2: {error}")))?;
        if header.schema > schema::CURRENT {
            return Err(StoreError::TooNew {
                found: header.schema,
                known: schema::CURRENT,
            }
            .into());
        }
        let mut values = Vec::with_capacity(header.values);
        let mut keys = BTreeSet::new();
        for (index, one) in lines.enumerate() {
            let at = |what: &str| damaged(&format!("line {}: {what}", index + 3));
            let one: Line = serde_json::from_str(one).map_err(|error| at(&error.to_string()))?;
            let value = match (one.text, one.bytes) {
                (Some(text), None) => text.into_bytes(),
                (None, Some(digits)) => unhex(&digits).ok_or_else(|| at("no hexadecimal digits"))?,
                _ => return Err(at("expected text or bytes")),
            };
            if !keys.insert(one.key.clone()) {
                return Err(at("the key is there twice"));
            }
            values.push((one.key, value));
        }
        if values.len() != header.values {
            return Err(damaged(&format!(
                "it says {} values and has {}",
                header.values,
                values.len()
            )));
        }
        Ok(Self {
            schema: header.schema,
            revision: header.revision,
            taken_at_seconds: header.taken_at_seconds,
            values,
        })
    }

    /// Puts the backup in place of what is in the store, with later revisions and versions. Gives the revision of what was
    /// restored. A store in etcd must have been opened with [`EtcdStore::open_to_restore`].
    ///
    /// # Errors
    /// The store is not empty and `replace` was not said; a value cannot be read; the store failed.
    pub fn restore(&self, store: &dyn Restore, replace: bool) -> Result<Revision, BackupError> {
        let before = store.list("", None, None)?;
        let own = |key: &str| key == schema::KEY;
        let count = before.entries.iter().filter(|stored| !own(&stored.key)).count();
        if count > 0 && !replace {
            return Err(BackupError::NotEmpty(count));
        }
        let values = self
            .values
            .iter()
            .map(|(key, value)| Ok((key.clone(), later(key, value)?)));
        let values: Vec<_> = values.collect::<Result<_, StoreError>>()?;
        let at_least = self.revision.max(before.revision).saturating_add(JUMP);
        Ok(store.replace_all(&values, at_least)?)
    }
}

/// A store whose whole content can be replaced.
pub trait Restore: Store {
    /// Puts values in place of everything, as of a revision that is not below one.
    ///
    /// # Errors
    /// The store failed. One in etcd may be left half restored: it is marked so, and refuses to be opened until it is
    /// restored again.
    fn replace_all(&self, values: &[(String, Vec<u8>)], at_least: Revision) -> Result<Revision, StoreError>;
}

impl Restore for RedbStore {
    fn replace_all(&self, values: &[(String, Vec<u8>)], at_least: Revision) -> Result<Revision, StoreError> {
        self.replace(values, at_least)
    }
}

impl Restore for EtcdStore {
    fn replace_all(&self, values: &[(String, Vec<u8>)], at_least: Revision) -> Result<Revision, StoreError> {
        self.replace(values, at_least)
    }
}

/// A value with later counters, if it has any.
fn later(path: &str, value: &[u8]) -> Result<Vec<u8>, StoreError> {
    let unreadable = |error: serde_json::Error| StoreError::Unreadable {
        key: path.to_owned(),
        reason: error.to_string(),
    };
    // The keys of an account stand under its own prefix.
    let own = match path.strip_prefix("account/").and_then(|rest| rest.split_once('/')) {
        Some((_, own)) => own,
        None => path,
    };
    if own.starts_with(key::MESHES) || own.starts_with(key::RESOURCES) {
        let mut record: Record = serde_json::from_slice(value).map_err(unreadable)?;
        record.metadata.version = record.metadata.version.saturating_add(JUMP);
        return serde_json::to_vec(&record).map_err(unreadable);
    }
    if own.starts_with(key::SERVICES) {
        let mut service: Service = serde_json::from_slice(value).map_err(unreadable)?;
        service.instances_revision = service.instances_revision.saturating_add(JUMP);
        return serde_json::to_vec(&service).map_err(unreadable);
    }
    Ok(value.to_vec())
}

/// Strings and numbers only: it cannot fail.
fn line(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    let pairs = digits.chunks_exact(2);
    pairs
        .map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok())
        .collect()
}
