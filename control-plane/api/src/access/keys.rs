//! Keys: access keys that AWS clients sign with, and bearer tokens.
//!
//! The secret of an access key is needed to verify signatures, so it is kept, sealed. Of a token only its hash is kept.

use ferromesh_model::Violation;
use ferromesh_store::{catalog, key, Change, Store};
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

use super::principals::{self, absent};
use super::table::{self, Table};
use super::{Binding, Principal};
use crate::state::hex;
use crate::view;
use crate::{ApiError, ErrorKind};

/// Most enabled keys of a principal: the old one and the new one, while clients go from one to the other.
const MAX_ENABLED: usize = 2;
/// Most keys of a principal.
const MAX_KEYS: usize = 10;
/// Longest life of a key with an end, in days.
const MAX_DAYS: u32 = 3660;
/// What every token begins with, so that it is known for one wherever it turns up.
pub(crate) const TOKEN_PREFIX: &str = "fmt_";
/// Letters of ids, as AWS has them: no digits that look like letters.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Seals secrets, so that the store and its backups alone do not tell them.
pub trait Seal: Send + Sync {
    /// Seals a text for a context, in which alone it opens.
    ///
    /// # Errors
    /// Why it cannot be sealed.
    fn seal(&self, text: &str, context: &[u8]) -> Result<Value, Unopened>;

    /// Opens what was sealed for a context.
    ///
    /// # Errors
    /// Why it cannot be opened.
    fn open(&self, sealed: &Value, context: &[u8]) -> Result<String, Unopened>;

    /// Whether something was sealed with the key that seals now.
    fn is_newest(&self, sealed: &Value) -> bool;
}

/// Why a secret was not sealed or opened. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unopened(pub String);

/// Whether a key is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It is.
    Enabled,
    /// It is not, until it is enabled again.
    Disabled,
}

/// A stored key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) principal: String,
    pub(crate) state: State,
    pub(crate) created_at: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires_at: Option<f64>,
    pub(crate) secret: Secret,
}

/// What a key is verified by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Secret {
    /// The sealed secret of an access key.
    Signing(Value),
    /// SHA-256 of a token, hexadecimal. A token has 256 random bits: nothing can be tried out.
    Token(String),
}

impl Key {
    pub(crate) fn is_good(&self, now: f64) -> bool {
        self.state == State::Enabled && !self.has_expired(now)
    }

    pub(crate) fn has_expired(&self, now: f64) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// The key without its secret.
    pub(crate) fn shown(&self, principal: Option<&Principal>) -> Value {
        let mut shown = json!({
            "id": self.id,
            "type": match self.secret { Secret::Signing(_) => "accessKey", Secret::Token(_) => "bearer" },
            "principal": self.principal,
            "state": self.state,
            "createdAt": self.created_at,
        });
        if let Some(end) = self.expires_at {
            shown["expiresAt"] = json!(end);
        }
        if let Some(principal) = principal {
            shown["account"] = json!(principal.account);
            shown["bindings"] = json!(principal.bindings);
        }
        shown
    }
}

/// A secret is sealed for its key: moved to another in the store, it does not open.
pub(crate) fn bound_to(id: &str, principal: &str) -> Vec<u8> {
    format!("access key\n{id}\n{principal}").into_bytes()
}

/// A key that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewKey {
    /// Name that it is for.
    pub principal: String,
    /// What the principal may do; may be left out for one that is there.
    #[serde(default)]
    pub bindings: Vec<Binding>,
    /// Account that the principal acts for; the server's own by default.
    pub account: Option<String>,
    /// A token instead of an access key.
    #[serde(default)]
    pub bearer: bool,
    /// Days until it is not taken any more, 1 to 3660; for ever by default.
    pub expires_in_days: Option<u32>,
}

/// A key that was made. Its secret is never shown again.
#[derive(Clone, PartialEq)]
pub struct Created {
    /// The key without its secret.
    pub shown: Value,
    /// The secret of an access key, or the token.
    pub secret: String,
}

impl std::fmt::Debug for Created {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Created")
            .field("shown", &self.shown)
            .finish_non_exhaustive()
    }
}

