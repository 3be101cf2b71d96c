//! Where an outside program is: what its variable names, else the folder that `cargo xtask env` fills, else `PATH`.
//!
//! Tests of other packages take this file as it is.

use std::{
    env,
    path::{Path, PathBuf},
};

/// Finds a program by its variable, its place in the cache, and its name on `PATH` if an installed one will do.
///
/// # Errors
/// The variable names nothing that exists, or the program is in none of these places: with what makes it.
pub fn find(variable: &str, cached: &str, installed: Option<&str>) -> Result<PathBuf, String> {
    if let Some(path) = set(variable) {
        return match path.exists() {
            true => Ok(path),
            false => Err(format!("{variable} names {}, which does not exist", path.display())),
        };
    }
    let in_cache = cache().map(|cache| cache.join(cached));
    let tried: Vec<PathBuf> = in_cache.into_iter().chain(installed.and_then(on_path)).collect();
    if let Some(found) = tried.iter().find(|path| path.exists()) {
        return Ok(found.clone());
    }
    let name = Path::new(cached).file_name().unwrap_or_default().to_string_lossy();
    Err(format!(
        "no {name}: {variable} is not set and none of {tried:?} exists; run `cargo xtask test`, which makes everything \
         the tests need"
    ))
}

/// A program on `PATH`.
pub fn on_path(program: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?)
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

fn cache() -> Option<PathBuf> {
    set("FERROMESH_CACHE")
        .or_else(|| Some(set("XDG_CACHE_HOME")?.join("ferromesh")))
        .or_else(|| Some(set("HOME")?.join(".cache/ferromesh")))
}

fn set(variable: &str) -> Option<PathBuf> {
    env::var_os(variable)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}
