//! `ferromesh module push`: a module becomes an image in a registry.

use std::path::PathBuf;

use serde::Serialize;

use super::{
    file::ModuleFile,
    image::{Image, Layout},
    place::Place,
    registry::{Access, Registry},
};
use crate::{
    client::{
        output::{self, Table},
        Format,
    },
    exit::Exit,
};

/// The flags of `ferromesh module push`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The module
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where it goes: host[:port]/repository:tag
    #[arg(value_name = "REFERENCE")]
    place: Place,
    /// How it lies in the registry
    #[arg(long, value_enum, default_value = "compat")]
    layout: Layout,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    format: Format,
}

/// What a push has made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Pushed {
    /// By content: what to write into a configuration.
    reference: String,
    /// By tag.
    tag: String,
    layout: Layout,
    /// What Istio and Envoy Gateway call `sha256` of an image.
    manifest_sha256: String,
    /// What our own configurations pin, and Istio and Envoy Gateway of a module over http.
    module_sha256: String,
    /// Bytes of the module.
    size: usize,
}

/// Runs the command.
///
/// # Errors
/// The module is refused, or the registry out of reach or unwilling.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let place = &arguments.place;
    if place.digest().is_some() {
        return Ok(Exit::usage([format!(
            "{place}: a push gives a tag; the digest follows from the module"
        )]));
    }
    let module = ModuleFile::read(&arguments.file)?;
    let violations = module.violations();
    if !violations.is_empty() {
        for violation in violations {
            eprintln!("error: {}: {violation}", arguments.file.display());
        }
        return Ok(Exit::Failure);
    }
    if !module.is_filter() {
        eprintln!(
            "warning: {} does not export proxy_abi_version_0_2_1: Envoy will not take it for a filter",
            arguments.file.display()
        );
    }
    let image = Image::of(&module.bytes, arguments.layout)?;
    Registry::new(&arguments.access, place)?.push(&image).await?;
    let pushed = Pushed {
        reference: place.pinned(&image.digest),
        tag: place.to_string(),
        layout: arguments.layout,
        manifest_sha256: image.digest.trim_start_matches("sha256:").to_owned(),
        module_sha256: module.sha256,
        size: module.bytes.len(),
    };
    output::print(arguments.format.output, &pushed, || table(&pushed))?;
    Ok(Exit::Success)
}

fn table(pushed: &Pushed) -> Table {
    let mut table = Table::new(&["WHAT", "VALUE"]);
    for (what, value) in [
        ("reference", &pushed.reference),
        ("tag", &pushed.tag),
        ("manifest sha256", &pushed.manifest_sha256),
        ("module sha256", &pushed.module_sha256),
        ("bytes", &pushed.size.to_string()),
    ] {
        table.row([what.to_owned(), value.clone()]);
    }
    table
}
