//! What a client makes of responses, and what it has of them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use envoy_types::pb::envoy::service::discovery::v3 as pb;
use ferromesh_xds::Resource;
use prost::Message as _;

use crate::world::{CLUSTER, ENDPOINT, LISTENER, ROUTE};

pub const TYPES: [&str; 4] = [CLUSTER, LISTENER, ENDPOINT, ROUTE];

pub fn is_full(type_url: &str) -> bool {
    matches!(type_url, CLUSTER | LISTENER)
}

pub type Held = BTreeMap<String, (String, Bytes)>;

/// What a client makes of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Take,
    Refuse,
    /// Some of the listeners were good, and are kept.
    RefusePart,
}

/// The message in a resource.
pub fn value(resource: &Resource) -> Bytes {
    let field: Vec<_> = resource.as_delta_field().collect();
    let decoded = pb::DeltaDiscoveryResponse::decode(&*field.concat()).unwrap();
    decoded.resources[0].resource.clone().unwrap().value.into()
}

/// What the client knows of one type.
#[derive(Debug, Default, Clone)]
pub struct View {
    pub names: BTreeSet<String>,
    pub held: Held,
    pub version: String,
    pub nonce: String,
}