/// Makes a key, and its principal if it is new.
///
/// # Errors
/// What is asked for cannot be, or the principal has two enabled keys already.
pub fn create(
    store: &dyn Store,
    seal: &dyn Seal,
    new: &NewKey,
    own_account: &str,
    now: f64,
) -> Result<Created, ApiError> {
    if let Some(days) = new.expires_in_days.filter(|days| !(1..=MAX_DAYS).contains(days)) {
        let violation = Violation::new("expiresInDays", format!("must be from 1 to {MAX_DAYS}, is {days}"));
        ApiError::refuse(vec![violation])?;
    }
    let id = format!("AKIA{}", letters(BASE32, 16)?);
    let (kind, text) = if new.bearer {
        let token = format!("{TOKEN_PREFIX}{id}_{}", hex(&random::<32>()?));
        (Secret::Token(digest(&token)), token)
    } else {
        let secret = letters(BASE64, 40)?;
        let sealed = seal.seal(&secret, &bound_to(&id, &new.principal));
        (
            Secret::Signing(sealed.map_err(|error| ApiError::internal(&error))?),
            secret,
        )
    };
    let shown = view::commit(store, |view| {
        let mut table = Table::read(view)?;
        let mut changes = Vec::new();
        let known = table.principals.get(&new.principal);
        let wanted = Principal {
            name: new.principal.clone(),
            account: new
                .account
                .clone()
                .or(known.map(|known| known.account.clone()))
                .unwrap_or_else(|| own_account.to_owned()),
            bindings: match known {
                Some(known) if new.bindings.is_empty() => known.bindings.clone(),
                _ => new.bindings.clone(),
            },
        };
        if known != Some(&wanted) {
            ApiError::refuse(wanted.check())?;
            let before = table.has_admin(now);
            table.principals.insert(wanted.name.clone(), wanted.clone());
            table::leaves_an_admin(before, &table, now)?;
            changes.push(principals::put(&wanted)?);
        }
        let of_principal: Vec<&Key> = table
            .keys
            .values()
            .filter(|key| key.principal == new.principal)
            .collect();
        let enabled = of_principal.iter().filter(|key| key.is_good(now)).count();
        limit(&new.principal, "enabled keys", MAX_ENABLED, enabled)?;
        limit(&new.principal, "keys", MAX_KEYS, of_principal.len())?;
        let key = Key {
            id: id.clone(),
            principal: new.principal.clone(),
            state: State::Enabled,
            created_at: now,
            expires_at: new.expires_in_days.map(|days| now + f64::from(days) * 86_400.0),
            secret: kind.clone(),
        };
        // The first key closes the server to everybody else.
        let is_first = table.keys.is_empty();
        if is_first && (!wanted.is_unlimited() || key.expires_at.is_some()) {
            return Err(ApiError::bad_request(
                "bindings: the first key must be an admin's for all meshes and kinds, and must not expire: from then on keys \
                 are asked for, and nobody else could make further ones",
            ));
        }
        changes.push(catalog::put(key::access_key(&id), &key)?);
        Ok::<_, ApiError>((changes, key.shown(Some(&wanted))))
    })?;
    Ok(Created { shown, secret: text })
}

fn limit(principal: &str, what: &str, most: usize, has: usize) -> Result<(), ApiError> {
    if has < most {
        return Ok(());
    }
    let message =
        format!("principal {principal:?} can have at most {most} {what}, has {has}: disable or delete one first");
    Err(ApiError::new(ErrorKind::LimitExceeded, message))
}

/// All keys without their secrets, in the order of their principals.
///
/// # Errors
/// The store failed.
pub fn list(store: &dyn Store) -> Result<Vec<Value>, ApiError> {
    let table = Table::now(store)?;
    let mut keys: Vec<&Key> = table.keys.values().collect();
    keys.sort_by(|a, b| (&a.principal, &a.id).cmp(&(&b.principal, &b.id)));
    let keys = keys.into_iter();
    Ok(keys
        .map(|key| key.shown(table.principals.get(&key.principal)))
        .collect())
}

