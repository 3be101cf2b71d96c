//! `ferromesh module add`: modules from files or a registry become a set of the control plane.
//!
//! Everything is fetched and judged here before anything is sent; the control plane judges it again.

use std::{path::PathBuf, str::FromStr};

use anyhow::Context;
use base64::prelude::{Engine, BASE64_STANDARD};
use serde_json::{json, Map, Value};

use super::{
    file::ModuleFile,
    place::Place,
    pull::Checksum,
    registry::{Access, Registry},
    sets,
};
use crate::{
    client::{http::Client, Query},
    exit::Exit,
};

/// The flags of `ferromesh module add`.
#[derive(Clone, Debug, clap::Args)]
pub struct Arguments {
    /// Name of the set, such as 1.4.0
    #[arg(long, value_name = "VERSION")]
    version: String,
    /// The module of most proxies: a file, or oci:host[:port]/repository:tag
    #[arg(long, value_name = "FILE|REFERENCE")]
    mesh: Source,
    /// The module of proxies whose policies write no response header; without it they get the other one
    #[arg(long, value_name = "FILE|REFERENCE")]
    lean: Option<Source>,
    /// Further module of the set, for Envoys without our control plane, such as retry=retry.wasm; may be given several times
    #[arg(long, value_name = "NAME=FILE|REFERENCE", value_parser = named)]
    module: Vec<(String, Source)>,
    /// File with a module's minisign signature, such as mesh=mesh.minisig; of a module in a file FILE it is FILE.minisig if
    /// that is there
    #[arg(long, value_name = "NAME=FILE", value_parser = signature)]
    signature: Vec<(String, PathBuf)>,
    /// A module must have this sha256, such as mesh=…; may be given several times
    #[arg(long, value_name = "NAME=HEX", value_parser = checksum)]
    sha256: Vec<(String, Checksum)>,
    #[command(flatten)]
    access: Access,
    #[command(flatten)]
    query: Query,
}

/// Where a module comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    File(PathBuf),
    Registry(Place),
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix("oci:") {
            Some(place) => place.trim_start_matches("//").parse().map(Self::Registry),
            None => Ok(Self::File(text.into())),
        }
    }
}

/// `NAME=VALUE`
fn pair<T: FromStr<Err = E>, E: ToString>(text: &str) -> Result<(String, T), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let value = value.parse().map_err(|error: E| error.to_string())?;
    Ok((full_name(name).to_owned(), value))
}

fn named(text: &str) -> Result<(String, Source), String> {
    pair(text)
}

fn signature(text: &str) -> Result<(String, PathBuf), String> {
    pair(text)
}

fn checksum(text: &str) -> Result<(String, Checksum), String> {
    pair(text)
}

/// The flag's name of the lean module is shorter than the module's.
fn full_name(name: &str) -> &str {
    match name {
        "lean" => "mesh-lean",
        other => other,
    }
}

