//! Who gets in: a request's signature or token against the key table.

use std::sync::{Arc, Mutex, PoisonError};

use ferromesh_store::{Revision, Store, StoreError};
use http::header;
use subtle::ConstantTimeEq;

use super::keys::{bound_to, digest, Key, Seal, Secret, State, TOKEN_PREFIX};
use super::table::Table;
use crate::caller::Grants;
use crate::request::Request;
use crate::sigv4::Claim;
use crate::{ApiError, Caller, ErrorKind};

/// How a request came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Unencrypted, over a loopback address or a Unix socket.
    Local,
    /// Over TLS.
    Tls,
}

/// Whom a server answers.
#[derive(Clone)]
pub enum Admission {
    /// Everybody, who may do everything.
    Everybody,
    /// Callers with a key, once there is one.
    Keys {
        /// Opens the secrets of access keys.
        seal: Arc<dyn Seal>,
        /// Who gets in as long as there is no key.
        without_keys: WithoutKeys,
    },
}

/// Who gets in as long as there is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutKeys {
    /// Everybody.
    Everybody,
    /// Those on this machine, unencrypted.
    Local,
}

/// The gate.
pub(crate) struct Gate {
    admission: Admission,
    /// The table at a revision of the store.
    known: Mutex<Option<(Revision, Arc<Table>)>>,
}

/// What a request shows of its caller.
enum Shown {
    Nothing,
    Signature(Claim),
    Token(String),
}

fn unknown() -> ApiError {
    // As AWS says it, and the same for keys that are disabled: nothing is told about which keys there are.
    ApiError::new(
        ErrorKind::UnrecognizedClient,
        "The security token included in the request is invalid.",
    )
}

impl Gate {
    pub(crate) fn new(admission: Admission) -> Self {
        Self {
            admission,
            known: Mutex::new(None),
        }
    }

    /// Id of the key that a request names, whether it is its own or not.
    pub(crate) fn claimed(request: &Request) -> Option<String> {
        let id = match shown(request).ok()? {
            Shown::Nothing => return None,
            Shown::Signature(claim) => claim.key,
            Shown::Token(token) => id_of(&token)?.to_owned(),
        };
        let is_id = id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        is_id.then_some(id)
    }

    /// Who calls.
    pub(crate) fn admit(
        &self,
        store: &dyn Store,
        request: &Request,
        own_account: &str,
        now: f64,
    ) -> Result<Caller, ApiError> {
        let Admission::Keys { seal, without_keys } = &self.admission else {
            return Ok(Caller::anonymous(own_account));
        };
        let table = self.table(store)?;
        if table.keys.is_empty() {
            if let Some(origin) = request.headers.get(header::ORIGIN) {
                // A page of some web site, in the browser of somebody on this machine: it has no key and needs none.
                let message = format!("requests of web pages ({origin:?}) take a key, and there is none yet");
                return Err(ApiError::new(ErrorKind::AccessDenied, message));
            }
            return match (without_keys, request.channel) {
                (WithoutKeys::Everybody, _) | (WithoutKeys::Local, Channel::Local) => {
                    Ok(Caller::anonymous(own_account))
                }
                (WithoutKeys::Local, Channel::Tls) => Err(ApiError::new(
                    ErrorKind::AccessDenied,
                    "there is no key yet: make the first one on the server's machine with ferromesh key create",
                )),
            };
        }
        let key = match shown(request)? {
            Shown::Nothing => {
                return Err(ApiError::new(
                    ErrorKind::MissingAuthenticationToken,
                    "Missing Authentication Token",
                ))
            }
            Shown::Signature(claim) => {
                let key = table.keys.get(&claim.key).ok_or_else(unknown)?;
                let Secret::Signing(sealed) = &key.secret else {
                    return Err(unknown());
                };
                is_taken(key, now)?;
                claim.is_timely(now)?;
                let secret = seal.open(sealed, &bound_to(&key.id, &key.principal));
                let secret = secret.map_err(|error| ApiError::internal(&error))?;
                claim.verify(&secret, request, request.channel)?;
                key
            }
            Shown::Token(token) => {
                let key = id_of(&token).and_then(|id| table.keys.get(id)).ok_or_else(unknown)?;
                let Secret::Token(hash) = &key.secret else {
                    return Err(unknown());
                };
                if !bool::from(digest(&token).as_bytes().ct_eq(hash.as_bytes())) {
                    return Err(unknown());
                }
                is_taken(key, now)?;
                key
            }
        };
        let principal = table.principals.get(&key.principal).ok_or_else(unknown)?;
        Ok(Caller {
            account: principal.account.clone(),
            principal: principal.name.clone(),
            key: Some(key.id.clone()),
            grants: Grants::Bound(principal.bindings.clone().into()),
        })
    }

    /// The table, read again only if the store has changed.
    fn table(&self, store: &dyn Store) -> Result<Arc<Table>, StoreError> {
        let latest = *store.watch().borrow();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((revision, table)) = known.as_ref().filter(|(revision, _)| *revision == latest) {
            tracing::trace!(revision, "key table is current");
            return Ok(Arc::clone(table));
        }
        let table = Arc::new(Table::now(store)?);
        // Of this revision or a later one: then it is read once more than it need be.
        *known = Some((latest, Arc::clone(&table)));
        Ok(table)
    }
}

fn is_taken(key: &Key, now: f64) -> Result<(), ApiError> {
    if key.state == State::Disabled {
        return Err(unknown());
    }
    if key.has_expired(now) {
        return Err(ApiError::new(
            ErrorKind::ExpiredToken,
            "The security token included in the request is expired: the key's life is over",
        ));
    }
    Ok(())
}

fn shown(request: &Request) -> Result<Shown, ApiError> {
    if let Some(claim) = Claim::read(request)? {
        return Ok(Shown::Signature(claim));
    }
    let Some(value) = request.headers.get(header::AUTHORIZATION) else {
        return Ok(Shown::Nothing);
    };
    let text = value.to_str().unwrap_or_default();
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Shown::Token(token.trim().to_owned())),
        _ => Err(ApiError::new(
            ErrorKind::IncompleteSignature,
            "Authorization header must begin with AWS4-HMAC-SHA256 or Bearer",
        )),
    }
}

/// The id in a token: `fmt_ID_…`.
fn id_of(token: &str) -> Option<&str> {
    let (id, _) = token.strip_prefix(TOKEN_PREFIX)?.split_once('_')?;
    Some(id)
}
