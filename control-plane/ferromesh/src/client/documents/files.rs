//! Finding and reading the files.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{super::import, parse, Document};

/// Reads the files: each path is a file, a folder whose `.json`, `.yaml`, `.yml`, `.template`, `.tf`, `.tfvars` and
/// `.tfstate` files are read in the order of their names, or `-` for standard input.
///
/// # Errors
/// Everything that is wrong with any of them: nothing should be applied if one cannot be read.
pub fn read(paths: &[PathBuf], default_mesh: Option<&str>) -> Result<Vec<Document>, Vec<String>> {
    let mut documents: Vec<Document> = Vec::new();
    let mut problems = Vec::new();
    // Templates, manifests and Terraform refer from one file to another: they are read together.
    let mut foreign = Vec::new();
    for path in paths {
        match contents(path) {
            Ok(contents) => {
                for (origin, form, text) in contents {
                    if ferromesh_import::detect(&origin, text.as_bytes()).is_some() {
                        foreign.push((origin, text));
                        continue;
                    }
                    match values(form, &text) {
                        Ok(values) => documents.extend(parsed(&origin, values, default_mesh, &mut problems)),
                        Err(reason) => problems.push(format!("{origin}: {reason}")),
                    }
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    match import::documents(foreign, default_mesh) {
        Ok(read) => documents.extend(read),
        Err(found) => problems.extend(found),
    }
    problems.extend(twice(&documents));
    if documents.is_empty() && problems.is_empty() {
        problems.push("there is nothing in the files".to_owned());
    }
    if problems.is_empty() {
        Ok(documents)
    } else {
        Err(problems)
    }
}

fn parsed(origin: &str, values: Vec<Value>, default_mesh: Option<&str>, problems: &mut Vec<String>) -> Vec<Document> {
    let several = values.len() > 1;
    let mut documents = Vec::new();
    for (index, value) in values.into_iter().enumerate() {
        let origin = if several {
            format!("{origin}, document {}", index + 1)
        } else {
            origin.to_owned()
        };
        match parse(&origin, value, default_mesh) {
            Ok(parsed) => documents.extend(parsed),
            Err(problem) => problems.push(problem),
        }
    }
    documents
}

/// Two documents for one resource: which of them is meant, nobody can know.
fn twice(documents: &[Document]) -> Vec<String> {
    let same =
        |a: &Document, b: &Document| a.content.mesh() == b.content.mesh() && a.content.label() == b.content.label();
    let mut problems = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        if let Some(first) = documents[..index].iter().find(|earlier| same(earlier, document)) {
            problems.push(format!(
                "{}: {} of mesh {} already stands in {}",
                document.origin,
                document.content.label(),
                document.content.mesh(),
                first.origin
            ));
        }
    }
    problems
}

#[derive(Clone, Copy)]
enum Form {
    Json,
    Yaml,
}

fn contents(path: &Path) -> Result<Vec<(String, Form, String)>, String> {
    if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| format!("standard input: {error}"))?;
        let form = if text.trim_start().starts_with(['{', '[']) {
            Form::Json
        } else {
            Form::Yaml
        };
        return Ok(vec![("standard input".to_owned(), form, text)]);
    }
    let named = |error: std::io::Error| format!("{}: {error}", path.display());
    if !path.is_dir() {
        let text = std::fs::read_to_string(path).map_err(named)?;
        let form = form_of(path).unwrap_or(Form::Yaml);
        return Ok(vec![(path.display().to_string(), form, text)]);
    }
    let mut files: Vec<(PathBuf, Form)> = Vec::new();
    for entry in std::fs::read_dir(path).map_err(named)? {
        let file = entry.map_err(named)?.path();
        if let (Some(form), true) = (form_of(&file), file.is_file()) {
            files.push((file, form));
        }
    }
    if files.is_empty() {
        return Err(format!(
            "{}: the folder has no file that ends in .json, .yaml, .yml, .template, .tf, .tfvars or .tfstate",
            path.display()
        ));
    }
    files.sort_by(|a, b| a.0.cmp(&b.0));
    let read = |(file, form): (PathBuf, Form)| match std::fs::read_to_string(&file) {
        Ok(text) => Ok((file.display().to_string(), form, text)),
        Err(error) => Err(format!("{}: {error}", file.display())),
    };
    files.into_iter().map(read).collect()
}

fn form_of(path: &Path) -> Option<Form> {
    match path.extension()?.to_str()? {
        "json" => Some(Form::Json),
        "yaml" | "yml" => Some(Form::Yaml),
        // Found to be another format by their content, all but empty ones.
        _ => import::is_ours(path).then_some(Form::Yaml),
    }
}

/// All values of a text: JSON values one after the other, or YAML documents.
fn values(form: Form, text: &str) -> Result<Vec<Value>, String> {
    match form {
        Form::Json => serde_json::Deserializer::from_str(text)
            .into_iter::<Value>()
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string()),
        Form::Yaml => {
            // YAML 1.1 reads `n`, `no` and `on` as true and false: `virtualNodeName: n` is to be a name.
            let options = serde_saphyr::options! { strict_booleans: true };
            serde_saphyr::from_multiple_with_options::<Value>(text, options).map_err(|error| error.to_string())
        }
    }
}