/// Runs the command.
///
/// # Errors
/// A file or registry cannot be read, or what it gives is no module.
pub async fn run(arguments: Arguments) -> anyhow::Result<Exit> {
    let mut sources = vec![("mesh".to_owned(), arguments.mesh.clone())];
    sources.extend(arguments.lean.clone().map(|source| ("mesh-lean".to_owned(), source)));
    sources.extend(arguments.module.iter().cloned());
    let has = |name: &str| sources.iter().any(|(known, _)| known == name);
    let of_none = arguments.signature.iter().map(|(name, _)| name);
    let mut of_none = of_none
        .chain(arguments.sha256.iter().map(|(name, _)| name))
        .filter(|name| !has(name));
    if let Some(name) = of_none.next() {
        return Ok(Exit::usage([format!(
            "--signature and --sha256: the set has no module {name}"
        )]));
    }
    let mut modules = Map::new();
    for (name, source) in &sources {
        let module = read(source, &arguments.access)
            .await
            .with_context(|| format!("module {name}"))?;
        let expected = arguments.sha256.iter().filter(|(of, _)| of == name);
        for (_, Checksum(expected)) in expected {
            if *expected != module.sha256 {
                eprintln!(
                    "error: module {name}: its sha256 is {}, and not {expected}",
                    module.sha256
                );
                return Ok(Exit::Failure);
            }
        }
        let mut sent = json!({ "wasm": BASE64_STANDARD.encode(&module.bytes), "sha256": module.sha256 });
        if let Some(signature) = signature_of(name, source, &arguments.signature)? {
            sent["signature"] = signature;
        }
        if modules.insert(name.clone(), sent).is_some() {
            return Ok(Exit::usage([format!("module {name} is named twice")]));
        }
    }
    let set = json!({ "version": arguments.version, "modules": modules });
    let answered = Client::new(&arguments.query.connection)?.ask("/v1/modules", &set).await;
    let about = format!("module set {}", arguments.version);
    arguments.query.finish(answered, &about, sets::table_of_set)
}

async fn read(source: &Source, access: &Access) -> anyhow::Result<ModuleFile> {
    match source {
        Source::File(path) => ModuleFile::read(path),
        Source::Registry(place) => {
            let pulled = Registry::new(access, place)?.pull().await?;
            ModuleFile::of(pulled.module).with_context(|| place.to_string())
        }
    }
}

/// A module's signature, from the file that was named for it or the one beside it.
fn signature_of(name: &str, source: &Source, named: &[(String, PathBuf)]) -> anyhow::Result<Option<Value>> {
    let path = match (named.iter().find(|(of, _)| of == name), source) {
        (Some((_, path)), _) => path.clone(),
        (None, Source::File(file)) => {
            let mut beside = file.clone().into_os_string();
            beside.push(".minisig");
            let beside = PathBuf::from(beside);
            if !beside.is_file() {
                return Ok(None);
            }
            beside
        }
        (None, Source::Registry(_)) => return Ok(None),
    };
    let text = std::fs::read_to_string(&path).with_context(|| format!("signature {}", path.display()))?;
    Ok(Some(text.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_a_file_unless_it_says_that_it_is_an_image() {
        assert_eq!("a/mesh.wasm".parse(), Ok(Source::File("a/mesh.wasm".into())));
        for text in ["oci:localhost:5000/mesh:1", "oci://localhost:5000/mesh:1"] {
            let Ok(Source::Registry(place)) = text.parse() else {
                panic!("{text} is an image")
            };
            assert_eq!(place.to_string(), "localhost:5000/mesh:1");
        }
        assert!("oci:mesh".parse::<Source>().is_err());
    }

    #[test]
    fn a_signature_is_found_beside_its_module_and_a_named_one_goes_before() {
        let folder = tempfile::tempdir().unwrap();
        let (module, beside) = (folder.path().join("m.wasm"), folder.path().join("m.wasm.minisig"));
        let source = Source::File(module);
        assert_eq!(signature_of("mesh", &source, &[]).unwrap(), None);
        std::fs::write(&beside, "beside").unwrap();
        assert_eq!(signature_of("mesh", &source, &[]).unwrap(), Some("beside".into()));
        let other = folder.path().join("other");
        std::fs::write(&other, "other").unwrap();
        let named = [("mesh".to_owned(), other)];
        assert_eq!(signature_of("mesh", &source, &named).unwrap(), Some("other".into()));
        assert_eq!(
            signature_of("mesh-lean", &source, &named).unwrap(),
            Some("beside".into())
        );
    }

    #[test]
    fn lean_is_the_short_name_of_the_lean_module() {
        assert_eq!(signature("lean=a").unwrap(), ("mesh-lean".to_owned(), "a".into()));
        assert!(signature("lean").is_err());
        assert!(checksum("mesh=12").unwrap_err().contains("64 hexadecimal digits"));
    }
}
