//! Compiled modules.

use std::path::Path;

/// A compiler and its settings. One is enough for a whole test binary; copies share everything.
#[derive(Clone)]
pub struct Engine {
    inner: wasmtime::Engine,
}

/// A module that is no wasm, uses what the host lacks, or cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {reason}")]
pub struct InvalidModule {
    name: String,
    reason: String,
}

impl Engine {
    /// An engine that counts fuel. It compiles fast rather than well: in a test, modules run for milliseconds.
    ///
    /// # Errors
    /// When wasmtime does not support this machine.
    pub fn new() -> Result<Self, InvalidModule> {
        let mut config = wasmtime::Config::new();
        config.consume_fuel(true).cranelift_opt_level(wasmtime::OptLevel::None);
        wasmtime::Engine::new(&config)
            .map(|inner| Self { inner })
            .map_err(|error| InvalidModule {
                name: "engine".to_owned(),
                reason: format!("{error:#}"),
            })
    }

    pub(crate) fn inner(&self) -> &wasmtime::Engine {
        &self.inner
    }
}

/// A compiled module, ready to be started any number of times.
#[derive(Clone)]
pub struct Module {
    inner: wasmtime::Module,
}

/// One thing that a module wants from the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// `env` or `wasi_snapshot_preview1`.
    pub module: String,
    /// The function's name.
    pub name: String,
}

impl Module {
    /// Reads and compiles a `.wasm` file.
    ///
    /// # Errors
    /// When the file cannot be read or is no valid module.
    pub fn load(engine: &Engine, path: impl AsRef<Path>) -> Result<Self, InvalidModule> {
        let path = path.as_ref();
        let name = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Self::compile(engine, name, &bytes),
            Err(error) => Err(InvalidModule {
                name,
                reason: error.to_string(),
            }),
        }
    }

    /// Compiles a module.
    ///
    /// # Errors
    /// When the bytes are no valid module.
    pub fn from_bytes(engine: &Engine, bytes: &[u8]) -> Result<Self, InvalidModule> {
        Self::compile(engine, "module".to_owned(), bytes)
    }

    fn compile(engine: &Engine, name: String, bytes: &[u8]) -> Result<Self, InvalidModule> {
        wasmtime::Module::from_binary(engine.inner(), bytes)
            .map(|inner| Self { inner })
            .map_err(|error| InvalidModule {
                name,
                reason: format!("{error:#}"),
            })
    }

    /// What it wants from the host.
    pub fn imports(&self) -> Vec<Import> {
        self.inner
            .imports()
            .map(|import| Import {
                module: import.module().to_owned(),
                name: import.name().to_owned(),
            })
            .collect()
    }

    /// The names that it exports.
    pub fn exports(&self) -> Vec<String> {
        self.inner.exports().map(|export| export.name().to_owned()).collect()
    }

    pub(crate) fn inner(&self) -> &wasmtime::Module {
        &self.inner
    }
}
