//! Reads from a module what can be judged without running it.

use wasmparser::{Encoding, MemoryType, Parser, Payload, TypeRef};

/// What a module asks for and offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// In the module's order.
    pub imports: Vec<Import>,
    /// Names, in the module's order.
    pub exports: Vec<String>,
    /// Bytes of memory at the start.
    pub memory_initial: u64,
    /// The declared most bytes of memory, if there is one.
    pub memory_maximum: Option<u64>,
    /// Bytes of each function's body, in the module's order. Envoy's compiler takes more for each byte of a large one.
    pub functions: Vec<usize>,
}

/// One thing that the host must provide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// The module that it is looked for in, such as `env`.
    pub module: String,
    /// Its name there.
    pub name: String,
}

/// Why bytes are no module that Envoy could load.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidModule {
    /// They do not begin as a wasm binary does.
    #[error("it is no wasm module: it does not begin with \\0asm")]
    NotWasm,
    /// A component holds modules and interfaces; Envoy runs plain modules only.
    #[error("it is a wasm component; Envoy runs core modules only")]
    Component,
    /// A section cannot be read.
    #[error("it is no valid wasm module: {0}")]
    Malformed(String),
    /// Not one memory.
    #[error("it has {0} memories; Envoy wants exactly 1")]
    Memories(usize),
}

/// The size of a page of wasm memory in bytes, unless a module says otherwise.
const PAGE: u64 = 64 << 10;

impl Inspection {
    /// Reads a module's sections. Function bodies are not looked into: Envoy's compiler does that.
    ///
    /// # Errors
    /// [`InvalidModule`].
    pub fn of(bytes: &[u8]) -> Result<Self, InvalidModule> {
        if !bytes.starts_with(b"\0asm") {
            return Err(InvalidModule::NotWasm);
        }
        let malformed = |error: wasmparser::BinaryReaderError| InvalidModule::Malformed(error.to_string());
        let mut inspection = Self {
            imports: Vec::new(),
            exports: Vec::new(),
            memory_initial: 0,
            memory_maximum: None,
            functions: Vec::new(),
        };
        let mut memories = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(malformed)? {
                Payload::Version {
                    encoding: Encoding::Component,
                    ..
                } => return Err(InvalidModule::Component),
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import.map_err(malformed)?;
                        if let TypeRef::Memory(memory) = import.ty {
                            memories += 1;
                            inspection.read_memory(&memory);
                        }
                        inspection.imports.push(Import {
                            module: import.module.to_owned(),
                            name: import.name.to_owned(),
                        });
                    }
                }
                Payload::MemorySection(section) => {
                    for memory in section {
                        memories += 1;
                        inspection.read_memory(&memory.map_err(malformed)?);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        inspection.exports.push(export.map_err(malformed)?.name.to_owned());
                    }
                }
                Payload::CodeSectionEntry(body) => inspection.functions.push(body.range().len()),
                _ => {}
            }
        }
        if memories != 1 {
            return Err(InvalidModule::Memories(memories));
        }
        Ok(inspection)
    }

    /// Whether something is exported under this name.
    #[must_use]
    pub fn exports(&self, name: &str) -> bool {
        self.exports.iter().any(|export| export == name)
    }

    fn read_memory(&mut self, memory: &MemoryType) {
        let page = memory.page_size_log2.map_or(PAGE, |log2| 1 << log2.min(16));
        self.memory_initial = memory.initial.saturating_mul(page);
        self.memory_maximum = memory.maximum.map(|pages| pages.saturating_mul(page));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `(module (import "env" "f" (func)) (memory (export "memory") 2 3))`, assembled by hand.
    const MODULE: &[u8] = b"\0asm\x01\0\0\0\
        \x01\x04\x01\x60\0\0\
        \x02\x09\x01\x03env\x01f\0\0\
        \x05\x04\x01\x01\x02\x03\
        \x07\x0a\x01\x06memory\x02\0";

    #[test]
    fn reads_imports_exports_and_memory() {
        let inspection = Inspection::of(MODULE).unwrap();
        assert_eq!(inspection.imports.len(), 1);
        assert_eq!(inspection.imports[0].module, "env");
        assert_eq!(inspection.imports[0].name, "f");
        assert_eq!(inspection.exports, ["memory"]);
        assert_eq!(inspection.memory_initial, 128 << 10);
        assert_eq!(inspection.memory_maximum, Some(192 << 10));
    }

    #[test]
    fn refuses_what_is_no_module_and_says_why() {
        assert_eq!(Inspection::of(b"#!/bin/sh"), Err(InvalidModule::NotWasm));
        assert_eq!(Inspection::of(b""), Err(InvalidModule::NotWasm));
        assert!(matches!(
            Inspection::of(&MODULE[..20]),
            Err(InvalidModule::Malformed(_))
        ));
        assert_eq!(Inspection::of(b"\0asm\x0d\0\x01\0"), Err(InvalidModule::Component));
        assert_eq!(Inspection::of(b"\0asm\x01\0\0\0"), Err(InvalidModule::Memories(0)));
    }
}
