//! What the service model has, as boto3 tells it: the authority on which operations and errors there are.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{ensure, Result};
use serde::Deserialize;

use crate::client::Client;

/// App Mesh's service model.
#[derive(Debug, Deserialize)]
pub struct Model {
    /// All operations.
    pub operations: BTreeSet<String>,
    /// All errors, each with its status.
    pub errors: BTreeMap<String, u16>,
}

impl Model {
    /// Asks boto3, which calls nobody for it.
    pub async fn read(folder: &Path) -> Result<Self> {
        let lines = Client::Boto3.lines("http://127.0.0.1:9", folder, &[]).await?;
        let model: Self = serde_json::from_value(lines.into_iter().next().unwrap_or_default())?;
        ensure!(
            (model.operations.len(), model.errors.len()) == (38, 10),
            "{} operations and {} errors",
            model.operations.len(),
            model.errors.len()
        );
        Ok(model)
    }
}
