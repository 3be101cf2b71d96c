//! `ferromesh delete`: removes one resource.

use super::{
    documents,
    http::Client,
    noun::Noun,
    output, paths,
    selection::{self, Parent, SelectionError},
    Connection, MeshName, WHICH_MESH,
};
use crate::exit::Exit;
use ferromesh_model::resource::Kind;

/// The flags of `ferromesh delete`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// mesh, virtual-node (vn), virtual-service (vs), virtual-router (vr), route, virtual-gateway (vg),
    /// gateway-route (gr) or policy
    kind: Noun,
    /// Its name
    name: String,
    /// Succeed if there is no such resource
    #[arg(long)]
    ignore_missing: bool,
    #[command(flatten)]
    parent: Parent,
    #[command(flatten)]
    mesh: MeshName,
    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
///
/// # Errors
/// The client cannot be made, or output cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let client = Client::new(&arguments.connection)?;
    let (label, path) = match what(&arguments) {
        Ok(what) => what,
        Err(problem) => return Ok(Exit::usage([problem])),
    };
    match client.delete(&path).await {
        Ok(_) => {
            output::write(&format!("{label} deleted\n"))?;
            Ok(Exit::Success)
        }
        Err(error) if error.is_not_found() && arguments.ignore_missing => {
            output::write(&format!("{label} was not there\n"))?;
            Ok(Exit::Success)
        }
        Err(error) => {
            eprintln!("error: {label}: {error}");
            Ok(Exit::Failure)
        }
    }
}

/// Label and path. Unlike `get`, this guesses no mesh.
fn what(arguments: &Arguments) -> Result<(String, String), SelectionError> {
    let mesh = || {
        let named = arguments.mesh.name.as_deref();
        named.ok_or_else(|| SelectionError::Usage(WHICH_MESH.to_owned()))
    };
    let parent = arguments.parent.of(arguments.kind)?;
    match arguments.kind {
        Noun::Policy => Ok((
            format!("policy/{}", arguments.name),
            paths::policy(mesh()?, &arguments.name),
        )),
        Noun::Resource(kind) => {
            let mesh = if kind == Kind::Mesh { "" } else { mesh()? };
            let key = selection::key(kind, mesh, parent, &arguments.name)?;
            Ok((documents::label(&key), paths::item(&key)))
        }
    }
}
