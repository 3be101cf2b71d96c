//! Resources as JSON, for people: Envoy's own JSON form, with everything inside `Any` spelled out.
//!
//! The descriptors are those of the crate envoy-types, without comments and without what no resource of ours uses
//! (`tests/readable.rs` makes them).

use std::sync::OnceLock;

use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;

use crate::SECRET;

/// The descriptors of everything that is emitted.
static DESCRIPTORS: &[u8] = include_bytes!("descriptors.bin");

/// A resource as JSON; `None` for secrets, which nobody is to read, and for what is no message of ours.
pub fn readable(type_url: &str, value: &[u8]) -> Option<Value> {
    if type_url == SECRET {
        return None;
    }
    let name = type_url.rsplit('/').next()?;
    let descriptor = pool()?.get_message_by_name(name)?;
    let message = DynamicMessage::decode(descriptor, value).ok()?;
    serde_json::to_value(&message).ok()
}

fn pool() -> Option<&'static DescriptorPool> {
    static POOL: OnceLock<Option<DescriptorPool>> = OnceLock::new();
    POOL.get_or_init(|| DescriptorPool::decode(DESCRIPTORS).ok()).as_ref()
}
