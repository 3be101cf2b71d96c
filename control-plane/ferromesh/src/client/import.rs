//! `ferromesh import`: reads meshes from the files in which users of App Mesh kept them.
//!
//! The reading is [`ferromesh_import`]'s; here are files, flags, and what becomes of the result. `ferromesh apply`
//! reads the same files through [`documents`].

mod sources;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use ferromesh_import::{Finding, Format, Imported, Options, Resource, Severity, Source, DUMP_SCRIPT};
use serde_json::Value;

use super::{
    apply,
    documents::{Content, Document},
    http::Client,
    output, Connection, MeshName,
};
use crate::exit::Exit;

pub use sources::{is_ours, write};

/// The formats by their names on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Form {
    /// Each file's by its content
    Auto,
    /// Outputs of `aws appmesh describe-…`, or inputs of `create-…`
    Describe,
    /// CloudFormation or CDK templates
    #[value(name = "cloudformation")]
    CloudFormation,
    /// Manifests of appmesh.k8s.aws/v1beta2
    Kubernetes,
    /// Terraform configuration or state
    Terraform,
}

/// The flags of `ferromesh import`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Files, folders, or - for standard input, read as one input
    #[arg(value_name = "FILE|DIR", required_unless_present = "print_dump_script")]
    files: Vec<PathBuf>,
    /// Format of the files
    #[arg(long, value_enum, default_value = "auto")]
    format: Form,
    /// CloudFormation: value of a parameter, of a pseudo parameter (AWS::Region), of an export, or of what the
    /// template does not make (Certificate, Service.Name); may be given several times
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// Terraform: value of a variable, or of what the configuration does not make (aws_acm_certificate.web.arn); may
    /// be given several times
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = pair)]
    variables: Vec<(String, String)>,
    /// Kubernetes: label of a namespace that is not among the files; may be given several times
    #[arg(long = "namespace-label", value_name = "NAMESPACE:NAME=VALUE", value_parser = label)]
    namespace_labels: Vec<(String, String, String)>,
    /// Folder for the resources, one file each, or - for standard output
    #[arg(long, value_name = "DIR|-")]
    out: Option<PathBuf>,
    /// Create or update the resources on the server; not with --out -
    #[arg(long)]
    apply: bool,
    /// Print a shell script that takes a dump of meshes with the AWS CLI, and do nothing else
    #[arg(long)]
    print_dump_script: bool,
    #[command(flatten)]
    mesh: MeshName,
    #[command(flatten)]
    connection: Connection,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE".to_owned()),
    }
}

fn label(text: &str) -> Result<(String, String, String), String> {
    let parts = text.split_once(':').map(|(namespace, rest)| (namespace, pair(rest)));
    match parts {
        Some((namespace, Ok((name, value)))) if !namespace.is_empty() => Ok((namespace.to_owned(), name, value)),
        _ => Err("expected NAMESPACE:NAME=VALUE".to_owned()),
    }
}

/// Runs the command.
///
/// # Errors
/// Output cannot be written, or the client cannot be made.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    if arguments.print_dump_script {
        output::write(DUMP_SCRIPT)?;
        return Ok(Exit::Success);
    }
    let to_standard_output = arguments.out.as_deref() == Some(Path::new("-"));
    if arguments.apply && to_standard_output {
        return Ok(Exit::usage(["--apply prints what it does: --out takes a folder then"]));
    }
    let sources = match sources::read(&arguments.files) {
        Ok(sources) => sources,
        Err(problems) => {
            for problem in problems {
                eprintln!("error: {problem}");
            }
            return Ok(Exit::Failure);
        }
    };
    let imported = ferromesh_import::read(&sources, &options(&arguments));
    print(&imported.findings);
    match arguments.out.as_deref() {
        Some(folder) if !to_standard_output => {
            let written = ferromesh_import::write::create_inputs(&imported.resources);
            if let Err(problem) = sources::write(folder, &written.files) {
                eprintln!("error: {problem}");
                return Ok(Exit::Failure);
            }
        }
        None if arguments.apply => {}
        _ => {
            let inputs: Vec<Value> = imported.resources.iter().map(Resource::create_input).collect();
            output::write(&(serde_json::to_string_pretty(&inputs)? + "\n"))?;
        }
    }
    if imported.has_errors() {
        if arguments.apply {
            eprintln!("error: nothing is applied: something could not be carried over");
        }
        return Ok(Exit::Failure);
    }
    if imported.resources.is_empty() {
        eprintln!("error: there is no resource of App Mesh in the files");
        return Ok(Exit::Failure);
    }
    if !arguments.apply {
        return Ok(Exit::Success);
    }
    let client = Client::new(&arguments.connection)?;
    apply_all(&client, imported).await
}

fn options(arguments: &Arguments) -> Options {
    let mut namespace_labels: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for (namespace, name, value) in arguments.namespace_labels.iter().cloned() {
        namespace_labels.entry(namespace).or_default().insert(name, value);
    }
    Options {
        format: match arguments.format {
            Form::Auto => None,
            Form::Describe => Some(Format::Describe),
            Form::CloudFormation => Some(Format::CloudFormation),
            Form::Kubernetes => Some(Format::Kubernetes),
            Form::Terraform => Some(Format::Terraform),
        },
        mesh: arguments.mesh.name.clone(),
        parameters: arguments.parameters.iter().cloned().collect(),
        variables: arguments.variables.iter().cloned().collect(),
        namespace_labels,
    }
}

/// Findings, one a line, on standard error.
pub fn print(findings: &[Finding]) {
    for finding in findings {
        eprintln!("{finding}");
    }
}

/// Creates and updates everything as `ferromesh apply` does: all or nothing.
async fn apply_all(client: &Client, imported: Imported) -> anyhow::Result<Exit> {
    apply::all(client, imported.resources.into_iter().map(document).collect()).await
}

/// What `ferromesh apply` reads from files of the other formats.
///
/// # Errors
/// Everything that could not be carried over; warnings go to standard error.
pub fn documents(files: Vec<(String, String)>, default_mesh: Option<&str>) -> Result<Vec<Document>, Vec<String>> {
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let sources: Vec<Source> = files.into_iter().map(|(name, text)| Source::new(name, text)).collect();
    let options = Options {
        mesh: default_mesh.map(str::to_owned),
        ..Options::default()
    };
    let imported = ferromesh_import::read(&sources, &options);
    let (errors, others): (Vec<Finding>, Vec<Finding>) = imported
        .findings
        .into_iter()
        .partition(|finding| finding.severity == Severity::Error);
    print(&others);
    if errors.is_empty() {
        Ok(imported.resources.into_iter().map(document).collect())
    } else {
        Err(errors.iter().map(ToString::to_string).collect())
    }
}

fn document(resource: Resource) -> Document {
    Document {
        origin: resource.origin.to_string(),
        content: Content::Resource {
            tags: resource.tag_list(),
            key: resource.key,
            spec: resource.spec,
        },
    }
}
