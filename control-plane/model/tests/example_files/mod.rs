//! The example meshes, which tests find through `FERROMESH_EXAMPLES`.
#![allow(dead_code, reason = "every test file uses its own part")]

pub mod meshes;

use std::path::{Path, PathBuf};

use ferromesh_model::resource::Kind;
use serde_json::Value;

/// Folder of the example meshes; `None`, said aloud, where there is none: the only input that a test may go without, for
/// the meshes are other people's.
pub fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("FERROMESH_EXAMPLES").filter(|folder| !folder.is_empty());
    let folder = named.map(PathBuf::from);
    let reason = match &folder {
        Some(folder) if folder.is_dir() => return Some(folder.clone()),
        Some(folder) => format!("{} is no folder", folder.display()),
        None => "FERROMESH_EXAMPLES names no folder of example meshes".to_owned(),
    };
    // Past the harness, which keeps what passing tests print to itself.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("skipped: {reason}\n").as_bytes());
    None
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

/// The file as JSON, its jq variables named after themselves.
pub fn read(path: &Path) -> Value {
    filled(path, |name| {
        format!("{}.example", name.to_lowercase().replace('_', "-"))
    })
}

/// The file as JSON, with these values of its jq variables.
pub fn read_with(path: &Path, variables: &[(&str, &str)]) -> Value {
    filled(path, |name| {
        let known = variables.iter().find(|(variable, _)| *variable == name);
        let (_, value) = known.unwrap_or_else(|| panic!("{path:?}: no value for ${name}"));
        (*value).to_owned()
    })
}

fn filled(path: &Path, value: impl Fn(&str) -> String) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    serde_json::from_str(&fill(&text, value)).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// The text with its jq variables filled in: outside strings `$NAME` becomes a string.
fn fill(text: &str, value: impl Fn(&str) -> String) -> String {
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
        filled.push_str(&Value::from(value(&name)).to_string());
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
