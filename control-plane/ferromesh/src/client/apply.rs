//! `ferromesh apply`: makes the server hold what the files say.
//!
//! Documents go out in the order of their dependencies, whatever their order in the files. Where two changes depend
//! on each other the other way round (a router gets a second listener only after its routes name their port, a route
//! names a port only once the router has it), what was refused is tried again as long as something else succeeds.

use std::path::PathBuf;

use ferromesh_model::resource::Key;
use serde_json::{json, Value};

use super::{
    documents::{self, Content, Document},
    http::{CallError, Client},
    output, paths, Connection, MeshName,
};
use crate::exit::Exit;

/// The flags of `ferromesh apply`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// A file, a folder of .json, .yaml and .yml files, or - for standard input; may be given several times
    #[arg(long = "filename", short = 'f', value_name = "FILE|DIR", required = true, num_args = 1..)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    mesh: MeshName,
    #[command(flatten)]
    connection: Connection,
}

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is new.
    Created,
    /// It was another, and has this version now.
    Updated(Option<u64>),
    /// It was as it should be.
    Unchanged,
}

/// Runs the command.
///
/// # Errors
/// The client cannot be made, or output cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let mut documents = match documents::read(&arguments.files, arguments.mesh.name.as_deref()) {
        Ok(documents) => documents,
        Err(problems) => {
            for problem in problems {
                eprintln!("error: {problem}");
            }
            return Ok(Exit::Failure);
        }
    };
    documents.sort_by_key(|document| document.content.rank());
    let client = Client::new(&arguments.connection.server)?;
    let mut failed = false;
    let mut waiting: Vec<(Document, Option<CallError>)> = documents.into_iter().map(|d| (d, None)).collect();
    loop {
        let before = waiting.len();
        let mut refused = Vec::new();
        for (document, _) in waiting {
            let label = document.content.label();
            match apply(&client, &document.content).await {
                Ok(outcome) => output::write(&format!("{label} {}\n", describe(&outcome)))?,
                Err(error) if error.is_refusal() => refused.push((document, Some(error))),
                Err(error) => {
                    // The rest would fail the same way.
                    eprintln!("error: {label}: {error}");
                    return Ok(Exit::Failure);
                }
            }
        }
        waiting = refused;
        if waiting.is_empty() || waiting.len() == before {
            break;
        }
    }
    for (document, error) in waiting {
        failed = true;
        let reason = error.map(|error| error.to_string()).unwrap_or_default();
        eprintln!(
            "error: {}: {} refused: {reason}",
            document.origin,
            document.content.label()
        );
    }
    Ok(if failed { Exit::Failure } else { Exit::Success })
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Created => "created".to_owned(),
        Outcome::Updated(Some(version)) => format!("updated to version {version}"),
        Outcome::Updated(None) => "updated".to_owned(),
        Outcome::Unchanged => "unchanged".to_owned(),
    }
}

/// Creates or updates what the document names, or finds it as it should be.
///
/// # Errors
/// The server refused, or was not reached.
pub async fn apply(client: &Client, content: &Content) -> Result<Outcome, CallError> {
    match content {
        Content::Resource { key, spec, tags } => resource(client, key, spec, tags.as_ref()).await,
        Content::Policy { mesh, name, body } => policy(client, mesh, name, body).await,
    }
}

async fn resource(client: &Client, key: &Key, spec: &Value, tags: Option<&Value>) -> Result<Outcome, CallError> {
    let item = paths::item(key);
    let found = match client.get(&item).await {
        Ok(found) => found,
        Err(error) if error.is_not_found() => return create(client, key, spec, tags).await,
        Err(error) => return Err(error),
    };
    let same_spec = found.get("spec") == Some(&ferromesh_model::describe(key.kind, spec));
    let mut outcome = Outcome::Unchanged;
    if !same_spec {
        let updated = client.put(&item, &json!({ "spec": spec })).await?;
        outcome = Outcome::Updated(updated.pointer("/metadata/version").and_then(Value::as_u64));
    }
    if let (Some(tags), Some(arn)) = (tags, found.pointer("/metadata/arn").and_then(Value::as_str)) {
        if set_tags(client, arn, tags).await? && outcome == Outcome::Unchanged {
            outcome = Outcome::Updated(None);
        }
    }
    Ok(outcome)
}

async fn create(client: &Client, key: &Key, spec: &Value, tags: Option<&Value>) -> Result<Outcome, CallError> {
    let mut body = json!({ paths::name_member(key.kind): key.name, "spec": spec });
    if let Some(tags) = tags {
        body["tags"] = tags.clone();
    }
    let collection = paths::collection(key.kind, &key.mesh, key.parent.as_deref());
    client.put(&collection, &body).await?;
    Ok(Outcome::Created)
}

/// Adds and changes tags; others stay, as with `aws appmesh tag-resource`. Says whether anything changed.
async fn set_tags(client: &Client, arn: &str, tags: &Value) -> Result<bool, CallError> {
    let (list, set) = paths::tags(arn);
    let present = client.list(&list, "tags").await?;
    let wanted = tags.as_array().map(Vec::as_slice).unwrap_or_default();
    if tags.is_array() && wanted.iter().all(|tag| present.contains(tag)) {
        return Ok(false);
    }
    client.put(&set, &json!({ "tags": tags })).await?;
    Ok(true)
}

async fn policy(client: &Client, mesh: &str, name: &str, body: &Value) -> Result<Outcome, CallError> {
    let item = paths::policy(mesh, name);
    let found = match client.get(&item).await {
        Ok(found) => Some(found),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error),
    };
    let same = |member: &str| found.as_ref().and_then(|found| found.get(member)) == body.get(member);
    if same("target") && same("spec") {
        return Ok(Outcome::Unchanged);
    }
    client.put(&item, body).await?;
    Ok(match found {
        Some(_) => Outcome::Updated(None),
        None => Outcome::Created,
    })
}
