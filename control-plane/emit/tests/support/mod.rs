//! What the tests of this crate share: meshes from files, messages as text, and the real Envoy.
#![allow(dead_code)] // no test file uses all of it

pub mod bootstrap;
pub mod echo;
pub mod envoy;
pub mod fixture;
pub mod merged;
pub mod pki;
pub mod requests;
pub mod scale;
pub mod text;
pub mod upstream;

use std::path::PathBuf;

use ferromesh_emit::{Certificate, Module, Modules, Secrets};
use ferromesh_ir::Proxy;

/// The real modules: from `FERROMESH_MODULES`, or where `cargo xtask wasm` puts them; `None`, said aloud, where there are
/// none.
pub fn real_module() -> Option<Modules> {
    let named = std::env::var_os("FERROMESH_MODULES")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from);
    let path = match &named {
        // Relative to the workspace, like cargo's own paths.
        Some(folder) => workspace().join(folder).join("mesh.wasm"),
        None => workspace().join("target/modules/mesh.wasm"),
    };
    match std::fs::read(&path) {
        Ok(bytes) => Some(Modules {
            lean: None,
            mesh: Some(Module {
                sha256: String::new(),
                bytes: bytes.into(),
            }),
        }),
        Err(error) if named.is_some() => panic!("{}: {error}", path.display()),
        Err(_) => {
            println!("SKIPPED: no modules; run `cargo xtask wasm`, or set FERROMESH_MODULES");
            None
        }
    }
}

fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Secrets that a person can read, for the golden files.
pub fn legible_secrets(proxy: &Proxy) -> Secrets {
    let certificate = |arn: &&str| Certificate {
        chain: format!("(certificate of {arn})"),
        key: format!("(key of {arn})"),
    };
    let certificates = proxy.issued_certificates();
    Secrets {
        certificates: certificates
            .keys()
            .map(|arn| ((*arn).into(), certificate(arn)))
            .collect(),
        root: Some("(root)".into()),
        authorities: proxy
            .imported_authorities()
            .into_iter()
            .map(|arn| (arn.to_owned(), format!("(authorities of {arn})")))
            .collect(),
    }
}

/// A module that every Envoy takes: it starts, accepts any configuration and does nothing.
pub fn idle_module() -> Modules {
    let bytes = wat::parse_str(
        r#"(module
            (memory (export "memory") 1)
            (func (export "proxy_abi_version_0_2_1"))
            (func (export "malloc") (param i32) (result i32) i32.const 1024)
            (func (export "proxy_on_context_create") (param i32 i32))
            (func (export "proxy_on_vm_start") (param i32 i32) (result i32) i32.const 1)
            (func (export "proxy_on_configure") (param i32 i32) (result i32) i32.const 1))"#,
    )
    .expect("the text above is a module");
    Modules {
        lean: None,
        mesh: Some(Module {
            sha256: "0".repeat(64),
            bytes: bytes.into(),
        }),
    }
}
