//! Modules in files: read within a limit, judged, written whole or not at all.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};

use anyhow::{bail, Context};
use bytes::Bytes;
use ferromesh_wasm_inspection::{surface, Inspection, Rules, SIZE_LIMIT};
use sha2::{Digest, Sha256};

/// A wasm module and what can be said of it without running it.
#[derive(Clone, Debug)]
pub struct ModuleFile {
    /// The file's bytes.
    pub bytes: Bytes,
    /// Their sha256, in lower-case hexadecimal.
    pub sha256: String,
    /// What it asks for and offers.
    pub inspection: Inspection,
}

impl ModuleFile {
    /// Reads a module.
    ///
    /// # Errors
    /// The file cannot be read, has more than 8 MiB, or is no wasm module.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let named = || path.display().to_string();
        let bytes = read_bounded(File::open(path).with_context(named)?).with_context(named)?;
        Self::of(bytes.into()).with_context(named)
    }

    /// Reads a module's bytes.
    ///
    /// # Errors
    /// They are more than 8 MiB, or no wasm module.
    pub fn of(bytes: Bytes) -> anyhow::Result<Self> {
        if bytes.len() > SIZE_LIMIT {
            bail!(too_big());
        }
        Ok(Self {
            sha256: hexadecimal(&Sha256::digest(&bytes)),
            inspection: Inspection::of(&bytes)?,
            bytes,
        })
    }

    /// Why no Envoy should get it, one text for each reason.
    pub fn violations(&self) -> Vec<String> {
        self.inspection.violations(self.bytes.len(), &Rules::TRANSPORTABLE)
    }

    /// Whether Envoy recognises it as a filter.
    pub fn is_filter(&self) -> bool {
        self.inspection.exports(surface::ABI_EXPORT)
    }
}

/// Writes a file in one step: whoever reads it meanwhile has the old one or the new one.
///
/// # Errors
/// What the system says, with the path.
pub fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let write = || -> io::Result<()> {
        let mut file = tempfile::Builder::new()
            // Readable by others as any file that a program makes, within the umask.
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666))
            .prefix(".ferromesh-module-")
            .tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Everything that a reader gives, unless it is more than a module may have.
pub(super) fn read_bounded(reader: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(SIZE_LIMIT as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > SIZE_LIMIT {
        bail!(too_big());
    }
    Ok(bytes)
}

fn too_big() -> String {
    format!("it has more than {SIZE_LIMIT} bytes, which no module may have")
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(module (memory (export "memory") 1 2))`
    const MODULE: &[u8] = b"\0asm\x01\0\0\0\x05\x04\x01\x01\x01\x02\x07\x0a\x01\x06memory\x02\0";

    #[test]
    fn refuses_what_is_no_module_or_too_big_and_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wasm");
        let error = |path: &Path| format!("{:#}", ModuleFile::read(path).unwrap_err());
        assert!(error(&path).contains("a.wasm: No such file"), "{}", error(&path));
        std::fs::write(&path, "#!/bin/sh").unwrap();
        assert!(
            error(&path).contains("a.wasm: it is no wasm module"),
            "{}",
            error(&path)
        );
        File::create(&path).unwrap().set_len(SIZE_LIMIT as u64 + 1).unwrap();
        assert!(error(&path).contains("more than 8388608 bytes"), "{}", error(&path));
    }

    #[test]
    fn writes_over_what_was_there_and_leaves_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wasm");
        std::fs::write(&path, "old").unwrap();
        write(&path, MODULE).unwrap();
        let read = ModuleFile::read(&path).unwrap();
        assert_eq!(read.bytes, MODULE);
        assert_eq!(read.violations(), Vec::<String>::new());
        assert!(!read.is_filter());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = write(&folder.path().join("none/a.wasm"), MODULE).unwrap_err();
        assert!(format!("{error:#}").contains("cannot write"), "{error:#}");
    }
}
