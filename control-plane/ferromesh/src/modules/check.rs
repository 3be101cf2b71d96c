//! What a module must be before it is kept, and again before it is given to proxies.
//!
//! What is cheap and trusts nothing comes first: size, SHA-256, signature. Only then is the module itself looked into.

use std::collections::BTreeSet;

use ferromesh_model::Violation;
use ferromesh_wasm_inspection::{surface, Inspection, Rules};
use sha2::{Digest, Sha256};
use wasmparser::{Parser, Payload, Validator, WasmFeatures};

use super::signature::{Signed, TrustedKeys};

/// Most bytes of a module in the catalogue. Each proxy gets its modules inline; ours stay below 300 KiB.
pub const MAX_MODULE: usize = 2 << 20;
/// The highest maximum that a module's memory may declare, in bytes: what each worker of each Envoy may lose to it.
pub const MAX_MEMORY: u64 = 16 << 20;

/// What every module of a set keeps to.
const RULES: Rules = Rules {
    size: MAX_MODULE,
    memory: MAX_MEMORY,
    exports: &surface::REQUIRED_EXPORTS,
};

/// What is known of a module that was judged good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// SHA-256 of its bytes, in lower-case hexadecimal.
    pub sha256: String,
    /// The most bytes of memory that it declares.
    pub memory_maximum: u64,
    /// What it imports, sorted, each once.
    pub imports: Vec<String>,
    /// Who signed it, where that is asked for.
    pub signed: Option<Signed>,
}

/// Judges a module.
///
/// # Errors
/// Everything that is wrong with it; violations name `wasm`, `sha256` and `signature`.
pub fn judge(
    bytes: &[u8],
    sha256: Option<&str>,
    signature: Option<&str>,
    keys: &TrustedKeys,
) -> Result<Judged, Vec<Violation>> {
    let wasm = |message: String| vec![Violation::new("wasm", message)];
    if bytes.len() > MAX_MODULE {
        return Err(wasm(format!(
            "must have at most {MAX_MODULE} bytes, has {}",
            bytes.len()
        )));
    }
    let is = hexadecimal(&Sha256::digest(bytes));
    if let Some(expected) = sha256.filter(|expected| !expected.eq_ignore_ascii_case(&is)) {
        let message = format!("must be that of the module, {is}, is {expected:?}");
        return Err(vec![Violation::new("sha256", message)]);
    }
    let signed = keys
        .verify(bytes, signature)
        .map_err(|message| vec![Violation::new("signature", message)])?;
    let inspection = Inspection::of(bytes).map_err(|error| wasm(error.to_string()))?;
    let broken = inspection.violations(bytes.len(), &RULES);
    if !broken.is_empty() {
        return Err(broken.into_iter().flat_map(wasm).collect());
    }
    valid(bytes).map_err(wasm)?;
    let imports = inspection.imports.iter();
    let imports: BTreeSet<String> = imports
        .map(|import| format!("{}.{}", import.module, import.name))
        .collect();
    Ok(Judged {
        sha256: is,
        memory_maximum: inspection.memory_maximum.unwrap_or_default(),
        imports: imports.into_iter().collect(),
        signed,
    })
}

/// Whether Envoy's engine would compile it, function bodies and all.
fn valid(bytes: &[u8]) -> Result<(), String> {
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| format!("it is no valid wasm module: {error}"))?;
        if let Payload::StartSection { .. } = payload {
            return Err(
                "it has a start function, which would run in Envoy's main thread before anything can stop it".into(),
            );
        }
    }
    let mut validator = Validator::new_with_features(WasmFeatures::WASM2);
    match validator.validate_all(bytes) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("it is no valid wasm module: {error}")),
    }
}

pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What can be said of a module that is believed anyway; of one that cannot be read, its SHA-256.
pub(super) fn describe(bytes: &[u8]) -> Judged {
    let inspection = Inspection::of(bytes).ok();
    let imports = inspection.iter().flat_map(|inspection| &inspection.imports);
    let imports: BTreeSet<String> = imports
        .map(|import| format!("{}.{}", import.module, import.name))
        .collect();
    Judged {
        sha256: hexadecimal(&Sha256::digest(bytes)),
        memory_maximum: inspection
            .and_then(|inspection| inspection.memory_maximum)
            .unwrap_or_default(),
        imports: imports.into_iter().collect(),
        signed: None,
    }
}
