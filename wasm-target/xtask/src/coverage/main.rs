//! Prints which golden case sets each field of App Mesh's specs, and which traffic test shows it.

mod leaves;
mod sources;
mod table;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

/// The argument: the repository.
fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<ExitCode> {
    let root = std::env::args_os().nth(1).context("the repository must be given")?;
    let table = table::Table::of(Path::new(&root))?;
    print!("{}", table.text());
    for problem in &table.problems {
        eprintln!("error: {problem}");
    }
    Ok(if table.problems.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
