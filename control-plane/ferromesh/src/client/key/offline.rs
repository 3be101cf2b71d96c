//! The first key, made where no server runs yet.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use ferromesh_api::{ApiConfig, ApiError, Clock, NewKey, SystemClock};
use ferromesh_store::key;
use serde_json::{json, Value};

use crate::{
    authority::{private_file, shared},
    certificates::keyring::Keyring,
    serve::admission::Sealer,
    store::{self, Choice},
};

/// Makes a key in the store of a data folder, or in etcd; what is not there yet is made, as a server would.
///
/// # Errors
/// The store or the sealing keys cannot be opened; inside, what the key table refuses.
pub(super) fn create(
    choice: &Choice,
    folder: &Path,
    named: Option<&Path>,
    new: &NewKey,
) -> anyhow::Result<Result<Value, ApiError>> {
    let certificates = folder.join("certificates");
    private_file::make_folder(&certificates)?;
    let store = store::open(choice, folder).context("is a server running there?")?;
    let mut is_first = store.get(shared::KEY)?.is_none();
    for sealed in [key::CERTIFICATES, key::ACCESS_KEYS] {
        is_first &= store.list(sealed, None, Some(1))?.entries.is_empty();
    }
    let path = named.map_or_else(|| certificates.join("secret.key"), Path::to_owned);
    let keyring = Keyring::open_file(&path, named.is_none() && is_first)
        .context("--secret-key-file: cannot open the keys that seal what is secret in the store")?;
    let sealer = Sealer(Arc::new(keyring));
    let account = ApiConfig::default().account;
    let now = SystemClock.now();
    let created = ferromesh_api::recorded_offline(store.as_ref(), "CreateKey", now, |store| {
        ferromesh_api::create_key(store, &sealer, new, &account, now)
    });
    Ok(created.map(|created| {
        let mut shown = created.shown;
        shown["secret"] = json!(created.secret);
        shown
    }))
}
