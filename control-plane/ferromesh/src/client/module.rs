//! `ferromesh module`: filter modules as files and as images in a registry, for Envoys without our control plane.
//!
//! Istio and Envoy Gateway fetch modules from OCI registries. What is pushed here is what their fetchers take
//! ([`image::Layout`]), judged before it leaves ([`file::ModuleFile`]), and the same bytes for the same module, so
//! that its digest is a name for it.

pub mod credentials;
pub mod file;
pub mod image;
pub mod inspect;
pub mod place;
pub mod pull;
pub mod push;
pub mod registry;
pub mod unpack;

use crate::exit::Exit;

/// The flags of `ferromesh module`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// Push a module to a registry, for Istio, Envoy Gateway and others
    Push(push::Arguments),
    /// Fetch a module from a registry
    Pull(pull::Arguments),
    /// Show a module's size, sha256, memory, imports and exports
    Inspect(inspect::Arguments),
}

/// Runs the command.
///
/// # Errors
/// What could not be done; the message names the reason.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    match arguments.command {
        Command::Push(arguments) => push::run(arguments).await,
        Command::Pull(arguments) => pull::run(arguments).await,
        Command::Inspect(arguments) => inspect::run(&arguments),
    }
}
