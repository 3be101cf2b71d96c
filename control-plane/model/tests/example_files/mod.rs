//! The example meshes, which tests find through `FERROMESH_EXAMPLES`.

use std::path::{Path, PathBuf};

use ferromesh_model::resource::Kind;
use serde_json::Value;

/// Folder of the example meshes, or why there is none.
pub fn folder() -> Result<PathBuf, String> {
    let folder = std::env::var("FERROMESH_EXAMPLES").map_err(|_| "FERROMESH_EXAMPLES is not set".to_owned())?;
    let folder = PathBuf::from(folder);
    if folder.is_dir() {
        Ok(folder)
    } else {
        Err(format!("{} is no folder", folder.display()))
    }
}

/// All example files, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    collect(folder, &mut found);
    found.sort();
    found
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
}

/// The file as JSON.
pub fn read(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).expect("a file");
    serde_json::from_str(&fill(&text)).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// The file with its jq variables filled in: outside strings `$NAME` becomes a string.
fn fill(text: &str) -> String {
    let mut filled = String::new();
    let mut rest = text.chars().peekable();
    let mut in_string = false;
    while let Some(character) = rest.next() {
        if character == '"' {
            in_string = !in_string;
        }
        if character != '$' || in_string {
            filled.push(character);
            continue;
        }
        let mut name = String::new();
        while let Some(next) = rest.next_if(|next| next.is_ascii_alphanumeric() || *next == '_') {
            name.push(next);
        }
        filled.push_str(&format!("\"{}.example\"", name.to_lowercase().replace('_', "-")));
    }
    filled
}

/// What kind of resource a file holds, by its content and, where that does not say, by its name.
pub fn kind(path: &Path, input: &Value) -> Kind {
    let spec = &input["spec"];
    let name = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let has = |member: &str| spec.get(member).is_some();
    let is_route = ["httpRoute", "http2Route", "grpcRoute", "tcpRoute"]
        .into_iter()
        .find(|member| has(member));
    match is_route {
        Some(member) if spec[member]["action"].get("target").is_some() => Kind::GatewayRoute,
        Some(_) => Kind::Route,
        None if has("provider") || name.contains("-vs") => Kind::VirtualService,
        None if name.contains("-vr") => Kind::VirtualRouter,
        None if name.contains("-vg") => Kind::VirtualGateway,
        None if name.contains("mesh") => Kind::Mesh,
        None => Kind::VirtualNode,
    }
}
