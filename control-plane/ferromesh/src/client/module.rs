//! `ferromesh module`: filter modules as sets of the control plane, which meshes choose from; and as files and images in a
//! registry, for Envoys without our control plane.
//!
//! Istio and Envoy Gateway fetch modules from OCI registries. What is pushed here is what their fetchers take
//! ([`image::Layout`]), judged before it leaves ([`file::ModuleFile`]), and the same bytes for the same module, so
//! that its digest is a name for it.

pub mod add;
pub mod credentials;
pub mod file;
pub mod image;
pub mod inspect;
pub mod place;
pub mod pull;
pub mod push;
pub mod registry;
pub mod sets;
pub mod unpack;

use super::Query;
use crate::exit::Exit;

/// The flags of `ferromesh module`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum Command {
    /// Add a set of modules to the control plane; no mesh gets it before it is rolled out
    // Its own --version is the set's.
    #[command(disable_version_flag = true)]
    Add(Box<add::Arguments>),
    /// Show the module sets that there are, and which meshes use them
    List(Query),
    /// Show a module set, or with --mesh what a mesh has chosen and had before
    Show(sets::Show),
    /// Give the proxies of a mesh another module set
    Rollout(sets::Rollout),
    /// Give the proxies of a mesh the module set that they had before
    Rollback(sets::Rollback),
    /// Delete a module set that no mesh uses or could go back to
    Delete(sets::Delete),
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
        Command::Add(arguments) => add::run(*arguments).await,
        Command::List(query) => sets::list(&query).await,
        Command::Show(arguments) => sets::show(&arguments).await,
        Command::Rollout(arguments) => sets::roll_out(&arguments).await,
        Command::Rollback(arguments) => sets::roll_back(&arguments).await,
        Command::Delete(arguments) => sets::delete(&arguments).await,
        Command::Push(arguments) => push::run(arguments).await,
        Command::Pull(arguments) => pull::run(arguments).await,
        Command::Inspect(arguments) => inspect::run(&arguments),
    }
}