/// Enables or disables a key and gives it back.
///
/// # Errors
/// There is no such key, there would be too many enabled ones, or none of an admin would be left.
pub fn set_state(store: &dyn Store, id: &str, state: State, now: f64) -> Result<Value, ApiError> {
    view::commit(store, |view| {
        let mut table = Table::read(view)?;
        let before = table.has_admin(now);
        let mut known = table.keys.get(id).cloned().ok_or_else(|| no_key(id))?;
        let principal = table.principals.get(&known.principal).cloned();
        if known.state == state {
            return Ok((Vec::new(), known.shown(principal.as_ref())));
        }
        if state == State::Enabled {
            let others = table.keys.values().filter(|key| key.principal == known.principal);
            let enabled = others.filter(|key| key.is_good(now)).count();
            limit(&known.principal, "enabled keys", MAX_ENABLED, enabled)?;
        }
        known.state = state;
        table.keys.insert(id.to_owned(), known.clone());
        table::leaves_an_admin(before, &table, now)?;
        let changes = vec![catalog::put(key::access_key(id), &known)?];
        Ok::<_, ApiError>((changes, known.shown(principal.as_ref())))
    })
}

/// Deletes a key and gives it back.
///
/// # Errors
/// There is no such key, or none of an admin would be left.
pub fn delete(store: &dyn Store, id: &str, now: f64) -> Result<Value, ApiError> {
    view::commit(store, |view| {
        let mut table = Table::read(view)?;
        let before = table.has_admin(now);
        let known = table.keys.remove(id).ok_or_else(|| no_key(id))?;
        table::leaves_an_admin(before, &table, now)?;
        let principal = table.principals.get(&known.principal);
        Ok::<_, ApiError>((vec![Change::delete(key::access_key(id))], known.shown(principal)))
    })
}

/// Seals anew what was sealed with an older key; gives back how many.
///
/// # Errors
/// The store failed. A secret whose sealing key is not there stays as it is, and the log says so.
pub fn seal_anew(store: &dyn Store, seal: &dyn Seal) -> Result<usize, ApiError> {
    view::commit(store, |view| {
        let table = Table::read(view)?;
        let mut changes = Vec::new();
        for known in table.keys.values() {
            let Secret::Signing(sealed) = &known.secret else {
                continue;
            };
            if seal.is_newest(sealed) {
                continue;
            }
            let context = bound_to(&known.id, &known.principal);
            let opened = seal.open(sealed, &context).and_then(|text| seal.seal(&text, &context));
            match opened {
                Ok(anew) => {
                    let secret = Secret::Signing(anew);
                    changes.push(catalog::put(
                        key::access_key(&known.id),
                        &Key {
                            secret,
                            ..known.clone()
                        },
                    )?);
                }
                Err(error) => tracing::warn!(key = known.id, %error, "the secret of an access key cannot be opened"),
            }
        }
        let count = changes.len();
        Ok::<_, ApiError>((changes, count))
    })
}

/// One key without its secret.
pub(crate) fn get(store: &dyn Store, id: &str) -> Result<Value, ApiError> {
    let table = Table::now(store)?;
    let known = table.keys.get(id).ok_or_else(|| no_key(id))?;
    let principal = table
        .principals
        .get(&known.principal)
        .ok_or_else(|| absent(&known.principal))?;
    Ok(known.shown(Some(principal)))
}

/// SHA-256 of a token, as it is kept.
pub(crate) fn digest(token: &str) -> String {
    hex(&Sha256::digest(token.as_bytes()))
}

fn no_key(id: &str) -> ApiError {
    ApiError::not_found(format!("there is no key {id:?}"))
}

fn random<const N: usize>() -> Result<[u8; N], ApiError> {
    let mut bytes = [0; N];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| ApiError::internal(&"the system gives no random numbers"))?;
    Ok(bytes)
}

/// Random letters; their number is a power of two, so that each is as likely as any other.
fn letters<const N: usize>(alphabet: &[u8; N], count: usize) -> Result<String, ApiError> {
    let bytes = random::<64>()?;
    let chosen = bytes.iter().take(count);
    Ok(chosen
        .map(|byte| char::from(alphabet[usize::from(*byte) % N]))
        .collect())
}
