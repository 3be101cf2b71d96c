//! Finding the filter modules.

use std::path::{Path, PathBuf};

use anyhow::{bail, Context};
use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Names of the modules; `mesh` and `mesh-lean` are those that proxies get.
pub(crate) const NAMES: [&str; 9] = [
    "mesh",
    "mesh-lean",
    "canary",
    "retry",
    "observability",
    "rate-limit",
    "circuit-breaker",
    "fault",
    "headers",
];

/// No module of ours comes near this; a larger file is not one.
const SIZE_LIMIT: u64 = 8 << 20;

/// The modules that were found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// One for each file.
    pub modules: Vec<Module>,
}

/// A module.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its name, without `.wasm`.
    pub name: String,
    /// Its bytes.
    pub bytes: Bytes,
}

impl Found {
    /// What proxies are configured with.
    pub fn for_emission(&self) -> ferromesh_emit::Modules {
        let named = |name: &str| {
            let module = self.modules.iter().find(|module| module.name == name)?;
            Some(ferromesh_emit::Module {
                sha256: hexadecimal(&Sha256::digest(&module.bytes)),
                bytes: module.bytes.clone(),
            })
        };
        ferromesh_emit::Modules {
            mesh: named("mesh"),
            lean: named("mesh-lean"),
        }
    }

    /// What can be downloaded.
    pub fn for_download(&self) -> ferromesh_api::Modules {
        let named = |module: &Module| (module.name.clone(), module.bytes.clone());
        ferromesh_api::Modules::new(self.modules.iter().map(named))
    }
}

/// Finds the modules: the named folder, `FERROMESH_MODULES`, then `modules` beside the program or one folder up.
///
/// # Errors
/// A folder that was named lacks `mesh.wasm`, or a file is no module. Nothing found where nothing was named is no
/// error: proxies then do what Envoy does natively.
pub fn find(named: Option<&Path>) -> anyhow::Result<Found> {
    let from_environment = std::env::var_os("FERROMESH_MODULES").filter(|value| !value.is_empty());
    if let Some(folder) = named.map(Path::to_path_buf).or(from_environment.map(PathBuf::from)) {
        let found = read(&folder)?;
        if found.for_emission().mesh.is_none() {
            bail!("modules: there is no mesh.wasm in {}", folder.display());
        }
        return Ok(found);
    }
    let program = std::env::current_exe().context("cannot find this program's own path")?;
    let beside = program.parent().map(Path::to_path_buf).unwrap_or_default();
    for folder in [beside.join("modules"), beside.join("../modules")] {
        if folder.join("mesh.wasm").is_file() {
            return read(&folder);
        }
    }
    tracing::warn!(
        beside = %beside.display(),
        "no filter modules found: proxies split and retry natively, without sticky canaries, retry budgets and mesh \
         metrics; name their folder with --modules"
    );
    Ok(Found::default())
}

fn read(folder: &Path) -> anyhow::Result<Found> {
    let mut modules = Vec::new();
    for name in NAMES {
        let path = folder.join(format!("{name}.wasm"));
        if path.is_file() {
            let bytes = module(&path).with_context(|| format!("module {}", path.display()))?;
            modules.push(Module {
                name: name.to_owned(),
                bytes,
            });
        }
    }
    Ok(Found { modules })
}

fn module(path: &Path) -> anyhow::Result<Bytes> {
    let size = path.metadata()?.len();
    if size > SIZE_LIMIT {
        bail!("it has {size} bytes, and a module at most {SIZE_LIMIT}");
    }
    let bytes = std::fs::read(path)?;
    // The magic number and version 1 of the binary format.
    if !bytes.starts_with(b"\0asm\x01\0\0\0") {
        bail!("it is no wasm module");
    }
    Ok(bytes.into())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_folder_must_hold_the_mesh_module() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("mesh.wasm"), "{error}");
        let path = folder.path().join("mesh.wasm");
        std::fs::write(&path, "text").unwrap();
        let error = format!("{:#}", find(Some(folder.path())).unwrap_err());
        assert!(error.contains("no wasm module"), "{error}");
        std::fs::write(&path, b"\0asm\x01\0\0\0").unwrap();
        let found = find(Some(folder.path())).unwrap();
        let mesh = found.for_emission().mesh.unwrap();
        assert_eq!(
            mesh.sha256,
            "93a44bbb96c751218e4c00d479e4c14358122a389acca16205b1e4d0dc5f9476"
        );
        assert!(found.for_download().get(&mesh.sha256).is_some());
    }
}
