//! Judges a filter module without running it: what it imports and exports, how much memory it may take.
//!
//! The build of the modules and `ferromesh module` ask the same questions of a module before Envoy gets it, so
//! the answers are here, once.
//!
//! ```
//! use ferromesh_wasm_inspection::{Inspection, Rules};
//!
//! // (module (memory (export "memory") 1 2))
//! let module = b"\0asm\x01\0\0\0\x05\x04\x01\x01\x01\x02\x07\x0a\x01\x06memory\x02\0";
//! let inspection = Inspection::of(module)?;
//! assert_eq!(inspection.memory_maximum, Some(128 << 10));
//! assert!(inspection.violations(module.len(), &Rules::TRANSPORTABLE).is_empty());
//! # Ok::<(), ferromesh_wasm_inspection::InvalidModule>(())
//! ```

mod rules;
mod sections;
pub mod surface;

pub use rules::{Rules, SIZE_LIMIT};
pub use sections::{Import, Inspection, InvalidModule};
