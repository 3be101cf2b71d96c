//! `ferromesh openapi`: prints the description of the API, without a server.

use crate::client::output;
use crate::exit::Exit;

/// The flags of `ferromesh openapi`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {}

/// Runs the command.
///
/// # Errors
/// Output cannot be written.
pub fn run(_: &Arguments) -> anyhow::Result<Exit> {
    let document = serde_json::to_string_pretty(&ferromesh_api::openapi())?;
    output::write(&format!("{document}\n"))?;
    Ok(Exit::Success)
}
