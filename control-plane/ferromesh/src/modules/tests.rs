//! Sets from a request to proxies, with everything that must not come through.

mod choices;
mod hostile;
mod judged;

use std::sync::Arc;

use base64::prelude::{Engine, BASE64_STANDARD};
use bytes::Bytes;
use ferromesh_api::{ApiError, Author, ModuleSets, NewModule, NewModuleSet};
use ferromesh_store::{Change, RedbStore, Store, Transaction};
use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;
use crate::serve::modules::{Found, Module};

/// A module that everything is right with; signed by `minisign` itself, the key is in `minisign.pub`.
const TINY: &[u8] = include_bytes!("tests/tiny.wasm");
const PREHASHED: &str = include_str!("tests/prehashed.minisig");
const LEGACY: &str = include_str!("tests/legacy.minisig");
const PUBLIC_KEY: &str = include_str!("tests/minisign.pub");

struct Rig {
    store: Arc<RedbStore>,
    catalogue: Catalogue,
    folder: tempfile::TempDir,
}

impl Rig {
    fn new(keys: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(RedbStore::open(folder.path().join("s.redb")).unwrap());
        Self {
            catalogue: catalogue(&store, keys),
            store,
            folder,
        }
    }

    fn add(&self, version: &str, modules: Vec<NewModule>) -> Result<serde_json::Value, ApiError> {
        let version = version.to_owned();
        self.catalogue
            .add(self.store.as_ref(), &author(), &NewModuleSet { version, modules })
    }

    fn refused(&self, modules: Vec<NewModule>) -> String {
        let before = self.store.revision().unwrap();
        let error = self.add("1.0.0", modules).unwrap_err();
        assert_eq!(error.kind, ferromesh_api::ErrorKind::BadRequest, "{}", error.message);
        assert_eq!(self.store.revision().unwrap(), before, "nothing is stored");
        error.message
    }

    fn put(&self, key: &str, value: Vec<u8>) {
        let changes = vec![Change::put(key, value)];
        self.store
            .commit(Transaction {
                compares: Vec::new(),
                changes,
            })
            .unwrap();
    }

    fn mesh(&self, name: &str) {
        self.put(&format!("mesh/{name}"), b"{}".to_vec());
    }

    fn keys(&self, prefix: &str) -> Vec<String> {
        let listed = self.store.list(prefix, None, None).unwrap().entries;
        listed.into_iter().map(|stored| stored.key).collect()
    }
}

fn catalogue(store: &Arc<RedbStore>, keys: &[&str]) -> Catalogue {
    let built_in = Found {
        modules: vec![Module {
            name: "mesh".to_owned(),
            bytes: Bytes::from_static(b"\0asm\x01\0\0\0 the one that came with it"),
        }],
    };
    let keys = TrustedKeys::read(keys.iter().copied()).unwrap();
    Catalogue::new(store.clone(), &built_in, keys)
}

fn author() -> Author {
    Author {
        principal: "ann".to_owned(),
        at: 1000.0,
    }
}

fn module(name: &str, bytes: impl Into<Bytes>) -> NewModule {
    NewModule {
        name: name.to_owned(),
        bytes: bytes.into(),
        sha256: None,
        signature: None,
    }
}

fn mesh(bytes: impl Into<Bytes>) -> Vec<NewModule> {
    vec![module("mesh", bytes)]
}

fn signed(bytes: impl Into<Bytes>, signature: &str) -> Vec<NewModule> {
    vec![NewModule {
        signature: Some(signature.to_owned()),
        ..module("mesh", bytes)
    }]
}

/// A module with a custom section of its own, so that it is another one that does the same.
fn other(number: u8) -> Vec<u8> {
    let mut bytes = TINY.to_vec();
    bytes.extend([0, 3, 1, b'n', number]);
    bytes
}

/// A module from its text, in the place of which everything else is right.
fn wasm(memory: &str, more: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {more} {memory}
        (func (export "proxy_abi_version_0_2_1"))
        (func $f (export "_initialize"))
        (func (export "proxy_on_context_create") (param i32 i32)))"#
    );
    wat::parse_str(text).unwrap()
}

const MEMORY: &str = r#"(memory (export "memory") 1 16)"#;

/// A signer whose signatures are minisign's older ones.
struct Signer {
    pair: Ed25519KeyPair,
    id: [u8; 8],
}

impl Signer {
    fn new(number: u8) -> Self {
        Self {
            pair: Ed25519KeyPair::from_seed_unchecked(&[number; 32]).unwrap(),
            id: [number; 8],
        }
    }

    fn public(&self) -> String {
        let key = [b"Ed".as_slice(), &self.id, self.pair.public_key().as_ref()].concat();
        BASE64_STANDARD.encode(key)
    }

    fn sign(&self, bytes: &[u8], comment: &str) -> String {
        let signature = self.pair.sign(bytes);
        let global = self.pair.sign(&[signature.as_ref(), comment.as_bytes()].concat());
        let first = BASE64_STANDARD.encode([b"Ed".as_slice(), &self.id, signature.as_ref()].concat());
        let second = BASE64_STANDARD.encode(global.as_ref());
        format!("untrusted comment: a test\n{first}\ntrusted comment: {comment}\n{second}\n")
    }
}
