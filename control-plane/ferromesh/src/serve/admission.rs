//! Whom the control plane lets in: the keys that clients sign with, and what holds as long as there is none.

use std::sync::Arc;

use ferromesh_api::{Admission, Seal, Unopened, WithoutKeys};
use ferromesh_store::{key, Store};
use serde_json::{json, Value};

use super::settings::Settings;
use crate::certificates::keyring::{Keyring, Sealed};

/// Access keys are sealed like imported private keys.
pub struct Sealer(pub Arc<Keyring>);

impl Seal for Sealer {
    fn seal(&self, text: &str, context: &[u8]) -> Result<Value, Unopened> {
        let sealed = self.0.seal(text, context);
        sealed
            .map(|sealed| json!(sealed))
            .map_err(|error| Unopened(error.to_string()))
    }

    fn open(&self, sealed: &Value, context: &[u8]) -> Result<String, Unopened> {
        let sealed: Sealed = serde_json::from_value(sealed.clone()).map_err(|error| Unopened(error.to_string()))?;
        self.0
            .open(&sealed, context)
            .map_err(|error| Unopened(error.to_string()))
    }

    fn is_newest(&self, sealed: &Value) -> bool {
        let sealed = serde_json::from_value::<Sealed>(sealed.clone());
        sealed.is_ok_and(|sealed| self.0.is_newest(&sealed))
    }
}

/// Decides who is let in, and says so.
///
/// # Errors
/// Other machines reach this server, and there is no key.
pub(super) fn decide(settings: &Settings, store: &dyn Store, keyring: Arc<Keyring>) -> anyhow::Result<Admission> {
    let seal = Arc::new(Sealer(keyring));
    let count = ferromesh_api::seal_keys_anew(store, seal.as_ref())?;
    if count > 0 {
        tracing::info!(
            count,
            "access keys sealed anew with the first key of the secret key file"
        );
    }
    let has_keys = !store.list(key::ACCESS_KEYS, None, Some(1))?.entries.is_empty();
    let is_local = settings.listen.iter().all(|listen| listen.address.is_local());
    let without_keys = if is_local || settings.allow_anonymous {
        WithoutKeys::Everybody
    } else {
        WithoutKeys::Local
    };
    match (has_keys, is_local) {
        (true, _) => tracing::info!("every request must be signed or bring a token"),
        (false, true) => tracing::warn!(
            "there is no key: everybody on this machine may do everything; ferromesh key create makes the first one, from \
             which on keys are asked for"
        ),
        (false, false) if settings.allow_anonymous => tracing::warn!(
            "there is no key and --allow-anonymous is set: everybody who reaches this server may do everything"
        ),
        (false, false) => anyhow::bail!(
            "--listen: other machines reach this server, and there is no key. Make the first one with: ferromesh key create \
             --data {} --principal NAME --bind admin. (--allow-anonymous lets everybody in.)",
            settings.data.display()
        ),
    }
    Ok(Admission::Keys { seal, without_keys })
}
