//! `ferromesh diff`: what `ferromesh apply` would change.

use super::apply;
use crate::exit::Exit;

/// The flags of `ferromesh diff`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    what: apply::What,
}

/// Runs the command.
///
/// # Errors
/// The client cannot be made, or output cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    apply::compare(arguments.what).await
}
