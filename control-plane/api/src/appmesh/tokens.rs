//! Client tokens: a call that is sent twice happens once.
//!
//! Creating and updating calls may carry a `clientToken`; every AWS client makes one up. A call with a token that was
//! used before is answered with the first call's result when it is the same call, and refused when it is another. That
//! holds until the resource is deleted, for 24 hours, and for as long as there are not [`MOST`] younger changes: App Mesh
//! documents no time, and the store must not grow for ever.

use ferromesh_model::resource::Key;
use ferromesh_model::validate::Lookup;
use ferromesh_store::{catalog, key, Change, Revision, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Call, Input, Scene};
use crate::state::hex;
use crate::view::View;
use crate::{ApiError, ErrorKind};

/// How long a token is remembered, in seconds.
const SECONDS: f64 = 24.0 * 3600.0;
/// Changes of the store after which a token is forgotten.
const MOST: u64 = 10_000;
/// Old tokens that one change looks at; two, because it adds one.
const SWEPT: usize = 2;

/// A token with the call it belongs to.
#[derive(Debug)]
pub(crate) struct Token {
    /// Hash of the token; tokens have any length and characters.
    name: String,
    /// Hash of the call: operation, names and body without the token.
    call: String,
}

/// What is remembered of a call.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Remembered {
    call: String,
    at: f64,
    /// The resource that the call made or changed, and its uid; a change set has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Key>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    answer: Value,
}

impl Token {
    /// The token of a call; `None` when it carries none.
    pub(super) fn of(scene: &Scene<'_>, call: &Call, input: &Input) -> Option<Self> {
        let token = input.text("clientToken")?;
        let members = input.body.iter().filter(|(member, _)| *member != "clientToken");
        let body: Map<String, Value> = members.map(|(member, value)| (member.clone(), value.clone())).collect();
        let call = Value::from(vec![
            Value::from(call.operation.name),
            input
                .labels()
                .iter()
                .map(|(label, name)| ((*label).to_owned(), Value::from(name.as_str())))
                .collect(),
            Value::Object(body),
        ]);
        let hash = |text: &str| hex(&Sha256::digest(text.as_bytes()));
        let caller = &scene.caller.account;
        let name = if caller == scene.owner {
            hash(token)
        } else {
            // In a shared mesh everybody's tokens are their own.
            hash(&format!("{caller} {token}"))
        };
        Some(Self {
            name,
            call: hash(&call.to_string()),
        })
    }

    /// The token of a change set; `None` when it carries none.
    pub(crate) fn of_set(token: Option<&str>, content: &Value) -> Option<Self> {
        let hash = |text: &str| hex(&Sha256::digest(text.as_bytes()));
        Some(Self {
            name: hash(token?),
            call: hash(&format!("ApplyChanges {content}")),
        })
    }

    fn key(&self) -> String {
        format!("{}{}", key::TOKENS, self.name)
    }

    /// The first call's answer if this is the same call again.
    ///
    /// # Errors
    /// `ConflictException` when the token was used for another call.
    pub(crate) fn answer(&self, view: &View<'_>, now: f64) -> Result<Option<Value>, ApiError> {
        let Some(stored) = view.get(&self.key())? else {
            return Ok(None);
        };
        let remembered: Remembered = catalog::read(&stored)?;
        if now - remembered.at > SECONDS {
            return Ok(None);
        }
        if let Some(key) = &remembered.key {
            let record = view.record(key)?;
            if record.map(|record| record.metadata.uid) != remembered.uid {
                return Ok(None);
            }
        }
        if remembered.call != self.call {
            return Err(ApiError::new(
                ErrorKind::Conflict,
                "clientToken: was used for a request with other content already",
            ));
        }
        Ok(Some(remembered.answer))
    }

    /// The revision in which the call was remembered.
    pub(crate) fn revision(&self, view: &View<'_>) -> Result<Option<Revision>, StoreError> {
        Ok(view.get(&self.key())?.map(|stored| stored.modified))
    }

    /// The writes that remember a call, and forget calls that are too old.
    pub(crate) fn remember(
        &self,
        view: &View<'_>,
        now: f64,
        resource: Option<(&Key, &str)>,
        answer: &Value,
    ) -> Result<Vec<Change>, StoreError> {
        let remembered = Remembered {
            call: self.call.clone(),
            at: now,
            key: resource.map(|(key, _)| key.clone()),
            uid: resource.map(|(_, uid)| uid.to_owned()),
            answer: answer.clone(),
        };
        let mut changes = sweep(view, now)?;
        let by_age = format!(
            "{}{:015}/{}",
            key::TOKENS_BY_AGE,
            (now * 1000.0).max(0.0) as u64,
            self.name
        );
        changes.push(catalog::put(self.key(), &remembered)?);
        changes.push(Change::put(by_age, Vec::new()));
        Ok(changes)
    }
}

/// The writes that forget the oldest tokens, as far as they are too old.
fn sweep(view: &View<'_>, now: f64) -> Result<Vec<Change>, StoreError> {
    // Read past the view: nothing depends on it, and two sweeps at once do no harm.
    let oldest = view.store().list(key::TOKENS_BY_AGE, None, Some(SWEPT))?;
    let mut changes = Vec::new();
    for stored in oldest.entries {
        let entry = stored
            .key
            .strip_prefix(key::TOKENS_BY_AGE)
            .and_then(|entry| entry.split_once('/'));
        let Some((age, name)) = entry else { continue };
        let at = age.parse::<u64>().unwrap_or_default() as f64 / 1000.0;
        if now - at <= SECONDS && stored.modified + MOST > oldest.revision {
            break;
        }
        let by_name = format!("{}{name}", key::TOKENS);
        // A token that was used again after its time has a younger entry, which this one must not take away.
        let is_same = view
            .store()
            .get(&by_name)?
            .is_some_and(|token| token.modified == stored.modified);
        if is_same {
            changes.push(Change::delete(by_name));
        }
        changes.push(Change::delete(stored.key));
    }
    Ok(changes)
}
