//! `ferromesh module inspect`: what Envoy will find in a module.

use std::path::PathBuf;

use serde::Serialize;

use super::file::ModuleFile;
use crate::{
    client::{
        output::{self, Table},
        Format,
    },
    exit::Exit,
};

/// The flags of `ferromesh module inspect`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// The module
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    format: Format,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    size: usize,
    sha256: String,
    memory_initial: u64,
    /// Absent: it declares none, and Envoy would let it take 1 GiB for each worker.
    memory_maximum: Option<u64>,
    imports: Vec<String>,
    exports: Vec<String>,
    /// Why a push would be refused.
    violations: Vec<String>,
}

/// Runs the command: success for every wasm module, also for one that a push would refuse.
///
/// # Errors
/// The file cannot be read or is no module.
pub fn run(arguments: &Arguments) -> anyhow::Result<Exit> {
    let module = ModuleFile::read(&arguments.file)?;
    let inspection = &module.inspection;
    let description = Description {
        size: module.bytes.len(),
        sha256: module.sha256.clone(),
        memory_initial: inspection.memory_initial,
        memory_maximum: inspection.memory_maximum,
        imports: inspection
            .imports
            .iter()
            .map(|import| format!("{}.{}", import.module, import.name))
            .collect(),
        exports: inspection.exports.clone(),
        violations: module.violations(),
    };
    output::print(arguments.format.output, &description, || table(&description))?;
    Ok(Exit::Success)
}

fn table(description: &Description) -> Table {
    let mut table = Table::new(&["WHAT", "VALUE"]);
    let mut row = |what: &str, value: String| table.row([what.to_owned(), value]);
    row("bytes", description.size.to_string());
    row("sha256", description.sha256.clone());
    row("memory at start", format!("{} KiB", description.memory_initial >> 10));
    let maximum = description.memory_maximum;
    row(
        "memory at most",
        maximum.map_or("not declared".to_owned(), |bytes| format!("{} KiB", bytes >> 10)),
    );
    for import in &description.imports {
        row("import", import.clone());
    }
    for export in &description.exports {
        row("export", export.clone());
    }
    for violation in &description.violations {
        row("violation", violation.clone());
    }
    table
}
