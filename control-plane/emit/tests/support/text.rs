//! Messages as text that a person can read and compare.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use prost::{Message, Name};
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde::Serialize;
use serde_json::Value;

/// Some messages as YAML, with everything inside `Any` spelled out.
pub fn yaml<M: Message + Name>(messages: &[M]) -> String {
    let trees: Vec<Tree> = messages.iter().map(|message| Tree::from(json(message))).collect();
    serde_saphyr::to_string(&trees).expect("a tree can be written")
}

fn json<M: Message + Name>(message: &M) -> Value {
    let descriptor = pool()
        .get_message_by_name(&M::full_name())
        .unwrap_or_else(|| panic!("no descriptor of {}", M::full_name()));
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).expect("the same message");
    serde_json::to_value(&dynamic).unwrap_or_else(|error| panic!("{}: {error}", M::full_name()))
}

/// A value whose members are sorted, whatever features serde_json was built with.
#[derive(Serialize)]
#[serde(untagged)]
enum Tree {
    Leaf(Value),
    List(Vec<Tree>),
    Map(BTreeMap<String, Tree>),
}

impl From<Value> for Tree {
    fn from(value: Value) -> Self {
        match value {
            Value::Array(members) => Self::List(members.into_iter().map(Self::from).collect()),
            Value::Object(members) => Self::Map(members.into_iter().map(|(key, value)| (key, value.into())).collect()),
            leaf => Self::Leaf(leaf),
        }
    }
}

/// The descriptors that the crate envoy-types ships beside its code.
fn pool() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| DescriptorPool::decode(descriptors().as_slice()).expect("a descriptor set"))
}

/// The descriptor set that the crate envoy-types ships.
pub fn descriptors() -> Vec<u8> {
    let path = envoy_types_folder().join("src/generated/types.bin");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn host_platform() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let output = Command::new(rustc).arg("-vV").output().expect("rustc runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("rustc says its host").to_owned()
}

fn envoy_types_folder() -> PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    // Without the platform cargo would ask for the crates of all others too.
    let output = Command::new(cargo)
        .args([
            "metadata",
            "--format-version",
            "1",
            "--filter-platform",
            &host_platform(),
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["name"] == "envoy-types")
        .and_then(|package| {
            PathBuf::from(package["manifest_path"].as_str()?)
                .parent()
                .map(PathBuf::from)
        })
        .expect("envoy-types is a dependency")
}
