//! `ferromesh analyze`: what is doubtful about a mesh, on the server or in files.

mod offline;

use std::path::PathBuf;

use serde_json::{json, Value};

use super::{
    apply::finding,
    http::{CallError, Client},
    output::{self, Form},
    paths, Connection, MeshName,
};
use crate::exit::Exit;

/// The flags of `ferromesh analyze`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Look at what these files say instead of what the server has: no server is asked
    #[arg(long = "filename", short = 'f', value_name = "FILE|DIR", num_args = 1..)]
    files: Vec<PathBuf>,
    /// The least findings that make the command fail
    #[arg(long, value_enum, value_name = "SEVERITY", default_value = "error")]
    fail_on: FailOn,
    #[command(flatten)]
    mesh: MeshName,
    #[command(flatten)]
    connection: Connection,
    /// Form of the output
    #[arg(long, short, value_enum, default_value = "table")]
    output: Form,
}

/// The least findings that make the command fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// Errors.
    Error,
    /// Errors and warnings.
    Warning,
    /// Everything.
    Note,
    /// Nothing.
    Never,
}

impl FailOn {
    fn fails(self, finding: &Value) -> bool {
        let severity = finding.get("severity").and_then(Value::as_str).unwrap_or("error");
        match self {
            Self::Error => severity == "error",
            Self::Warning => severity != "note",
            Self::Note => true,
            Self::Never => false,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// The client cannot be made, or output cannot be written.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let found = if arguments.files.is_empty() {
        let client = Client::new(&arguments.connection)?;
        ask(&client, arguments.mesh.name.as_deref())
            .await
            .map_err(|error| vec![error.to_string()])
    } else {
        offline::analyze(&arguments.files, arguments.mesh.name.as_deref())
    };
    let meshes = match found {
        Ok(meshes) => meshes,
        Err(problems) => {
            for problem in problems {
                eprintln!("error: {problem}");
            }
            return Ok(Exit::Failure);
        }
    };
    let findings = || meshes.iter().flat_map(|(_, findings)| findings);
    if arguments.output == Form::Table {
        let mut text = String::new();
        for (mesh, findings) in &meshes {
            for found in findings {
                text.push_str(&format!("{}: {}\n", mesh.escape_debug(), finding(found)));
            }
        }
        let count = |severity: &str| findings().filter(|found| found["severity"] == severity).count();
        let (errors, warnings, notes) = (count("error"), count("warning"), count("note"));
        text.push_str(&format!(
            "{}: {}, {}, {}\n",
            counted(meshes.len(), "mesh", "meshes"),
            counted(errors, "error", "errors"),
            counted(warnings, "warning", "warnings"),
            counted(notes, "note", "notes"),
        ));
        output::write(&text)?;
    } else {
        let shown: Vec<Value> = meshes
            .iter()
            .map(|(mesh, findings)| json!({ "mesh": mesh, "findings": findings }))
            .collect();
        output::print(arguments.output, &shown, || output::Table::new(&[]))?;
    }
    let fails = findings().any(|found| arguments.fail_on.fails(found));
    Ok(if fails { Exit::Failure } else { Exit::Success })
}

/// A number of things, in words.
fn counted(number: usize, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

/// Findings by mesh.
type Meshes = Vec<(String, Vec<Value>)>;

/// Asks the server about one mesh, or about all.
async fn ask(client: &Client, mesh: Option<&str>) -> Result<Meshes, CallError> {
    let names = match mesh {
        Some(mesh) => vec![mesh.to_owned()],
        None => {
            let meshes = client.list("/v20190125/meshes", "meshes").await?;
            let names = meshes
                .iter()
                .filter_map(|mesh| mesh.get("meshName")?.as_str().map(str::to_owned));
            names.collect()
        }
    };
    let mut meshes = Vec::new();
    for name in names {
        let path = format!("/v1/analyze?mesh={}", paths::component(&name));
        let findings = client.list_at_once(&path, "findings").await?;
        meshes.push((name, findings));
    }
    Ok(meshes)
}
