//! Where leaves are set and shown: golden cases, traffic cases, other tests, and the list of those that cannot be shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{ensure, Context, Result};
use serde::Deserialize;
use serde_json::Value;

use super::leaves;

/// Leaves by the name of what sets or shows them.
pub type ByName = BTreeMap<String, BTreeSet<String>>;

/// The part of a golden or traffic case that is looked at.
#[derive(Deserialize)]
struct Case {
    #[serde(default)]
    shows: Vec<String>,
    resources: Vec<Resource>,
}

#[derive(Deserialize)]
struct Resource {
    kind: String,
    spec: Value,
}

/// Leaves that no traffic test shows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Untested {
    /// Patterns.
    pub leaves: Vec<String>,
    /// A sentence.
    pub why: String,
}

impl Case {
    fn sets(&self) -> BTreeSet<String> {
        let resources = self.resources.iter();
        resources.flat_map(|one| leaves::set(&one.kind, &one.spec)).collect()
    }
}

/// What each golden case sets.
pub fn golden(root: &Path) -> Result<ByName> {
    let mut found = ByName::new();
    for folder in entries(&root.join("control-plane/emit/testdata"))? {
        let file = folder.join("in.yaml");
        let case: Case = read(&fs::read_to_string(&file)?).with_context(|| file.display().to_string())?;
        found.insert(name(&folder), case.sets());
    }
    Ok(found)
}

/// What each traffic case shows; `problems` gets what a case says to show and does not even set.
pub fn cases(root: &Path, problems: &mut Vec<String>) -> Result<ByName> {
    let mut found = ByName::new();
    let folders = entries(&root.join("integration/fields"))?;
    for folder in folders.iter().filter(|path| path.is_dir()) {
        for file in entries(folder)? {
            let text = fs::read_to_string(&file)?;
            let name = format!(
                "{}/{}",
                name(folder),
                file.file_stem().unwrap_or_default().to_string_lossy()
            );
            for variant in variants(&text).with_context(|| name.clone())? {
                let mut filled = text.clone();
                for (variable, value) in &variant {
                    filled = filled.replace(&format!("${{{variable}}}"), value);
                }
                let case: Case = read(&filled).with_context(|| format!("{name} with {variant:?}"))?;
                let shown: BTreeSet<String> = case.shows.iter().flat_map(|shown| leaves::expand(shown)).collect();
                let sets = case.sets();
                for leaf in shown.difference(&sets) {
                    problems.push(format!("{name} says to show {leaf}, which its resources do not set"));
                }
                found.entry(name.clone()).or_default().extend(shown);
            }
        }
    }
    Ok(found)
}

/// What tests say that they show, in lines `//! shows: <leaf>, <leaf>`; a leaf may be a pattern without spaces.
pub fn tests(root: &Path) -> Result<ByName> {
    let mut found = ByName::new();
    let mut files = vec![root.join("integration/tests")];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(entries(&path)?);
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let lines = text.lines().filter_map(|line| line.strip_prefix("//! shows: "));
        let shown: BTreeSet<String> = lines
            .flat_map(|line| line.split(", "))
            .flat_map(|leaf| leaves::expand(leaf.trim()))
            .collect();
        if !shown.is_empty() {
            let path = path.strip_prefix(root.join("integration")).unwrap_or(&path);
            found.insert(path.display().to_string(), shown);
        }
    }
    Ok(found)
}

/// The reviewed list.
pub fn untested(root: &Path) -> Result<Vec<Untested>> {
    let file = root.join("integration/fields/untested.yaml");
    read(&fs::read_to_string(&file)?).with_context(|| file.display().to_string())
}

/// The values for `${…}` that a case file gives, once for each time that it runs.
fn variants(text: &str) -> Result<Vec<BTreeMap<String, String>>> {
    #[derive(Deserialize)]
    struct Variants {
        variants: Vec<BTreeMap<String, String>>,
    }
    // By itself: the rest is not YAML before it is filled in.
    let block = text.lines().skip_while(|line| !line.starts_with("variants:"));
    let block = block
        .enumerate()
        .take_while(|(number, line)| *number == 0 || line.starts_with(' '));
    let block: Vec<&str> = block.map(|(_, line)| line).collect();
    Ok(match block.as_slice() {
        [] => vec![BTreeMap::new()],
        block => read::<Variants>(&block.join("\n"))?.variants,
    })
}

fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    Ok(serde_saphyr::from_str(text)?)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    ensure!(!paths.is_empty(), "{} is empty", folder.display());
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
