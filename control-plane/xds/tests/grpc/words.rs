//! What is said on a stream, in the words of either variant.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::service::discovery::v3::{DeltaDiscoveryResponse, DiscoveryResponse};
use serde::{Deserialize, Serialize};

/// A request in the words of either variant.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Ask {
    pub type_url: String,
    pub nonce: String,
    /// State of the world.
    pub version: String,
    /// All of them, or those to add.
    pub names: Vec<String>,
    /// Delta.
    pub unsubscribe: Vec<String>,
    /// Delta.
    pub initial: BTreeMap<String, String>,
    pub error: Option<String>,
    pub node: Option<String>,
}

/// A response in the words of either variant.
#[derive(Debug, Clone, Deserialize)]
pub struct Received {
    pub type_url: String,
    pub nonce: String,
    pub version: String,
    pub resources: Vec<Item>,
    pub removed: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub struct Item {
    /// Delta.
    pub name: Option<String>,
    /// Delta.
    pub version: Option<String>,
    pub type_url: String,
    pub length: usize,
    pub value: String,
    pub ttl: bool,
}

impl Received {
    /// What came, as `name=content`, in order.
    pub fn contents(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.resources.iter().map(|r| r.value.as_str()).collect();
        all.sort_unstable();
        all
    }
}

pub fn of_sotw(response: DiscoveryResponse) -> Received {
    Received {
        type_url: response.type_url,
        nonce: response.nonce,
        version: response.version_info,
        resources: response
            .resources
            .into_iter()
            .map(|any| Item {
                name: None,
                version: None,
                type_url: any.type_url,
                length: any.value.len(),
                value: start(&any.value),
                ttl: false,
            })
            .collect(),
        removed: vec![],
    }
}

pub fn of_delta(response: DeltaDiscoveryResponse) -> Received {
    Received {
        type_url: response.type_url,
        nonce: response.nonce,
        version: response.system_version_info,
        resources: response
            .resources
            .into_iter()
            .map(|resource| {
                let any = resource.resource.unwrap_or_default();
                Item {
                    name: Some(resource.name),
                    version: Some(resource.version),
                    type_url: any.type_url,
                    length: any.value.len(),
                    value: start(&any.value),
                    ttl: resource.ttl.is_some(),
                }
            })
            .collect(),
        removed: response.removed_resources,
    }
}

fn start(value: &[u8]) -> String {
    value.iter().take(100).map(|b| char::from(*b)).collect()
}
