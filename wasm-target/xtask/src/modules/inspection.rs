//! Reads from a module what can be judged without running it.

use anyhow::{bail, Result};
use wasmparser::{MemoryType, Parser, Payload, TypeRef};

/// What a module asks for and offers.
pub struct Inspection {
    /// In the module's order.
    pub imports: Vec<Import>,
    /// Names, in the module's order.
    pub exports: Vec<String>,
    /// Bytes of memory at the start.
    pub memory_initial: u64,
    /// The declared most bytes of memory, if there is one.
    pub memory_maximum: Option<u64>,
}

/// One thing that the host must provide.
pub struct Import {
    pub module: String,
    pub name: String,
}

/// The size of a page of wasm memory in bytes, unless a module says otherwise.
const PAGE: u64 = 64 << 10;

impl Inspection {
    /// Reads a module's sections.
    pub fn of(bytes: &[u8]) -> Result<Self> {
        let mut inspection = Self {
            imports: Vec::new(),
            exports: Vec::new(),
            memory_initial: 0,
            memory_maximum: None,
        };
        let mut memories = 0;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ImportSection(section) => {
                    for import in section.into_imports() {
                        let import = import?;
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
                        inspection.read_memory(&memory?);
                    }
                }
                Payload::ExportSection(section) => {
                    for export in section {
                        inspection.exports.push(export?.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        if memories != 1 {
            bail!("it has {memories} memories, Envoy wants exactly 1");
        }
        Ok(inspection)
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
    fn refuses_what_is_no_module() {
        assert!(Inspection::of(b"#!/bin/sh").is_err());
        assert!(Inspection::of(&MODULE[..20]).is_err());
    }
}
