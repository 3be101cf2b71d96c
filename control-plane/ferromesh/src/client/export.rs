//! `ferromesh export`: a mesh from the API as a dump, a template or manifests.

use std::path::PathBuf;

use ferromesh_import::{
    write::{self, Written},
    Resource, Severity,
};
use ferromesh_model::resource::{Key, Kind};
use serde_json::Value;

use super::{
    http::{CallError, Client},
    import, output, paths,
    selection::{self, text, SelectionError},
    Connection, MeshName,
};
use crate::exit::Exit;

/// The formats that are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// What `aws appmesh describe-…` and `list-tags-for-resource` print, one file a resource
    Describe,
    /// A CloudFormation template
    #[value(name = "cloudformation")]
    CloudFormation,
    /// Manifests of appmesh.k8s.aws/v1beta2
    Kubernetes,
}

/// The flags of `ferromesh export`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Format of the files
    #[arg(long, value_enum, default_value = "describe")]
    format: Form,
    /// Folder for the files; standard output without it
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Kubernetes: namespace of the objects
    #[arg(long, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,
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
    let resources = match fetch(&client, &arguments.mesh).await {
        Ok(resources) => resources,
        Err(SelectionError::Usage(problem)) => return Ok(Exit::usage([problem])),
        Err(SelectionError::Call(error)) => {
            eprintln!("error: {error}");
            return Ok(Exit::Failure);
        }
    };
    let Written { files, findings } = match arguments.format {
        Form::Describe => write::describe(&resources),
        Form::CloudFormation => write::cloudformation(&resources),
        Form::Kubernetes => write::kubernetes(&resources, &arguments.namespace),
    };
    import::print(&findings);
    match arguments.out.as_deref() {
        Some(folder) => {
            if let Err(problem) = import::write(folder, &files) {
                eprintln!("error: {problem}");
                return Ok(Exit::Failure);
            }
        }
        None => {
            for file in &files {
                output::write(&file.text)?;
            }
        }
    }
    let lost = findings.iter().any(|finding| finding.severity == Severity::Error);
    Ok(if lost { Exit::Failure } else { Exit::Success })
}

/// All resources of a mesh, as they are described, with their tags.
async fn fetch(client: &Client, mesh: &MeshName) -> Result<Vec<Resource>, SelectionError> {
    let mesh = selection::mesh(client, mesh).await?;
    let mut resources = vec![describe(client, Key::mesh(mesh.clone())).await?];
    for kind in Kind::ALL
        .into_iter()
        .filter(|kind| kind.parent().is_none() && *kind != Kind::Mesh)
    {
        for name in names(client, kind, &mesh, None).await? {
            resources.push(describe(client, Key::in_mesh(mesh.clone(), kind, name.clone())).await?);
            let child = Kind::ALL.into_iter().find(|child| child.parent() == Some(kind));
            let Some(child) = child else { continue };
            for route in names(client, child, &mesh, Some(&name)).await? {
                let key = Key::in_parent(mesh.clone(), child, name.clone(), route);
                resources.push(describe(client, key).await?);
            }
        }
    }
    resources.sort_by_key(Resource::rank);
    Ok(resources)
}

async fn names(client: &Client, kind: Kind, mesh: &str, parent: Option<&str>) -> Result<Vec<String>, CallError> {
    let collection = paths::collection(kind, mesh, parent);
    let items = client.list(&collection, kind.list_member()).await?;
    let name = |item: &Value| text(item, kind.name_member()).map(str::to_owned);
    Ok(items.iter().filter_map(name).collect())
}

async fn describe(client: &Client, key: Key) -> Result<Resource, CallError> {
    let described = client.get(&paths::item(&key)).await?;
    let metadata = described.get("metadata").cloned();
    let of_metadata = |name: &str| metadata.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let tags = match of_metadata("arn") {
        Some(arn) => {
            let tags = client.list(&paths::tags(&arn).0, "tags").await?;
            let pair = |tag: &Value| Some((text(tag, "key")?.to_owned(), text(tag, "value")?.to_owned()));
            Some(tags.iter().filter_map(pair).collect())
        }
        None => None,
    };
    let mut resource = Resource::new(key, described.get("spec").cloned().unwrap_or_default());
    resource.mesh_owner = of_metadata("meshOwner");
    resource.tags = tags;
    resource.metadata = metadata;
    Ok(resource)
}
