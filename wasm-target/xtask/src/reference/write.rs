//! Writes the reference of the filters, or compares it with what is there.

mod fields;
mod pages;
mod subject;

use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result};

/// Arguments: the repository, and `--check` to compare only.
fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [root] => write(Path::new(root)),
        [root, "--check"] => check(Path::new(root)),
        _ => Err(anyhow::anyhow!("usage: filter-reference REPOSITORY [--check]")),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn write(root: &Path) -> Result<ExitCode> {
    let folder = root.join(pages::FOLDER);
    let pages = pages::pages(root)?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    for name in pages::stale(root, &pages)? {
        let file = folder.join(&name);
        match pages.get(&name) {
            Some(text) => fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?,
            None => fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?,
        }
        println!("{}/{name}", pages::FOLDER);
    }
    Ok(ExitCode::SUCCESS)
}

fn check(root: &Path) -> Result<ExitCode> {
    let stale = pages::stale(root, &pages::pages(root)?)?;
    for name in &stale {
        eprintln!(
            "error: {}/{name} is not what `cargo xtask reference` makes",
            pages::FOLDER
        );
    }
    Ok(if stale.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
